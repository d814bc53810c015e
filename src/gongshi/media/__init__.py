"""Media: sessions and streams, the engine contract, the embedded engine, the media agent."""
