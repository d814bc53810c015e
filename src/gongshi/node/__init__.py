"""A node assembled from its rooms; the only package that knows every room (docs/decisions)."""
