"""Catalogue answers of ordinary form, read without an XML tree (signalling.md §3).

A platform writes all of its items alike: the same elements in the same order. The form of an item is learnt while it is
read leaf by leaf, and from then on each item of that form is one match of one expression. Anything that is not plain
leaves (attributes, entities, comments, nested elements other than Info, repeated or odd names) gives None and goes the
long way.

Invariant: whatever is read here, `CatalogResponse.parse(parse(body))` reads the same.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

from gongshi.protocols.manscdp.catalog import CANONICAL, EVENTS, CatalogItem, CatalogResponse
from gongshi.protocols.manscdp.charset import PROLOG, is_utf8, label
from gongshi.protocols.manscdp.element import CONTROL
from gongshi.protocols.manscdp.envelope import MAX_BODY

# Bytes, not characters: no byte of a character of UTF-8 or GB 18030 looks like markup or a control character, and only
# the values need decoding.
_TEXT: Final = rb"[^<>&\r]*"
_FRAME: Final = re.compile(
    rb"\s*<Response>\s*<CmdType>Catalog</CmdType>\s*<SN>([0-9]{1,10})</SN>\s*"
    rb"<DeviceID>([!-%'-;=?-~]*)</DeviceID>\s*<SumNum>([0-9]{1,9})</SumNum>\s*"
    rb"""<DeviceList(?:\s+Num\s*=\s*(?:"[0-9]{1,9}"|'[0-9]{1,9}'))?\s*>\s*"""
)
_TAIL: Final = re.compile(rb"</DeviceList>\s*</Response>\s*")
_ITEM: Final = re.compile(rb"<Item>\s*")
_ITEM_END: Final = re.compile(rb"</Item>\s*")
_INFO: Final = re.compile(rb"<Info>\s*")
_INFO_END: Final = re.compile(rb"</Info>\s*")
_LEAF: Final = re.compile(rb"<([A-Za-z_][A-Za-z0-9_]{0,63})(?:>(" + _TEXT + rb")</\1>|\s?/>)\s*")
_CONTROLS: Final = bytes([*range(9), 11, 12, *range(14, 32), 127])
_MOST_ITEMS: Final = 10_000
_MOST_LEAVES: Final = 96
_WORTH: Final = 4
"""An expression is made for a form that was met so often."""
_FORMS: Final = 64
_COUNTED: Final = 512

_Charset = Literal["utf-8", "gb18030"]
_Shape = tuple[tuple[str, bool], ...]
"""(name as written, inside of Info) of each leaf in order."""


@dataclass(frozen=True, slots=True)
class _Form:
    """Items of one form: an expression with a group for each leaf, and the canonical names of the groups."""

    pattern: re.Pattern[bytes]
    names: tuple[str, ...]
    inner: tuple[str, ...]


class _Forms:
    """What was learnt. Bounded: peers that never write two items alike teach nothing."""

    def __init__(self) -> None:
        self.known: tuple[_Form, ...] = ()
        """Most recently used first; replaced as a whole, for large bodies are read in a thread."""
        self._met: dict[_Shape, int] = {}

    def met(self, shape: _Shape) -> None:
        """Count a form, and learn it when it is worth it. Info comes last nearly everywhere, and always in a known form."""
        if any(earlier[1] and not later[1] for earlier, later in pairwise(shape)):
            return
        count = self._met.get(shape, 0) + 1
        if count < _WORTH:
            if len(self._met) >= _COUNTED:
                self._met.clear()
            self._met[shape] = count
            return
        self._met.pop(shape, None)
        self.known = (_form(shape), *self.known)[:_FORMS]


_FORMS_MET: Final = _Forms()


def _form(shape: _Shape) -> _Form:
    parts = [rb"<Item>\s*"]
    within = False
    for name, inside in shape:
        if inside and not within:
            parts.append(rb"<Info>\s*")
            within = True
        tag = name.encode()
        parts.append(b"<" + tag + b"(?:>(" + _TEXT + b")</" + tag + rb">|\s?/>)\s*")
    parts.append(rb"</Info>\s*</Item>\s*" if within else rb"</Item>\s*")
    names = tuple(CANONICAL.get(name.lower(), name) for name, inside in shape if not inside)
    inner = tuple(CANONICAL.get(name.lower(), name) for name, inside in shape if inside)
    return _Form(re.compile(b"".join(parts)), names, inner)


def fast_catalog(body: bytes) -> CatalogResponse | None:
    """Read a catalogue answer of ordinary form; None means: parse it properly."""
    if len(body) > MAX_BODY or len(body.translate(None, _CONTROLS)) != len(body):
        return None
    bom = body.startswith(b"\xef\xbb\xbf")
    body = body.removeprefix(b"\xef\xbb\xbf")
    start, declared = 0, ""
    while (prolog := PROLOG.match(body[start : start + 300])) is not None:
        declared = declared or label(prolog[0])
        start += prolog.end()
    frame = _FRAME.match(body, start)
    if frame is None:
        return None
    charset: _Charset = "utf-8" if is_utf8(body[start:], declared=declared, bom=bom) else "gb18030"
    items: list[CatalogItem] = []
    at = frame.end()
    while body.startswith(b"<Item>", at):
        taken = _known(body, at, charset) or _scan(body, at, charset)
        if taken is None or len(items) >= _MOST_ITEMS:
            return None
        item, at = taken
        items.append(item)
    tail = _TAIL.match(body, at)
    if tail is None or tail.end() != len(body):
        return None
    return CatalogResponse(frame[2].decode(), int(frame[1]), int(frame[3]), items)


def _decoded(values: list[bytes], charset: _Charset) -> list[str] | None:
    """Trimmed texts of leaves; None when they are no characters, or some that XML cannot hold."""
    try:
        text = b"<".join(values).decode(charset)
    except UnicodeDecodeError:
        return None
    if not text.isprintable() and CONTROL.search(text):
        return None
    return [value.strip() for value in text.split("<")]


def _known(body: bytes, at: int, charset: _Charset) -> tuple[CatalogItem, int] | None:
    known = _FORMS_MET.known
    for place, form in enumerate(known):
        found = form.pattern.match(body, at)
        if found is None:
            continue
        if place:
            # The next item is most likely of the same form.
            _FORMS_MET.known = (form, *known[:place], *known[place + 1 :])
        texts = _decoded([value or b"" for value in found.groups()], charset)
        if texts is None:
            return None
        values = dict(zip(form.names, texts, strict=False))
        info = dict(zip(form.inner, texts[len(form.names) :], strict=True))
        if "" in texts:
            values = {name: text for name, text in values.items() if text}
            info = {name: text for name, text in info.items() if text}
        item = _item(values, info)
        return None if item is None else (item, found.end())
    return None


def _scan(body: bytes, at: int, charset: _Charset) -> tuple[CatalogItem, int] | None:
    """Read an item leaf by leaf; None when it is not plain."""
    opening = _ITEM.match(body, at)
    if opening is None:
        return None
    at = opening.end()
    shape: list[tuple[str, bool]] = []
    found: list[bytes] = []
    within = done = False
    while len(shape) < _MOST_LEAVES:
        if not within and (end := _ITEM_END.match(body, at)) is not None:
            texts = _decoded(found, charset)
            item = _gathered(shape, texts) if texts is not None else None
            if item is None:
                return None
            _FORMS_MET.met(tuple(shape))
            return item, end.end()
        if within and (end := _INFO_END.match(body, at)) is not None:
            within, done, at = False, True, end.end()
            if not shape or not shape[-1][1]:
                return None
            continue
        if not done and not within and (start := _INFO.match(body, at)) is not None:
            within, at = True, start.end()
            continue
        leaf = _LEAF.match(body, at)
        if leaf is None:
            return None
        name = leaf[1].decode()
        low = name.lower()
        if low in {"info", "item"} or any(low == other.lower() and inside == within for other, inside in shape):
            return None
        shape.append((name, within))
        found.append(leaf[2] or b"")
        at = leaf.end()
    return None


def _gathered(shape: list[tuple[str, bool]], texts: list[str]) -> CatalogItem | None:
    values: dict[str, str] = {}
    info: dict[str, str] = {}
    for (name, inside), text in zip(shape, texts, strict=False):
        if text:
            (info if inside else values)[CANONICAL.get(name.lower(), name)] = text
    return _item(values, info)


def _item(values: dict[str, str], info: dict[str, str]) -> CatalogItem | None:
    device_id = values.pop("DeviceID", "")
    if not device_id:
        return None
    event = EVENTS.get(values.pop("Event", "").upper())
    return CatalogItem(device_id, values.pop("Name", ""), values, info, event)
