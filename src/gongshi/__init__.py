"""Gongshi 共视: one registry, one access plane, one accountable way to share public-place video."""

from importlib.metadata import version

__version__ = version("gongshi")
