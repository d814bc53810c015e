"""Catalogue items as rows of `signalling.channel`: every sent element is kept by name, passwords are not."""

import json
from typing import Final, NamedTuple

from gongshi.protocols.manscdp import CatalogItem
from gongshi.signalling.copying import line
from gongshi.signalling.writer import clean

_KINDS: Final = {"group": "business_group", "organisation": "virtual_organisation"}
_SECRET_FIELDS: Final = frozenset({"password"})
_CODE: Final = 64
_NAME: Final = 256
_VALUE: Final = 1_000
_NAMES: Final = 2_048
_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class ChannelRow(NamedTuple):
    """A row in the order of `repository.merge_channels`; `fields` is JSON."""

    code: str
    kind: str
    name: str
    manufacturer: str | None
    model: str | None
    civil_code: str | None
    address: str | None
    parent: str | None
    status: str
    longitude: float | None
    latitude: float | None
    ptz_type: int | None
    fields: str

    def line(self) -> str:
        """For COPY."""
        return line(*self)


def channel_row(item: CatalogItem) -> ChannelRow:
    """A catalogue item as a row."""
    fields = item.fields
    position = item.position
    ptz = item.ptz_type
    code = _clip(item.device_id, _CODE) or "?"
    return ChannelRow(
        code,
        _KINDS.get(item.kind, item.kind),
        _clip(item.name, _NAME) or code,
        _clip(fields.get("Manufacturer"), _NAME),
        _clip(fields.get("Model"), _NAME),
        item.civil_code,
        _clip(fields.get("Address"), _VALUE),
        _clip(fields.get("ParentID"), _NAME),
        "off" if item.online is False else "on",
        position[0] if position else None,
        position[1] if position else None,
        ptz if ptz is not None and 0 <= ptz < 2**31 else None,
        _fields(item),
    )


_INSIDE: Final[dict[str, str | None]] = {}
_OUTSIDE: Final[dict[str, str | None]] = {}


def _fields(item: CatalogItem) -> str:
    kept: dict[str, str | None] = {}
    for name, value in item.fields.items():
        if (known := _OUTSIDE.get(name) or _named(_OUTSIDE, name, "")) is not None:
            kept[known] = value
    for name, value in item.info.items():
        if (known := _INSIDE.get(name) or _named(_INSIDE, name, "Info.")) is not None:
            kept[known] = value
    text = _encode(kept)
    if len(text) <= _VALUE and "\\" not in text and text.isprintable():
        return text
    return _encode({name: _clip(value, _VALUE) for name, value in kept.items()})


def _named(memo: dict[str, str | None], name: str, prefix: str) -> str | None:
    """The name under which an element is kept; None for what is not."""
    if name in memo:
        return memo[name]
    if len(memo) >= _NAMES:
        memo.clear()
    secret = name.rpartition(".")[2].lower() in _SECRET_FIELDS
    memo[name] = None if secret else _clip(prefix + name, _CODE) or "?"
    return memo[name]


def _clip(value: str | None, length: int) -> str | None:
    if value and len(value) <= length and value.isprintable():
        return value
    cleaned = clean(value)
    return cleaned[:length] if cleaned else None
