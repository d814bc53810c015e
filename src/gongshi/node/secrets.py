"""The node's own keys: made once, kept in files only this user can read, never in the database."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gongshi.kit.secretbox import SecretBox


@dataclass(frozen=True, slots=True)
class NodeSecrets:
    """Keys of one node."""

    box: SecretBox
    """Encrypts device passwords in the database."""
    audit: Ed25519PrivateKey
    """Signs checkpoints of the log."""
    media: Ed25519PrivateKey
    """Signs media tokens; workers hold the public half only."""

    @classmethod
    def of(cls, data: Path) -> "NodeSecrets":
        """Read the keys below the data directory, making those that are missing."""
        directory = data / "secrets"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        box = _kept(directory / "box.key", lambda: os.urandom(32))
        return cls(SecretBox(box), _signing_key(directory / "audit.pem"), _signing_key(directory / "media.pem"))


def _kept(file: Path, make: Callable[[], bytes]) -> bytes:
    if file.exists():
        return file.read_bytes()
    content = make()
    # Written whole under another name first: a crash must not leave half a key.
    work = file.with_suffix(".new")
    work.touch(mode=0o600)
    work.write_bytes(content)
    work.rename(file)
    return content


def _signing_key(file: Path) -> Ed25519PrivateKey:
    def make() -> bytes:
        return Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    key = serialization.load_pem_private_key(_kept(file, make), None)
    if not isinstance(key, Ed25519PrivateKey):
        message = f"{file} does not hold an Ed25519 key"
        raise TypeError(message)
    return key
