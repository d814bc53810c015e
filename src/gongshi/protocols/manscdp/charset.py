"""Which characters the bytes mean, whatever the prolog claims (gb28181.md §3.3, Q-24)."""

import re
from dataclasses import dataclass
from typing import Literal

Charset = Literal["utf-8", "gb18030"]

PROLOG = re.compile(rb"\A\s*<\?xml[^>]{0,200}\?>", re.IGNORECASE)
_LONG = re.compile(rb"[\xe0-\xf7]")
"""The lead of a UTF-8 sequence of three or four bytes."""
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']?\s*([A-Za-z0-9_.-]{1,20})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Decoded:
    """Text of a body, without prolog, and how sure we are of it."""

    text: str
    charset: Charset
    declared: str
    """The prolog's label in lower case, "" without one."""
    lossy: bool
    """Some bytes fit no charset and were replaced: keep the raw body with the record."""


def label(prolog: bytes) -> str:
    """The encoding that a prolog names, in lower case; "" when it names none."""
    found = _ENCODING.search(prolog)
    return "" if found is None else found[1].decode("ascii").lower()


def is_utf8(body: bytes, *, declared: str = "", bom: bool = False) -> bool:
    """Whether a body without its prolog is meant as UTF-8.

    Chinese takes three bytes a character there. Sequences of two bytes alone are GB characters that happen to fit, 聘
    for one, unless a label or a mark says otherwise.
    """
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return False
    if bom or body.isascii() or declared.startswith("utf") or _LONG.search(body):
        return True
    try:
        body.decode("gb18030")
    except UnicodeDecodeError:
        return True
    return False


def decode(body: bytes) -> Decoded:
    """Decode a MANSCDP body. Never raises.

    Valid UTF-8 is UTF-8 even when labelled GB2312 (see `is_utf8`); else GB 18030, a superset of GB2312 and GBK; a BOM
    decides at once.
    """
    bom = body.startswith(b"\xef\xbb\xbf")
    if bom:
        body = body[3:]
    declared = ""
    while (prolog := PROLOG.match(body)) is not None:
        # A second prolog occurs where a gateway wrapped a body that had one.
        declared = declared or label(prolog[0])
        body = body[prolog.end() :]
    if is_utf8(body, declared=declared, bom=bom):
        unicode = bom or not body.isascii() or declared == "utf-8"
        return Decoded(body.decode("utf-8"), "utf-8" if unicode else "gb18030", declared, lossy=False)
    try:
        return Decoded(body.decode("gb18030"), "gb18030", declared, lossy=False)
    except UnicodeDecodeError:
        pass
    charset: Charset = "utf-8" if bom or declared in {"utf-8", "utf8"} else "gb18030"
    return Decoded(body.decode(charset, "replace"), charset, declared, lossy=True)
