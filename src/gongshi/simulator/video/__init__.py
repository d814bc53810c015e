"""Synthetic surveillance pictures: scenes, on-screen text, encoding and the cache of encoded clips."""
