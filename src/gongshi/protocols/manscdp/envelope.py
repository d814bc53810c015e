"""The frame of every MANSCDP message: root, CmdType, SN, DeviceID (gb28181.md §6)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp.charset import Charset, decode
from gongshi.protocols.manscdp.editions import charset_label
from gongshi.protocols.manscdp.element import Element, leaf, parse_xml, write_xml

Root = Literal["Control", "Query", "Notify", "Response"]

_ROOTS: dict[str, Root] = {"control": "Control", "query": "Query", "notify": "Notify", "response": "Response"}
_ITEM_TAG = re.compile(r"<\s{0,8}(/?)\s{0,8}Item\b[^<>]{0,200}>", re.IGNORECASE)
MAX_SALVAGED = 20_000
MAX_BODY = 8 * 1024 * 1024
MAX_SN = 2**31 - 1


@dataclass(slots=True)
class Envelope:
    """A parsed message. `cmd_type` keeps the sender's spelling, trimmed; compare with `is_`."""

    root: Root
    cmd_type: str
    sn: int | None
    """None when missing or unreadable: correlate by DeviceID then (gb28181.md §6)."""
    device_id: str
    element: Element
    charset: Charset = "gb18030"
    defects: tuple[str, ...] = ()
    lost_items: int = 0
    """Items of a damaged list that could not be read (Q-19): the list is partial."""
    extra: dict[str, str] = field(default_factory=dict[str, str])

    def is_(self, root: Root, cmd_type: str) -> bool:
        """Is it this message? Letter case of CmdType does not matter."""
        return self.root == root and self.cmd_type.lower() == cmd_type.lower()

    @property
    def result_ok(self) -> bool:
        """Result is OK."""
        return (self.element.get("Result") or "").upper() == "OK"


def parse(body: bytes) -> Envelope:
    """Read a body of any charset. Any input parses or raises RemoteProtocolError, never anything else."""
    if len(body) > MAX_BODY:
        raise RemoteProtocolError("the body exceeds 8 MiB", 413)
    decoded = decode(body)
    lost = 0
    try:
        element, defects = parse_xml(decoded.text)
    except RemoteProtocolError as error:
        element, lost = _salvage(decoded.text, error)
        defects = ("salvaged",)
    root = _ROOTS.get(element.name.lower())
    if root is None:
        raise RemoteProtocolError("the root element is none of Control, Query, Notify, Response")
    cmd_type = element.get("CmdType")
    if cmd_type is None:
        raise RemoteProtocolError("CmdType is missing")
    if decoded.lossy:
        defects += ("undecodable-bytes",)
    if decoded.declared and decoded.charset == "utf-8" and "utf" not in decoded.declared:
        defects += ("mislabelled-charset",)
    sn = element.integer("SN")
    if sn is not None and not 0 <= sn <= 2**63 - 1:
        sn = None
    return Envelope(root, cmd_type, sn, element.get("DeviceID") or "", element, decoded.charset, defects, lost)


def _salvage(text: str, error: RemoteProtocolError) -> tuple[Element, int]:
    """Read a list item by item, so that one damaged item does not cost the others (Q-19). Re-raises what cannot be.

    The frame is the text with its items cut out; every item is parsed by itself.
    """
    items, rest, lost = _cut_items(text)
    if not items or len(items) > MAX_SALVAGED or error.hint_status == 413:
        raise error
    frame, _ = parse_xml(_close(rest))
    holder = frame.find("DeviceList") or frame.find("RecordList")
    if holder is None:
        raise error
    for item in items:
        try:
            element, _ = parse_xml(item)
        except RemoteProtocolError:
            lost += 1
            continue
        holder.children.append(element)
    return frame, lost


def _cut_items(text: str) -> tuple[list[str], str, int]:
    """The items, what is left without them, and how many were opened but never closed. One pass over the text."""
    items: list[str] = []
    rest: list[str] = []
    kept, opened, lost = 0, -1, 0
    for tag in _ITEM_TAG.finditer(text):
        if not tag[1]:
            lost += opened >= 0
            if opened < 0:
                rest.append(text[kept : tag.start()])
            opened = tag.start()
        elif opened >= 0:
            items.append(text[opened : tag.end()])
            kept, opened = tag.end(), -1
    if opened >= 0:
        lost += 1
    else:
        rest.append(text[kept:])
    return items, "".join(rest), lost


def _close(text: str) -> str:
    """Cut off a half item at the end and close what is open, as when a message was truncated."""
    for name in ("DeviceList", "RecordList"):
        opening = re.search(rf"<\s*{name}\b[^<>]*>", text, re.IGNORECASE)
        if opening is None:
            continue
        closing = re.search(rf"<\s*/\s*{name}\s*>.*", text[opening.end() :], re.IGNORECASE | re.DOTALL)
        root = re.search(r"<\s*(Response|Notify)\b", text, re.IGNORECASE)
        tail = closing[0] if closing else f"</{opening[0][1:].split()[0].rstrip('>')}>"
        ends = root is not None and re.search(rf"<\s*/\s*{root[1]}\s*>", tail, re.IGNORECASE) is None
        return text[: opening.end()] + tail + (f"</{root[1]}>" if root is not None and ends else "")
    return text


def build(
    root: Root,
    cmd_type: str,
    sn: int,
    device_id: str | None,
    children: Sequence[Element] = (),
    *,
    edition: Edition = Edition.E2016,
    charset: Charset = "gb18030",
) -> bytes:
    """The bytes of a message for a peer of an edition; `charset="utf-8"` is a per-peer override.

    Without `device_id` there is no DeviceID: Broadcast has none.
    """
    head = [leaf("CmdType", cmd_type), leaf("SN", sn)]
    if device_id is not None:
        head.append(leaf("DeviceID", device_id))
    frame = Element(root, "", [*head, *children])
    label = "UTF-8" if charset == "utf-8" else charset_label(edition)
    text = f'<?xml version="1.0" encoding="{label}"?>\r\n{write_xml(frame)}'
    return text.encode(charset)
