"""The Merkle tree of the log: RFC 9162 §2.1 hashing, over SHA-256 or SM3 (GB/T 32905). Pure, no I/O.

Leaves are given as hashes. `Frontier` is what grows: the roots of the perfect subtrees from left to right, one
per set bit of the size, which is all that is needed to append and to know the root.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

Algorithm = Literal["sha256", "sm3"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
DIGEST_SIZE = 32

_Hash = Callable[[bytes], bytes]


def _digest(algorithm: Algorithm) -> _Hash:
    if algorithm == "sha256":
        return lambda data: hashlib.sha256(data).digest()
    # Copying a prepared state is twice as fast as asking OpenSSL for SM3 by name each time.
    base = hashlib.new(algorithm)

    def sm3(data: bytes) -> bytes:
        state = base.copy()
        state.update(data)
        return state.digest()

    return sm3


_DIGESTS: dict[Algorithm, _Hash] = {}


def digest_of(algorithm: Algorithm) -> _Hash:
    """The hash function of an algorithm; ValueError for a name that is not one of ours."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"unknown hash algorithm {algorithm!r}")
    if algorithm not in _DIGESTS:
        _DIGESTS[algorithm] = _digest(algorithm)
    return _DIGESTS[algorithm]


def algorithm_named(name: str) -> Algorithm:
    """Narrow a configured or stored name; ValueError when it is not one of ours."""
    if name not in ALGORITHMS:
        raise ValueError(f"unknown hash algorithm {name!r}")
    return name


def leaf_hash(data: bytes, algorithm: Algorithm = "sha256") -> bytes:
    """HASH(0x00 || data)."""
    return digest_of(algorithm)(b"\x00" + data)


def node_hash(left: bytes, right: bytes, algorithm: Algorithm = "sha256") -> bytes:
    """HASH(0x01 || left || right)."""
    return digest_of(algorithm)(b"\x01" + left + right)


def empty_root(algorithm: Algorithm = "sha256") -> bytes:
    """The root of a tree without leaves: the hash of nothing."""
    return digest_of(algorithm)(b"")


@dataclass(slots=True)
class Frontier:
    """The right edge of a tree of `size` leaves; `roots` holds one perfect subtree per set bit, largest first."""

    algorithm: Algorithm = "sha256"
    size: int = 0
    roots: list[bytes] = field(default_factory=list[bytes])

    @classmethod
    def unpack(cls, size: int, packed: bytes, algorithm: Algorithm) -> "Frontier":
        """Read what `pack` wrote; ValueError when the length does not belong to the size."""
        if size < 0 or len(packed) != size.bit_count() * DIGEST_SIZE:
            raise ValueError("the frontier does not belong to this size")
        roots = [packed[i : i + DIGEST_SIZE] for i in range(0, len(packed), DIGEST_SIZE)]
        return cls(algorithm, size, roots)

    def pack(self) -> bytes:
        return b"".join(self.roots)

    def copy(self) -> "Frontier":
        return Frontier(self.algorithm, self.size, list(self.roots))

    def append(self, leaf: bytes) -> None:
        """Add one leaf hash; merges as many equal subtrees as the size has trailing ones."""
        carry, size = leaf, self.size
        while size & 1:
            carry = node_hash(self.roots.pop(), carry, self.algorithm)
            size >>= 1
        self.roots.append(carry)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        for leaf in leaves:
            self.append(leaf)

    def root(self) -> bytes:
        """The tree head's root hash."""
        if not self.roots:
            return empty_root(self.algorithm)
        value = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            value = node_hash(left, value, self.algorithm)
        return value


def root_of(leaves: Sequence[bytes], algorithm: Algorithm = "sha256") -> bytes:
    """The root over leaf hashes."""
    frontier = Frontier(algorithm)
    frontier.extend(leaves)
    return frontier.root()


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(index: int, leaves: Sequence[bytes], algorithm: Algorithm = "sha256") -> list[bytes]:
    """The audit path of one leaf (RFC 9162 §2.1.3.1), for an inspector who holds one entry and a checkpoint."""
    if not 0 <= index < len(leaves):
        raise IndexError("no such leaf")
    path: list[bytes] = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(root_of(leaves[middle:high], algorithm))
            high = middle
        else:
            path.append(root_of(leaves[low:middle], algorithm))
            low = middle
    path.reverse()
    return path


def verify_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes, algorithm: Algorithm = "sha256"
) -> bool:
    """Whether the path leads from the leaf to the root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    first, last = index, size - 1
    value = leaf
    for sibling in path:
        if last == 0:
            return False
        if first & 1 or first == last:
            value = node_hash(sibling, value, algorithm)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            value = node_hash(value, sibling, algorithm)
        first >>= 1
        last >>= 1
    return last == 0 and value == root
