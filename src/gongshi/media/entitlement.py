"""Whether a running session may go on: its own right must still hold, not just any right (S-05). Pure.

A session was opened under one right, and its purpose and number stand in the log. When that right ends the session
ends, even if another right would also open the camera: the viewer opens again, and the log says under what.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gongshi.access.actions import Action
from gongshi.access.snapshot import RightsSnapshot
from gongshi.access.subjects import Subject

_END_CODES: Final = {"not_yet": "period_over", "outside_hours": "hours_over"}
"""What access calls a right that does not open is, for a picture that runs, how it ended."""


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
    decision = snapshot.decide_under(subject, action, camera_id, at, right_id)
    if decision.allowed:
        return Standing("", decision.not_after)
    return Standing(_END_CODES.get(decision.code, decision.code))
