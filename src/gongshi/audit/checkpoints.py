"""Checkpoints: signed statements "at this time the tree had this size and this root", kept outside the database too.

The outside copy also carries the leaf hashes since the checkpoint before. They need no signature of their own:
together with the tree before them they must give the signed root. With them a verifier can name the one entry
that was changed, removed or moved, and not only the stretch it lies in.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gongshi.audit import tree
from gongshi.audit.leaves import canonical_json, moment_text

FORMAT = "gongshi-checkpoint/1"
PREFIX = "audit/checkpoints/"


def key_id_of(public_key: bytes) -> str:
    """A short name for a raw Ed25519 public key: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One signed statement. `at` is text as signed (`leaves.moment_text`)."""

    size: int
    root: bytes
    at: str
    node: str
    algorithm: str
    key_id: str
    signature: bytes

    def statement(self) -> bytes:
        """The bytes that are signed."""
        return canonical_json(
            {
                "format": FORMAT,
                "size": self.size,
                "root": self.root.hex(),
                "at": self.at,
                "node": self.node,
                "algorithm": self.algorithm,
                "key_id": self.key_id,
            }
        ).encode()

    def signed_by(self, public_key: bytes) -> bool:
        """Whether the signature is this key's."""
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(self.signature, self.statement())
        except (InvalidSignature, ValueError):
            return False
        return True

    def as_json(self) -> dict[str, Any]:
        """For files, exports and the API."""
        return {
            "size": self.size,
            "root": self.root.hex(),
            "at": self.at,
            "node": self.node,
            "algorithm": self.algorithm,
            "key_id": self.key_id,
            "signature": base64.b64encode(self.signature).decode(),
        }

    @classmethod
    def from_json(cls, body: Any) -> "Checkpoint":
        """Read what `as_json` wrote; ValueError for anything else."""
        try:
            record = cast("dict[str, Any]", body)
            size, texts = record["size"], [record[name] for name in ("at", "node", "algorithm", "key_id")]
            root, signature = bytes.fromhex(record["root"]), base64.b64decode(record["signature"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise ValueError("not a checkpoint") from error
        if type(size) is not int or size < 0 or not all(isinstance(value, str) for value in texts):
            raise ValueError("not a checkpoint")
        at, node, algorithm, key_id = texts
        return cls(size, root, at, node, algorithm, key_id, signature)


class Signer:
    """Signs checkpoints with the node's key. The private key never leaves this object."""

    def __init__(self, private_key: Ed25519PrivateKey, node_code: str) -> None:
        self._key = private_key
        self.node_code = node_code
        self.public_key = private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key_id = key_id_of(self.public_key)

    def sign(self, size: int, root: bytes, at: datetime, algorithm: tree.Algorithm) -> Checkpoint:
        unsigned = Checkpoint(size, root, moment_text(at), self.node_code, algorithm, self.key_id, b"")
        signature = self._key.sign(unsigned.statement())
        return Checkpoint(size, root, unsigned.at, self.node_code, algorithm, self.key_id, signature)


@dataclass(frozen=True, slots=True)
class Witness:
    """A checkpoint as kept outside: with the leaves from `first` up to its size, and their entries' ids as a hint."""

    checkpoint: Checkpoint
    first: int
    leaves: tuple[bytes, ...]
    entry_ids: tuple[int, ...]

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.checkpoint.size:012d}.json"

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "checkpoint": self.checkpoint.as_json(),
            "first": self.first,
            "leaves": base64.b64encode(b"".join(self.leaves)).decode(),
            "entries": list(self.entry_ids),
        }

    def to_bytes(self) -> bytes:
        return (canonical_json(self.as_json()) + "\n").encode()

    @classmethod
    def from_json(cls, body: Any) -> "Witness":
        """Read what `as_json` wrote; ValueError for anything else."""
        try:
            record = cast("dict[str, Any]", body)
            if record["format"] != FORMAT:
                raise ValueError("unknown format")
            checkpoint = Checkpoint.from_json(record["checkpoint"])
            first, packed = record["first"], base64.b64decode(record["leaves"], validate=True)
            ids = tuple(int(value) for value in record["entries"])
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise ValueError("not a witnessed checkpoint") from error
        step = tree.DIGEST_SIZE
        leaves = tuple(packed[i : i + step] for i in range(0, len(packed), step))
        if type(first) is not int or first < 0 or len(packed) % step or first + len(leaves) != checkpoint.size:
            raise ValueError("not a witnessed checkpoint")
        return cls(checkpoint, first, leaves, ids)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Witness":
        try:
            body = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise ValueError("not a witnessed checkpoint") from error
        return cls.from_json(body)


class Keeper(Protocol):
    """A place outside the database that keeps checkpoints: the object store, a directory, another node."""

    async def put(self, name: str, content: bytes) -> None: ...
    async def get(self, name: str) -> bytes:
        """FileNotFoundError when there is none."""
        ...

    async def names(self, prefix: str) -> Sequence[str]: ...


class DirectoryKeeper:
    """Checkpoints as files in one directory, for example on a disk that another machine owns."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    async def put(self, name: str, content: bytes) -> None:
        path = self._directory / name.rsplit("/", 1)[-1]
        self._directory.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        draft.write_bytes(content)
        draft.replace(path)

    async def get(self, name: str) -> bytes:
        return (self._directory / name.rsplit("/", 1)[-1]).read_bytes()

    async def names(self, prefix: str) -> Sequence[str]:
        return sorted(prefix + path.name for path in self._directory.glob("*.json"))


async def keep(keeper: Keeper, witness: Witness) -> bool:
    """Store a checkpoint outside, never over another one of the same size.

    False when a different statement of this size stood there already: the database was rewound. Both are then
    kept, so that the verifier sees them.
    """
    content = witness.to_bytes()
    try:
        present = await keeper.get(witness.name)
    except FileNotFoundError:
        await keeper.put(witness.name, content)
        return True
    try:
        same = Witness.from_bytes(present).checkpoint.root == witness.checkpoint.root
    except ValueError:
        same = False
    if same:
        return True
    stamp = "".join(filter(str.isdigit, witness.checkpoint.at))
    await keeper.put(f"{PREFIX}{witness.checkpoint.size:012d}-{stamp}.json", content)
    return False


async def witnesses(keeper: Keeper) -> tuple[list[Witness], list[str]]:
    """Everything a keeper holds, by size, and the names of what could not be read."""
    found: list[Witness] = []
    unreadable: list[str] = []
    for name in await keeper.names(PREFIX):
        try:
            found.append(Witness.from_bytes(await keeper.get(name)))
        except (ValueError, FileNotFoundError):
            unreadable.append(name)
    found.sort(key=lambda witness: (witness.checkpoint.size, witness.checkpoint.at))
    return found, unreadable
