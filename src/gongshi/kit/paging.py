"""Cursor paging: opaque, stable under inserts, never an offset."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from gongshi.kit.errors import BadRequest
from gongshi.kit.i18n import Text

T = TypeVar("T")

MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Items and the cursor of what follows; None at the end."""

    items: Sequence[T]
    next_cursor: str | None


def encode_cursor(*keys: str | int) -> str:
    """Pack the sort keys of the last row of a page."""
    return base64.urlsafe_b64encode(json.dumps(keys, ensure_ascii=False).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, types: Sequence[type]) -> list[str | int]:
    """Unpack a cursor; anything not made by `encode_cursor` for these types is a BadRequest."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        keys = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        keys = None
    if (
        not isinstance(keys, list)
        or len(keys) != len(types)  # pyright: ignore[reportUnknownArgumentType] -- JSON: checked below
        or any(type(key) is not wanted for key, wanted in zip(keys, types, strict=True))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- as above
    ):
        raise BadRequest(
            Text("翻页游标无效，请从第一页重新开始", "The paging cursor is not valid; start again from the first page"),
            code="bad_cursor",
        )
    return keys  # pyright: ignore[reportUnknownVariableType] -- element types were just checked
