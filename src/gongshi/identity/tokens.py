"""Login tokens: random, shown once, stored as a hash only."""

import hashlib
import secrets
from datetime import timedelta
from typing import Final

PREFIX: Final = "gsl_"
"""Marks the string for secret scanners, and for people who find one where it should not be."""

LIFETIME: Final = timedelta(hours=12)


def new_token() -> str:
    """256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What the database holds. A plain hash is enough: a random token cannot be guessed from it."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
