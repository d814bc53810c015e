"""Small shared pieces without business meaning and without I/O."""
