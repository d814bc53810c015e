"""A package, so that its modules share one demonstration."""
