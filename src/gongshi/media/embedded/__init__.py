"""The embedded media engine: worker processes in pure Python and the client that runs them (design.md §7)."""

from gongshi.media.embedded.engine import EmbeddedEngine, EmbeddedSettings

__all__ = ["EmbeddedEngine", "EmbeddedSettings"]
