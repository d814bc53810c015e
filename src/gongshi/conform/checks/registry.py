"""Where checks are found by the ID of their case."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from gongshi.conform.lower import Lower
from gongshi.conform.model import Failed, NotApplicable
from gongshi.conform.upper import Upper
from gongshi.kit.i18n import Text

Check: TypeAlias = Callable[[Upper], Awaitable[Text]]
"""Gives what was seen; raises Failed or NotApplicable."""

LowerCheck: TypeAlias = Callable[[Lower], Awaitable[Text]]
"""The same towards a platform."""

UPPER_CHECKS: dict[str, Check] = {}
LOWER_CHECKS: dict[str, LowerCheck] = {}


def upper(case_id: str) -> Callable[[Check], Check]:
    """Register a check of the upper side."""

    def note(check: Check) -> Check:
        UPPER_CHECKS[case_id] = check
        return check

    return note


def lower(case_id: str) -> Callable[[LowerCheck], LowerCheck]:
    """Register a check of the lower side."""

    def note(check: LowerCheck) -> LowerCheck:
        LOWER_CHECKS[case_id] = check
        return check

    return note


def fail(zh: str, en: str) -> Failed:
    """What was found instead."""
    return Failed(Text(zh, en))


def absent(zh: str, en: str) -> NotApplicable:
    """Why it cannot be tried."""
    return NotApplicable(Text(zh, en))


def seen(zh: str, en: str) -> Text:
    """What was found."""
    return Text(zh, en)
