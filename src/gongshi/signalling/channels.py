"""Catalogue items as rows of `signalling.channel`: every sent element is kept by name, passwords are not."""

import json
from typing import Final, NamedTuple

from gongshi.protocols.manscdp import CatalogItem
from gongshi.signalling.copying import field
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
        """For COPY. What only we write needs no escapes."""
        fixed = f"{self.status}\t{field(self.longitude)}\t{field(self.latitude)}\t{field(self.ptz_type)}"
        return (
            f"{field(self.code)}\t{self.kind}\t{field(self.name)}\t{field(self.manufacturer)}\t{field(self.model)}\t"
            f"{field(self.civil_code)}\t{field(self.address)}\t{field(self.parent)}\t{fixed}\t{field(self.fields)}\n"
        )


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


_INSIDE: Final[dict[str, str]] = {}
_OUTSIDE: Final[dict[str, str]] = {}
"""Keys by the names of elements inside of Info and outside."""


def _fields(item: CatalogItem) -> str:
    """All elements as JSON, those inside of Info marked so."""
    if all(map(_OUTSIDE.__contains__, item.fields)) and all(map(_INSIDE.__contains__, item.info)):
        flat = "".join([*item.fields.values(), *item.info.values()])
        if len(flat) <= _VALUE and flat.isprintable() and '"' not in flat and "\\" not in flat:
            # Nothing in it needs an escape: that is seen at once, and the encoder looks at every value.
            parts = [f'{known}"{value}"' for name, value in item.fields.items() if (known := _OUTSIDE[name])]
            parts += [f'{known}"{value}"' for name, value in item.info.items() if (known := _INSIDE[name])]
            return f"{{{','.join(parts)}}}"
    kept = [
        f"{known}{_encode(_clip(value, _VALUE))}"
        for memo, prefix, values in ((_OUTSIDE, "", item.fields), (_INSIDE, "Info.", item.info))
        for name, value in values.items()
        if (known := _named(memo, name, prefix))
    ]
    return f"{{{','.join(kept)}}}"


def _named(memo: dict[str, str], name: str, prefix: str) -> str:
    """The key under which an element is kept, with its colon; empty for what is not."""
    known = memo.get(name)
    if known is None:
        if len(memo) >= _NAMES:
            memo.clear()
        secret = name.rpartition(".")[2].lower() in _SECRET_FIELDS
        known = memo[name] = "" if secret else f"{_encode(_clip(prefix + name, _CODE) or '?')}:"
    return known


def _clip(value: str | None, length: int) -> str | None:
    if value and len(value) <= length and value.isprintable():
        return value
    cleaned = clean(value)
    return cleaned[:length] if cleaned else None
