"""Secrets that must be read again (device passwords): encrypted at rest with the node's own key."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class SecretBox:
    """AES-256-GCM; `label` binds a box to its row, so that boxes cannot be swapped between rows."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, secret: str, label: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), label.encode())

    def open(self, box: bytes, label: str) -> str:
        """The secret again; ValueError when the box was changed, moved or sealed with another key."""
        try:
            return self._cipher.decrypt(box[:_NONCE], box[_NONCE:], label.encode()).decode()
        except InvalidTag:
            message = f"the secret of {label} cannot be opened with this node's key"
            raise ValueError(message) from None
