"""What changes by the edition that a peer speaks, in one place (gb28181.md §16)."""

from collections.abc import Iterable

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError


def modern(edition: Edition) -> bool:
    """Does the peer speak 2022 (X-GB-Ver 3.0)?"""
    return edition == Edition.E2022


def require_modern(edition: Edition, what: str) -> None:
    """Raise LocalProtocolError unless the peer knows what only 2022 has: to a 2.0 peer it is never sent."""
    if not modern(edition):
        raise LocalProtocolError(f"{what} is not sent to a peer of edition {edition}: it came with GB/T 28181-2022")


def charset_label(edition: Edition) -> str:
    """What the prolog says: 2.0 devices expect GB2312 although the bytes are GB 18030 (gb28181.md §3.3)."""
    return "GB18030" if modern(edition) else "GB2312"


def key_frame_element(edition: Edition) -> str:
    """`IFameCmd`, as 2016 spells it, or `IFrameCmd`."""
    return "IFrameCmd" if modern(edition) else "IFameCmd"


def extra_element(edition: Edition) -> str:
    """The free extension at top level: `Info` in 2016, `ExtraInfo` in 2022."""
    return "ExtraInfo" if modern(edition) else "Info"


def join_codes(codes: Iterable[int], edition: Edition) -> str:
    """A combination of alarm methods: `1/2` in 2022, `12` in 2016 (§9). Empty is 0, which means all.

    Raises LocalProtocolError for a code of several digits to a 2016 peer, which could not tell it from two.
    """
    values = list(dict.fromkeys(codes))
    if not values:
        return "0"
    if any(value < 0 for value in values):
        raise LocalProtocolError("an alarm code is not negative")
    if modern(edition) or len(values) == 1:
        return "/".join(str(value) for value in values)
    if any(value > 9 for value in values):
        raise LocalProtocolError("edition 2016 combines single digits only")
    return "".join(str(value) for value in values)


def split_codes(text: str | None) -> tuple[int, ...]:
    """A combination in either form; empty for 0, nothing and anything else. `12` without a slash is 1 and 2."""
    words = (text or "").replace(",", "/").split("/")
    digits = [word.strip() for word in words]
    if any(not word.isascii() or not word.isdigit() or len(word) > 12 for word in digits):
        return ()
    found = [int(word) for word in digits] if len(digits) > 1 else [int(letter) for letter in digits[0]]
    return () if 0 in found else tuple(dict.fromkeys(found))
