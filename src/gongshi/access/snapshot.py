"""Rights compiled for decisions: pure, in memory, bitmaps of camera ids (planning.md §3, design.md §6).

Per holder there is a tuple of rights, each with its period, mask and a roaring bitmap of cameras. A decision
looks at the few rights of the subject's keys and asks each bitmap; nothing here touches the network.
"""

import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import structlog
from pyroaring import BitMap

from gongshi.access.actions import Action
from gongshi.access.decisions import CATALOGUE, DENIALS, NO_LIMITS, Basis, Decision
from gongshi.access.hours import Hours
from gongshi.access.subjects import Key, Subject, region_prefix

log = structlog.get_logger(__name__)

BASES: Final[tuple[Basis, ...]] = ("duty", "grant", "emergency")
"""In the order of preference when several rights allow the same."""

_RANK: Final[dict[str, int]] = {basis: rank for rank, basis in enumerate(BASES)}

_SEE: Final = int(Action.SEE)


class CameraGroup(NamedTuple):
    """Cameras in place (not removed) that are alike for access."""

    organisation_id: int
    region_code: str
    sharing_class: str
    ids: BitMap


class RightRow(NamedTuple):
    """One row of `access.right` that has not ended."""

    id: int
    subject_kind: str
    subject_id: int
    basis: str
    basis_id: int | None
    actions: int
    scope: str
    scope_value: str | None
    valid_from: datetime
    valid_to: datetime | None
    hours: Mapping[str, Any] | None
    limits: Mapping[str, Any]
    suspended: bool


class Holding(NamedTuple):
    """A right as its holder's decisions use it."""

    cameras: BitMap
    mask: int
    valid_from: datetime
    valid_to: datetime | None
    hours: Hours | None
    """None also when the hours leave no gap."""
    suspended: bool
    rank: int
    right_id: int
    basis_id: int | None
    limits: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RightsSnapshot:
    """Everything that decisions need, as of one epoch. Never changed after it was built."""

    epoch: int
    holdings: Mapping[Key, Sequence[Holding]]
    cameras: BitMap
    """In place: a removed camera gives nothing to anybody."""
    catalogue: BitMap
    """Those whose existence is open to every organisation (sharing class unconditional or conditional)."""
    bitmaps: Mapping[int, BitMap] = field(default_factory=dict[int, BitMap])
    """By right id, for scope `cameras` only: the rows never change, so that the next snapshot takes them over."""

    def decide(self, subject: Subject, action: Action, camera_id: int, at: datetime) -> Decision:
        """May `subject` do `action` (one bit or several, all of them) with the camera at the moment `at`?

        Among rights that allow it: duty before grant before emergency, then the one that lasts longest, then the
        lowest id. `at` may lie at most a day before the snapshot was loaded: rights long over are not kept.
        """
        if camera_id not in self.cameras:
            return DENIALS["no_right"]
        wanted = int(action)  # the arithmetic of flags costs more than the rest of a decision
        best: Holding | None = None
        best_end: datetime | None = None
        refusal = "no_right"
        for key in subject.holders():
            for holding in self.holdings.get(key, ()):
                if holding.mask & wanted != wanted or camera_id not in holding.cameras:
                    continue
                code, end = _standing(holding, at)
                if code != "allowed":
                    refusal = code
                elif best is None or _better(holding, end, best, best_end):
                    best, best_end = holding, end
        if best is not None:
            return _allowed(best, best_end)
        if wanted == _SEE and subject.reads_catalogue and camera_id in self.catalogue:
            return CATALOGUE
        return DENIALS[refusal]

    def decide_under(self, subject: Subject, action: Action, camera_id: int, at: datetime, right_id: int) -> Decision:
        """As `decide`, but by one right only: does what a session was opened under still carry it?"""
        wanted = int(action)
        if camera_id in self.cameras:
            for key in subject.holders():
                for holding in self.holdings.get(key, ()):
                    if (
                        holding.right_id == right_id
                        and holding.mask & wanted == wanted
                        and camera_id in holding.cameras
                    ):
                        code, end = _standing(holding, at)
                        return _allowed(holding, end) if code == "allowed" else DENIALS[code]
        return DENIALS["no_right"]

    def visible(self, subject: Subject, action: Action, at: datetime) -> BitMap:
        """Ids of all cameras for which `decide` says yes; for counting and for pushes to an upper."""
        wanted = int(action)
        found = BitMap()
        for key in subject.holders():
            for holding in self.holdings.get(key, ()):
                if holding.mask & wanted == wanted and _standing(holding, at)[0] == "allowed":
                    found |= holding.cameras
        if wanted == _SEE and subject.reads_catalogue:
            found |= self.catalogue
        return found & self.cameras


def _standing(holding: Holding, at: datetime) -> tuple[str, datetime | None]:
    """`allowed` and until when, or the code of why a right opens nothing at this moment."""
    end = holding.valid_to
    if holding.suspended:
        return "suspended", None
    if at < holding.valid_from:
        return "not_yet", None
    if end is not None and at >= end:
        return "period_over", None
    if holding.hours is not None:
        closes = holding.hours.until(at)
        if closes is None:
            return "outside_hours", None
        if end is None or closes < end:
            end = closes
    return "allowed", end


def _allowed(holding: Holding, end: datetime | None) -> Decision:
    return Decision(True, BASES[holding.rank], holding.right_id, holding.basis_id, end, holding.limits, "allowed")


def _better(one: Holding, one_end: datetime | None, other: Holding, other_end: datetime | None) -> bool:
    if one.rank != other.rank:
        return one.rank < other.rank
    if one_end != other_end:
        return one_end is None or (other_end is not None and one_end > other_end)
    return one.right_id < other.right_id


def bitmap(ids: bytes) -> BitMap:
    """A bitmap from native unsigned 32-bit integers laid end to end."""
    return BitMap(array.array("I", ids))


def build(
    epoch: int,
    groups: Iterable[CameraGroup],
    rights: Iterable[RightRow],
    listed: Mapping[int, BitMap],
) -> RightsSnapshot:
    """Compile rows into a snapshot. `listed` holds the cameras of rights with scope `cameras` by right id.

    A row that does not make sense gives nothing and is logged: rights fail closed.
    """
    groups = list(groups)
    everything, catalogue = BitMap(), BitMap()
    by_organisation: dict[int, BitMap] = {}
    by_region: dict[str, BitMap] = {}
    for group in groups:
        everything |= group.ids
        if group.sharing_class in {"unconditional", "conditional"}:
            catalogue |= group.ids
        by_organisation[group.organisation_id] = by_organisation.get(group.organisation_id, BitMap()) | group.ids
        by_region[group.region_code] = by_region.get(group.region_code, BitMap()) | group.ids
    holdings: dict[Key, list[Holding]] = {}
    kept: dict[int, BitMap] = {}
    for row in rights:
        try:
            hours = Hours.parse(row.hours) if row.hours is not None else None
            cameras = _cameras_of(row, listed, by_organisation, by_region)
            rank = _rank(row.basis)
        except ValueError as error:
            log.warning("access.right.ignored", right_id=row.id, error=str(error))
            continue
        if row.scope == "cameras":
            kept[row.id] = cameras
        holdings.setdefault((row.subject_kind, row.subject_id), []).append(
            Holding(
                cameras=cameras,
                mask=row.actions,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                hours=None if hours is None or hours.always else hours,
                suspended=row.suspended,
                rank=rank,
                right_id=row.id,
                basis_id=row.basis_id,
                limits=row.limits or NO_LIMITS,
            )
        )
    return RightsSnapshot(epoch, {key: tuple(value) for key, value in holdings.items()}, everything, catalogue, kept)


def _rank(basis: str) -> int:
    rank = _RANK.get(basis)
    if rank is None:
        raise ValueError(f"unknown basis {basis!r}")
    return rank


def _cameras_of(
    row: RightRow, listed: Mapping[int, BitMap], by_organisation: Mapping[int, BitMap], by_region: Mapping[str, BitMap]
) -> BitMap:
    if row.scope == "cameras":
        return listed.get(row.id, BitMap())
    if row.scope == "organisation":
        return by_organisation.get(int(row.scope_value or ""), BitMap())
    if row.scope == "region":
        prefix = region_prefix(row.scope_value or "")
        if not prefix:
            raise ValueError("not a region code")
        return BitMap().union(*(ids for code, ids in by_region.items() if code.startswith(prefix)))
    raise ValueError(f"unknown scope {row.scope!r}")
