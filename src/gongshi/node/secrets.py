"""The node's own keys: made once, kept in files only this user can read, never in the database."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gongshi.kit.errors import Conflict
from gongshi.kit.i18n import Text
from gongshi.kit.secretbox import SecretBox

_BOX_BYTES = 32
_NAMES = ("box.key", "audit.pem", "media.pem")


class LostSecrets(Conflict):
    """Keys are gone or damaged beside data that needs them; new ones would make that data unreadable in silence."""

    code = "secrets_lost"
    title = Text("密钥缺失", "Keys are missing")


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
        """Read the keys below the data directory, making those that are missing; LostSecrets for a damaged one."""
        directory = data / "secrets"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        box, audit, media = (directory / name for name in _NAMES)
        return cls(_box(box), _signing_key(audit), _signing_key(media))


def require(data: Path, standing: Path, others: Sequence[str] = ()) -> None:
    """LostSecrets unless every key is there that goes with the data standing at `standing`.

    `others` are further names below `secrets/`. Never are new keys made beside old data: device passwords could not
    be read, and the log would be signed by a stranger.
    """
    directory = data / "secrets"
    missing = [name for name in (*_NAMES, *others) if not (directory / name).exists()]
    if missing:
        names = ", ".join(missing)
        raise LostSecrets(
            Text(
                f"{standing} 里已有本节点的数据，但 {directory} 中缺少密钥 {names}。没有生成新密钥：那样设备口令将无法解开，"
                f"日志也不再由本节点签名。请从备份恢复 {directory}；确要丢弃原有数据，请先移走 {standing}",
                f"{standing} holds this node's data, but {directory} lacks {names}. No new keys were made: device "
                "passwords could not be read and the log would no longer be signed by this node. Restore "
                f"{directory} from the backup; to give the old data up, move {standing} away first",
            )
        )


def _damaged(file: Path) -> LostSecrets:
    return LostSecrets(
        Text(f"密钥文件 {file} 已损坏，请从备份恢复", f"The key file {file} is damaged; restore it from the backup")
    )


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


def _box(file: Path) -> SecretBox:
    key = _kept(file, lambda: os.urandom(_BOX_BYTES))
    if len(key) != _BOX_BYTES:
        raise _damaged(file)
    return SecretBox(key)


def _signing_key(file: Path) -> Ed25519PrivateKey:
    def make() -> bytes:
        return Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    try:
        key = serialization.load_pem_private_key(_kept(file, make), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _damaged(file) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _damaged(file)
    return key
