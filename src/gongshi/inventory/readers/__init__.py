"""Reading uploads: what the content is (never what its name says), and its rows."""

from gongshi.inventory.readers.files import FileFormat, detect, open_file
from gongshi.inventory.readers.grid import Grid, GridRow, Stop
from gongshi.inventory.readers.refusal import UnreadableFile

__all__ = ["FileFormat", "Grid", "GridRow", "Stop", "UnreadableFile", "detect", "open_file"]
