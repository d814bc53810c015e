"""Zip packages (xlsx, ods, docx) opened only after their directory was judged: sizes, ratio, entries, overlap."""

import io
import zlib
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from gongshi.inventory.readers.refusal import damaged, encrypted, hostile

MAX_UNPACKED = 768 * 1024 * 1024
MAX_PART_RATIO = 400
"""Rows of styled blank cells pack by 100 to 200; a bomb packs by 1000."""
RATIO_FROM = 16 * 1024 * 1024
"""Smaller parts may have any ratio: they cannot hurt."""
MAX_ENTRIES = 2_000


class Package:
    """A judged zip file. Parts are read as streams and never unpacked to disk."""

    def __init__(self, content: bytes) -> None:
        try:
            self._zip = ZipFile(io.BytesIO(content))
            entries = self._zip.infolist()
        except (BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise damaged() from error
        _judge(entries, len(content))
        self._names = {entry.filename.replace("\\", "/").lstrip("/"): entry for entry in entries}

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._names)

    def open(self, name: str) -> IO[bytes]:
        """A part as a stream that ends at the size that the directory promised. Raises `damaged`."""
        entry = self._names.get(name)
        if entry is None:
            raise damaged()
        try:
            return self._zip.open(entry)
        except (BadZipFile, NotImplementedError, RuntimeError, OSError, ValueError) as error:
            raise damaged() from error

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of a small part."""
        try:
            with self.open(name) as part:
                return part.read(size)
        except (BadZipFile, zlib.error, EOFError, OSError) as error:
            raise damaged() from error


def _judge(entries: list[ZipInfo], length: int) -> None:
    if len(entries) > MAX_ENTRIES:
        raise hostile("entries")
    if any(entry.flag_bits & 1 for entry in entries):
        raise encrypted()
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise hostile("size")
    for entry in entries:
        if entry.file_size > RATIO_FROM and entry.file_size > MAX_PART_RATIO * max(entry.compress_size, 1):
            raise hostile("ratio")
    end = 0
    for entry in sorted(entries, key=lambda each: each.header_offset):
        if entry.header_offset < end:
            raise hostile("overlap")
        end = entry.header_offset + entry.compress_size
    if end > length:
        raise damaged()
