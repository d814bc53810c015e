"""Bounds against floods: token buckets per source, short memories, and logs that say the same thing once (Q-41)."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

_Value = TypeVar("_Value")

_FULL: Final = 50_000


class Buckets:
    """A token bucket per key. Memory is bounded: two generations, the older one is forgotten as a whole."""

    def __init__(self, rate: float, burst: float, limit: int = _FULL) -> None:
        self._rate = rate
        self._burst = burst
        self._limit = limit
        self._young: dict[Hashable, list[float]] = {}
        self._old: dict[Hashable, list[float]] = {}

    def take(self, key: Hashable, now: float) -> bool:
        """Is one more allowed? `now` is seconds of a monotonic clock."""
        bucket = self._young.get(key)
        if bucket is None:
            bucket = self._old.pop(key, None)
            if bucket is None:
                bucket = [self._burst, now]
            if len(self._young) >= self._limit:
                self._old, self._young = self._young, {}
            self._young[key] = bucket
        tokens = min(self._burst, bucket[0] + (now - bucket[1]) * self._rate)
        bucket[1] = now
        if tokens < 1.0:
            bucket[0] = tokens
            return False
        bucket[0] = tokens - 1.0
        return True

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


class Memory(Generic[_Value]):
    """Remembers values for one to two `lifetime` seconds; two generations, the older one is forgotten as a whole.

    Under a flood of more than `limit` values generations turn early, so that memory stays bounded.
    """

    def __init__(self, lifetime: float, limit: int = _FULL) -> None:
        self._lifetime = lifetime
        self._limit = limit
        self._young: dict[Hashable, _Value] = {}
        self._old: dict[Hashable, _Value] = {}
        self._turn = float("-inf")

    def get(self, key: Hashable, now: float) -> _Value | None:
        if now >= self._turn + self._lifetime:
            self._age(now)
        found = self._young.get(key)
        return self._old.get(key) if found is None else found

    def put(self, key: Hashable, value: _Value, now: float) -> None:
        if len(self._young) >= self._limit:
            self._age(now)
        self._young[key] = value

    def _age(self, now: float) -> None:
        self._old = self._young if now < self._turn + 2 * self._lifetime else {}
        self._young, self._turn = {}, now

    def __len__(self) -> int:
        return len(self._young) + len(self._old)


class Sparse:
    """Lets the same thing through once per pause and counts the rest."""

    def __init__(self, pause: float, limit: int = 1_000) -> None:
        self._pause = pause
        self._limit = limit
        self._last: dict[Hashable, float] = {}
        self._held: dict[Hashable, int] = {}

    def count(self, key: Hashable, now: float) -> int:
        """How many happened since it was last told, this one included; 0 when it should not be told now."""
        held = self._held.get(key, 0) + 1
        if now - self._last.get(key, float("-inf")) < self._pause:
            self._held[key] = held
            return 0
        if len(self._last) >= self._limit:
            self._last.clear()
            self._held.clear()
        self._last[key] = now
        self._held.pop(key, None)
        return held
