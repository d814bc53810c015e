"""A small XML tree without namespaces, document types or entities: the only XML that MANSCDP needs.

Parsing repairs the three defects that devices show (gb28181.md §6) and refuses everything dangerous. Building writes
well-formed XML only.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from lxml import etree

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError

_Node: TypeAlias = etree._Element  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] -- lxml has no public name

MAX_DEPTH = 16
MAX_ELEMENTS = 400_000

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff\ud800-\udfff]")
_FORBIDDEN = re.compile(r"<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST|NOTATION)", re.IGNORECASE)
_PROLOGS = re.compile(r"<\?xml\b[^>]{0,200}\?>", re.IGNORECASE)
_BARE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_CHARACTER_REFERENCE = re.compile(r"&#(?:[0-9]{1,7}|x[0-9A-Fa-f]{1,6});")
_BARE_LESS = re.compile(r"<(?![A-Za-z_/?!])|<(?=[A-Za-z_][^<>]{0,400}(?:<|\Z))")
_BARE_ATTRIBUTE = re.compile(
    r"(<[A-Za-z_][\w.:-]{0,60}(?:\s+[\w.:-]{1,60}\s*=\s*\"[^\"<>]{0,300}\")*\s+[\w.:-]{1,60})\s*=\s*([^\s\"'<>/]{1,100})"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_INTEGER = re.compile(r"\s*([+-]?[0-9]{1,18})(?:\.0{0,6})?\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*([+-]?(?:[0-9]{1,12}(?:\.[0-9]{0,20})?|\.[0-9]{1,20}))\s*", re.ASCII)


@dataclass(slots=True)
class Element:
    """Name as written, trimmed text, children and attributes. Look-ups ignore letter case."""

    name: str
    text: str = ""
    children: list["Element"] = field(default_factory=list["Element"])
    attributes: dict[str, str] = field(default_factory=dict[str, str])

    def find(self, name: str) -> "Element | None":
        """The first child of that name."""
        low = name.lower()
        return next((c for c in self.children if c.name.lower() == low), None)

    def first(self, *names: str) -> "Element | None":
        """The first child of any of the names, for elements that editions or misprints spell differently (S-16)."""
        return next((found for name in names if (found := self.find(name)) is not None), None)

    def all(self, name: str) -> Iterator["Element"]:
        """Every child of that name."""
        low = name.lower()
        return (c for c in self.children if c.name.lower() == low)

    def get(self, name: str) -> str | None:
        """The text of a child, or an attribute of that name (Q-43); None when absent or empty."""
        child = self.find(name)
        if child is not None and child.text:
            return child.text
        low = name.lower()
        return next((v.strip() for k, v in self.attributes.items() if k.lower() == low and v.strip()), None)

    def integer(self, name: str) -> int | None:
        """A whole number; None for "", "null", blanks and anything else (gb28181.md §6)."""
        return to_integer(self.get(name))

    def number(self, name: str) -> float | None:
        """A finite decimal number; None for anything else."""
        return to_number(self.get(name))


def to_integer(text: str | None) -> int | None:
    """A whole number of at most 18 digits, also written `5.0`; None for anything else."""
    if text is None:
        return None
    match = _INTEGER.fullmatch(text)
    return int(match[1]) if match else None


def to_number(text: str | None) -> float | None:
    """A finite decimal number; None for anything else."""
    if text is None:
        return None
    match = _DECIMAL.fullmatch(text)
    return float(match[1]) if match else None


def parse_xml(text: str) -> tuple[Element, tuple[str, ...]]:
    """Read one document: its root and the codes of the defects that were repaired.

    Raises RemoteProtocolError for document types, entities, more than 16 levels, and what cannot be repaired.
    """
    defects: list[str] = []
    cleaned = CONTROL.sub("", text).strip()
    if len(cleaned) != len(text.strip()):
        defects.append("control-characters")
    if _FORBIDDEN.search(cleaned):
        raise RemoteProtocolError("document types and entities are not accepted")
    root = _lxml(cleaned)
    if root is None:
        repaired = repair(cleaned)
        root = _lxml(repaired)
        if root is None:
            raise RemoteProtocolError("the XML cannot be read")
        defects.append("repaired")
    return _convert(root), tuple(defects)


def repair(text: str) -> str:
    """Undo what devices get wrong: prologs in the middle, bare `&` and `<` in text, unquoted attribute values."""
    text = _PROLOGS.sub("", text)
    text = _BARE_AMPERSAND.sub("&amp;", text)
    text = _CHARACTER_REFERENCE.sub(_safe_reference, text)
    text = _BARE_LESS.sub("&lt;", text)
    return _BARE_ATTRIBUTE.sub(r'\1="\2"', text)


def _safe_reference(match: re.Match[str]) -> str:
    body = match[0][2:-1]
    code = int(body[1:], 16) if body[0] == "x" else int(body)
    legal = code in {9, 10, 13} or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
    return match[0] if legal else ""


def _lxml(text: str) -> _Node | None:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        return etree.fromstring(text.encode("utf-8"), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _convert(root: _Node) -> Element:
    """Copy iteratively, so that depth costs no stack."""
    top = Element(_local(root.tag), _text(root), attributes=_attributes(root))
    stack: list[tuple[_Node, Element, int]] = [(root, top, 1)]
    count = 1
    while stack:
        source, target, depth = stack.pop()
        for child in source:
            if not isinstance(child.tag, str):
                continue
            count += 1
            if depth >= MAX_DEPTH or count > MAX_ELEMENTS:
                raise RemoteProtocolError("the XML is nested too deeply or too large", 413)
            made = Element(_local(child.tag), _text(child), attributes=_attributes(child))
            target.children.append(made)
            if len(child):
                stack.append((child, made, depth + 1))
    return top


def _local(tag: "str | bytes | bytearray | etree.QName") -> str:
    text = tag if isinstance(tag, str) else str(tag)
    return text.rpartition("}")[2].rpartition(":")[2]


def _text(node: _Node) -> str:
    return (node.text or "").strip()


def _attributes(node: _Node) -> dict[str, str]:
    return {_local(str(k)): str(v) for k, v in node.attrib.items()} if node.attrib else {}


def leaf(name: str, value: object) -> Element:
    """An element with text."""
    return Element(name, str(value))


def optional(pairs: Sequence[tuple[str, object | None]]) -> list[Element]:
    """Leaves for those pairs that have a value, in order."""
    return [leaf(name, value) for name, value in pairs if value is not None and value != ""]


def write_xml(element: Element) -> str:
    """Well-formed XML of a tree. Raises LocalProtocolError for a name that is none."""
    parts: list[str] = []
    _write(element, parts, 1)
    return "".join(parts)


def _write(element: Element, parts: list[str], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise LocalProtocolError("the XML is nested too deeply")
    if not _NAME.fullmatch(element.name):
        raise LocalProtocolError(f"{element.name!r} is not an element name")
    attributes = "".join(f' {name}="{_escape(value)}"' for name, value in element.attributes.items())
    if any(not _NAME.fullmatch(name) for name in element.attributes):
        raise LocalProtocolError("an attribute name is not a name")
    parts.append(f"<{element.name}{attributes}>{_escape(element.text)}")
    if element.children:
        parts.append("\r\n")
    for child in element.children:
        _write(child, parts, depth + 1)
    parts.append(f"</{element.name}>\r\n")


def _escape(text: str) -> str:
    text = CONTROL.sub("", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
