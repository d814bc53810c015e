"""Whether a running session may go on: its own right must still hold, not just any right (S-05). Pure.

A session was opened under one right, and its purpose and number stand in the log. When that right ends the session
ends, even if another right would also open the camera: the viewer opens again, and the log says under what.
"""

from dataclasses import dataclass
from datetime import datetime

from gongshi.access.actions import Action
from gongshi.access.snapshot import Holding, RightsSnapshot
from gongshi.access.subjects import Subject


@dataclass(frozen=True, slots=True)
class Standing:
    """How a session stands: `code` is empty while it may go on until `not_after` (None: open-ended)."""

    code: str
    not_after: datetime | None = None

    @property
    def holds(self) -> bool:
        return not self.code


def standing(
    snapshot: RightsSnapshot, subject: Subject, action: Action, camera_id: int, right_id: int, at: datetime
) -> Standing:
    """The session's standing under one right at a moment."""
    if camera_id not in snapshot.cameras:
        return Standing("no_right")
    held = _holding(snapshot, subject, right_id)
    if held is None or held.mask & action != action or camera_id not in held.cameras:
        return Standing("no_right")
    if held.suspended:
        return Standing("suspended")
    end = held.valid_to
    if at < held.valid_from or (end is not None and at >= end):
        return Standing("period_over")
    if held.hours is not None:
        closes = held.hours.until(at)
        if closes is None:
            return Standing("hours_over")
        end = closes if end is None or closes < end else end
    return Standing("", end)


def _holding(snapshot: RightsSnapshot, subject: Subject, right_id: int) -> Holding | None:
    for key in subject.holders():
        for holding in snapshot.holdings.get(key, ()):
            if holding.right_id == right_id:
                return holding
    return None
