"""Catalogue answers of ordinary form, read without an XML tree (signalling.md §3).

A platform writes all of its items alike: the same elements in the same order. The form of an item is learnt while it is
read leaf by leaf, and from then on each item of that form is one match of one expression. Anything that is not plain
leaves (attributes, entities, comments, nested elements other than Info, repeated or odd names) gives None and goes the
long way.

Invariant: whatever is read here, `CatalogResponse.parse(parse(body))` reads the same.
"""

import re
from dataclasses import dataclass
from typing import Final

from gongshi.protocols.manscdp.catalog import CANONICAL, EVENTS, CatalogItem, CatalogResponse
from gongshi.protocols.manscdp.charset import decode
from gongshi.protocols.manscdp.element import CONTROL
from gongshi.protocols.manscdp.envelope import MAX_BODY

_TEXT: Final = r"[^<>&\r]*"
_FRAME: Final = re.compile(
    r"\s*<Response>\s*<CmdType>Catalog</CmdType>\s*<SN>([0-9]{1,10})</SN>\s*"
    rf"<DeviceID>({_TEXT})</DeviceID>\s*<SumNum>([0-9]{{1,9}})</SumNum>\s*"
    r"""<DeviceList(?:\s+Num\s*=\s*(?:"[0-9]{1,9}"|'[0-9]{1,9}'))?\s*>\s*""",
    re.ASCII,
)
_TAIL: Final = re.compile(r"</DeviceList>\s*</Response>\s*", re.ASCII)
_ITEM: Final = re.compile(r"<Item>\s*", re.ASCII)
_ITEM_END: Final = re.compile(r"</Item>\s*", re.ASCII)
_INFO: Final = re.compile(r"<Info>\s*", re.ASCII)
_INFO_END: Final = re.compile(r"</Info>\s*", re.ASCII)
_LEAF: Final = re.compile(rf"<([A-Za-z_][A-Za-z0-9_]{{0,63}})(?:>({_TEXT})</\1>|\s?/>)\s*", re.ASCII)
_MOST_ITEMS: Final = 10_000
_MOST_LEAVES: Final = 96
_WORTH: Final = 4
"""An expression is made for a form that was met so often."""
_FORMS: Final = 64
_COUNTED: Final = 512

_Shape = tuple[tuple[str, bool], ...]
"""(name as written, inside of Info) of each leaf in order."""


@dataclass(frozen=True, slots=True)
class _Form:
    """Items of one form: an expression with a group for each leaf, and the canonical names of the groups."""

    pattern: re.Pattern[str]
    names: tuple[str, ...]
    inner: tuple[str, ...]


class _Forms:
    """What was learnt. Bounded: peers that never write two items alike teach nothing."""

    def __init__(self) -> None:
        self.known: list[_Form] = []
        self._met: dict[_Shape, int] = {}

    def met(self, shape: _Shape) -> None:
        """Count a form, and learn it when it is worth it."""
        count = self._met.get(shape, 0) + 1
        if count < _WORTH:
            if len(self._met) >= _COUNTED:
                self._met.clear()
            self._met[shape] = count
            return
        self._met.pop(shape, None)
        self.known.insert(0, _form(shape))
        del self.known[_FORMS:]


_FORMS_MET: Final = _Forms()


def _form(shape: _Shape) -> _Form:
    parts = [r"<Item>\s*"]
    within = False
    for name, inside in shape:
        if inside != within:
            parts.append(r"<Info>\s*" if inside else r"</Info>\s*")
            within = inside
        parts.append(rf"<{name}(?:>({_TEXT})</{name}>|\s?/>)\s*")
    parts.append(r"</Info>\s*</Item>\s*" if within else r"</Item>\s*")
    names = tuple(CANONICAL.get(name.lower(), name) for name, inside in shape if not inside)
    inner = tuple(CANONICAL.get(name.lower(), name) for name, inside in shape if inside)
    return _Form(re.compile("".join(parts), re.ASCII), names, inner)


def fast_catalog(body: bytes) -> CatalogResponse | None:
    """Read a catalogue answer of ordinary form; None means: parse it properly."""
    if len(body) > MAX_BODY:
        return None
    text = decode(body).text
    if CONTROL.search(text):
        return None
    frame = _FRAME.match(text)
    if frame is None:
        return None
    items: list[CatalogItem] = []
    at = frame.end()
    while text.startswith("<Item>", at):
        taken = _known(text, at) or _scan(text, at)
        if taken is None or len(items) >= _MOST_ITEMS:
            return None
        item, at = taken
        items.append(item)
    tail = _TAIL.match(text, at)
    if tail is None or tail.end() != len(text):
        return None
    device = frame[2].strip()
    return CatalogResponse(device, int(frame[1]), int(frame[3]), items)


def _known(text: str, at: int) -> tuple[CatalogItem, int] | None:
    known = _FORMS_MET.known
    for place, form in enumerate(known):
        found = form.pattern.match(text, at)
        if found is None:
            continue
        if place:
            # The next item is most likely of the same form.
            known.insert(0, known.pop(place))
        groups = found.groups()
        inner = groups[len(form.names) :]
        values = {
            name: word for name, value in zip(form.names, groups, strict=False) if value and (word := value.strip())
        }
        info = {name: word for name, value in zip(form.inner, inner, strict=True) if value and (word := value.strip())}
        item = _item(values, info)
        return None if item is None else (item, found.end())
    return None


def _scan(text: str, at: int) -> tuple[CatalogItem, int] | None:
    """Read an item leaf by leaf; None when it is not plain."""
    opening = _ITEM.match(text, at)
    if opening is None:
        return None
    at = opening.end()
    shape: list[tuple[str, bool]] = []
    values: dict[str, str] = {}
    info: dict[str, str] = {}
    within = done = False
    while len(shape) < _MOST_LEAVES:
        if not within and (end := _ITEM_END.match(text, at)) is not None:
            item = _item(values, info)
            if item is None:
                return None
            _FORMS_MET.met(tuple(shape))
            return item, end.end()
        if within and (end := _INFO_END.match(text, at)) is not None:
            within, done, at = False, True, end.end()
            if not shape or not shape[-1][1]:
                return None
            continue
        if not done and not within and (start := _INFO.match(text, at)) is not None:
            within, at = True, start.end()
            continue
        leaf = _LEAF.match(text, at)
        if leaf is None:
            return None
        name = leaf[1]
        low = name.lower()
        if low in {"info", "item"} or any(low == other.lower() and inside == within for other, inside in shape):
            return None
        shape.append((name, within))
        if value := (leaf[2] or "").strip():
            (info if within else values)[CANONICAL.get(low, name)] = value
        at = leaf.end()
    return None


def _item(values: dict[str, str], info: dict[str, str]) -> CatalogItem | None:
    device_id = values.pop("DeviceID", "")
    if not device_id:
        return None
    event = EVENTS.get(values.pop("Event", "").upper())
    return CatalogItem(device_id, values.pop("Name", ""), values, info, event)
