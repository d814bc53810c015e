"""Puts the packets of one answer together: out of order, repeated, unfinished (gb28181.md §7.5, Q-25, Q-47)."""

from collections.abc import Callable, Hashable, Sequence
from enum import Enum
from typing import Generic, TypeVar

Item = TypeVar("Item")
Key = TypeVar("Key", bound=Hashable)


class CollectState(Enum):
    """How far an answer has come."""

    WAITING = "waiting"
    COMPLETE = "complete"
    """As many distinct items as declared, none lost: only this may mark missing rows as gone."""
    PARTIAL = "partial"
    """The timer fired, items were lost, or the declared number proved wrong: keep old rows."""


class Collector(Generic[Key, Item]):
    """One answer to one query. `now` is seconds of a monotonic clock; `key` tells equal items.

    Items may be streamed on by the caller: with `keep=False` only their keys stay.
    """

    def __init__(
        self, key: Callable[[Item], Key], now: float, *, first_timeout: float, gap_timeout: float, keep: bool = True
    ) -> None:
        self.state = CollectState.WAITING
        self.declared: int | None = None
        self.duplicates = 0
        self.lost = 0
        self.packets = 0
        self.items: dict[Key, Item] = {}
        self._key = key
        self._seen: set[Key] = set()
        self._keep = keep
        self._gap = gap_timeout
        self.deadline = now + first_timeout
        """When `expire` will end the collection if nothing comes."""

    @property
    def count(self) -> int:
        """Distinct items so far."""
        return len(self._seen)

    def take(self, sum_num: int | None, items: Sequence[Item], lost: int, now: float) -> list[Item]:
        """Take a packet; gives the items that are new. The caller matched peer and SN.

        A packet after completion shows that SumNum was too small: nothing that rests on it holds any more.
        """
        self.packets += 1
        self.lost += lost
        if sum_num is not None:
            self.declared = max(self.declared or 0, sum_num)
        fresh: list[Item] = []
        for item in items:
            key = self._key(item)
            if key in self._seen:
                self.duplicates += 1
                continue
            self._seen.add(key)
            fresh.append(item)
            if self._keep:
                self.items[key] = item
        if self.state is CollectState.WAITING:
            self.deadline = now + self._gap
            if self.declared is not None and self.count + self.lost >= self.declared:
                exact = self.count == self.declared and not self.lost
                self.state = CollectState.COMPLETE if exact else CollectState.PARTIAL
        elif fresh:
            self.state = CollectState.PARTIAL
        return fresh

    def expire(self, now: float) -> bool:
        """End the collection when its time is over; True when it ended just now."""
        if self.state is CollectState.WAITING and now >= self.deadline:
            self.state = CollectState.PARTIAL
            return True
        return False
