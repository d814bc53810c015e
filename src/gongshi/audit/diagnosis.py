"""Which entry is it? Compares a stretch of the log as found with what it must have been. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SuspectKind = Literal["changed", "removed", "inserted", "reordered", "cut_off"]


@dataclass(frozen=True, slots=True)
class Found:
    """One place of the tree as the export shows it."""

    leaf: int
    entry_id: int
    computed: bytes | None
    """The leaf hash recomputed from the entry's columns; None when the entry is gone."""
    stored: bytes | None
    """The leaf hash that stands beside the columns."""
    listed: bytes
    """The leaf hash that stands in the tree."""
    label: str = ""
    """Moment and person, for the message."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """The first wrong place: its number in the tree and, where known, the entry's id."""

    kind: SuspectKind
    leaf: int
    entry_id: int | None
    label: str = ""


def _by_itself(places: Sequence[Found]) -> Suspect | None:
    """The first place whose own three hashes disagree."""
    listed = {place.listed for place in places}
    for place in places:
        if place.computed is None:
            return Suspect("removed", place.leaf, place.entry_id)
        if place.computed == place.stored == place.listed:
            continue
        moved = place.computed == place.stored and place.computed in listed
        return Suspect("reordered" if moved else "changed", place.leaf, place.entry_id, place.label)
    return None


def _by_number(places: Sequence[Found], first: int) -> Suspect | None:
    """The first missing or doubled number."""
    for number, place in enumerate(places, first):
        if place.leaf > number:
            return Suspect("removed", number, None)
        if place.leaf < number:
            return Suspect("inserted", place.leaf, place.entry_id, place.label)
    return None


def _kind(found: Found, index: int, expected: Sequence[bytes], places: Sequence[Found]) -> SuspectKind:
    """What happened at a place whose content is not the expected one."""
    wanted = expected[index]
    present = {place.computed for place in places}
    if found.computed is None:
        return "removed"
    if found.computed in expected:
        return "reordered" if wanted in present else "removed"
    return "inserted" if wanted in present and index + 1 < len(places) else "changed"


def _by_expectation(
    places: Sequence[Found], first: int, expected: Sequence[bytes], entry_ids: Sequence[int]
) -> Suspect | None:
    """The first place that is not what the signed copy outside says."""
    ids = list(entry_ids) if len(entry_ids) == len(expected) else []
    for index in range(len(expected)):
        if index >= len(places):
            return Suspect("cut_off", first + index, ids[index] if ids else None)
        place = places[index]
        if place.computed == expected[index]:
            continue
        kind = _kind(place, index, expected, places)
        if kind == "removed" and place.computed is not None:
            return Suspect(kind, first + index, ids[index] if ids else None)
        return Suspect(kind, first + index, place.entry_id, place.label)
    return None


def compare(
    places: Sequence[Found],
    first: int,
    expected: Sequence[bytes] | None = None,
    entry_ids: Sequence[int] = (),
) -> Suspect | None:
    """The first suspect in the stretch that begins at leaf `first`; None when nothing speaks against it.

    `expected` are the leaf hashes that a signed copy proves for this stretch, `entry_ids` the ids it remembers.
    """
    if expected is not None:
        return _by_expectation(places, first, expected, entry_ids)
    suspects = [suspect for suspect in (_by_number(places, first), _by_itself(places)) if suspect is not None]
    return min(suspects, key=lambda suspect: suspect.leaf, default=None)
