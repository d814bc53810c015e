"""The signalling digest: Date and Note of every message but REGISTER (GB/T 28181-2016 §8.3, annex H; gb28181.md §4.6).

The texts do not say whether From and To mean the whole header or the address: `bare` is an option per peer.
"""

import base64
import binascii
import hmac
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp.messages import format_sip_date, parse_time
from gongshi.protocols.sip.digest import digest_bytes
from gongshi.protocols.sip.fields import parse_auth
from gongshi.protocols.sip.message import Request, Response

WINDOW: Final = timedelta(minutes=10)


class NoteState(Enum):
    """What a message's Note is worth; anything but GOOD is dropped when the peer was told to sign."""

    GOOD = "good"
    MISSING = "missing"
    STALE = "stale"
    """Date is too far from now, or none."""
    WRONG = "wrong"


def note_value(message: Request | Response, seed: str, algorithm: str = "SM3", *, bare: bool = False) -> str:
    """BASE64(H(From + To + Call-ID + Date + seed + body)) of a message that has its Date."""
    date = message.headers.get("Date") or ""
    if bare:
        parties = str(message.from_.uri) + str(message.to.uri)
    else:
        parties = (message.headers.get("From") or "") + (message.headers.get("To") or "")
    text = f"{parties}{message.call_id}{date}{seed}".encode("utf-8", "surrogateescape")
    return base64.b64encode(digest_bytes(algorithm, text + message.body)).decode()


def sign(message: Request | Response, seed: str, now: datetime, algorithm: str = "SM3", *, bare: bool = False) -> None:
    """Add Date and Note to a message that is otherwise complete."""
    if isinstance(message, Request) and message.method == "REGISTER":
        raise LocalProtocolError("REGISTER proves itself by its digest")
    message.headers.set("Date", format_sip_date(now))
    value = note_value(message, seed, algorithm, bare=bare)
    message.headers.set("Note", f'Digest nonce="{value}", algorithm={algorithm}')


def check(
    message: Request | Response, seed: str, now: datetime, *, window: timedelta = WINDOW, bare: bool = False
) -> NoteState:
    """Judge a message of a peer that shares `seed` with us. Never raises."""
    header = message.headers.get("Note")
    if header is None:
        return NoteState.MISSING
    said = parse_time(message.headers.get("Date"))
    if said is None or abs(said - now) > window:
        return NoteState.STALE
    try:
        scheme, values = parse_auth(header)
        presented = base64.b64decode(values.get("nonce", ""), validate=True)
        expected = note_value(message, seed, values.get("algorithm", "") or "MD5", bare=bare)
    except (RemoteProtocolError, binascii.Error, ValueError):
        return NoteState.WRONG
    equal = scheme == "digest" and hmac.compare_digest(base64.b64encode(presented).decode(), expected)
    return NoteState.GOOD if equal else NoteState.WRONG
