"""Which characters the bytes mean, whatever the prolog claims (gb28181.md §3.3, Q-24)."""

import re
from dataclasses import dataclass
from typing import Literal

Charset = Literal["utf-8", "gb18030"]

PROLOG = re.compile(rb"\A\s*<\?xml[^>]{0,200}\?>", re.IGNORECASE)
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


def decode(body: bytes) -> Decoded:
    """Decode a MANSCDP body. Never raises.

    Valid UTF-8 with a multi-byte sequence is UTF-8 even when labelled GB2312; else GB 18030, a superset of GB2312 and
    GBK; a BOM decides at once.
    """
    bom = body.startswith(b"\xef\xbb\xbf")
    if bom:
        body = body[3:]
    declared = ""
    while (prolog := PROLOG.match(body)) is not None:
        # A second prolog occurs where a gateway wrapped a body that had one.
        if not declared and (label := _ENCODING.search(prolog[0])) is not None:
            declared = label[1].decode("ascii").lower()
        body = body[prolog.end() :]
    try:
        return Decoded(
            body.decode("utf-8"),
            "utf-8" if bom or not body.isascii() or declared == "utf-8" else "gb18030",
            declared,
            lossy=False,
        )
    except UnicodeDecodeError:
        pass
    try:
        return Decoded(body.decode("gb18030"), "gb18030", declared, lossy=False)
    except UnicodeDecodeError:
        pass
    charset: Charset = "utf-8" if bom or declared in {"utf-8", "utf8"} else "gb18030"
    return Decoded(body.decode(charset, "replace"), charset, declared, lossy=True)
