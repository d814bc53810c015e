"""XML parts of office files as a stream of events: bounded memory whatever the file holds.

Office formats use no document type, so one is refused: with it go entity bombs and outside references.
"""

import zlib
from collections.abc import Iterator, Mapping
from typing import IO
from xml.parsers import expat
from zipfile import BadZipFile

from gongshi.inventory.readers.refusal import damaged, hostile

_CHUNK = 1 << 16
_DEPTH = 64


class Handler:
    """Receives names without their namespace (office parts never mix vocabularies that matter here)."""

    def start(self, name: str, attributes: Mapping[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, data: str) -> None: ...


def pump(source: IO[bytes], handler: Handler) -> Iterator[None]:
    """Feed one XML part to `handler`, yielding after every 64 KiB. Raises the refusals `damaged` and `hostile`."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEPTH:
            raise hostile("nesting")
        handler.start(name.rpartition(" ")[2], attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        handler.end(name.rpartition(" ")[2])

    def doctype(*_: object) -> None:
        raise hostile("doctype")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = doctype
    try:
        while chunk := source.read(_CHUNK):
            parser.Parse(chunk, False)
            yield
        parser.Parse(b"", True)
        yield
    except (expat.ExpatError, zlib.error, BadZipFile, EOFError) as error:
        raise damaged() from error


def read(source: IO[bytes], handler: Handler) -> None:
    """Feed the whole part at once."""
    for _ in pump(source, handler):
        pass


def attribute(attributes: Mapping[str, str], name: str) -> str | None:
    """An attribute by its local name, whatever its namespace."""
    if name in attributes:
        return attributes[name]
    suffix = " " + name
    return next((value for key, value in attributes.items() if key.endswith(suffix)), None)
