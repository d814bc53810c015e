"""Identifiers: time-ordered UUIDs for rows created by many writers, numbers people can read aloud."""

import os
import time
from uuid import UUID


def new_id() -> UUID:
    """A UUID version 7 (RFC 9562): 48 bits of milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return UUID(int=value)


def document_number(prefix: str, year: int, serial: int) -> str:
    """A number to quote on the phone: `document_number("G", 2026, 142)` is `G-2026-0142`."""
    return f"{prefix}-{year}-{serial:04d}"
