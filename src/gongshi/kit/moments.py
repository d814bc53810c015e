"""A moment as people and scripts write it."""

import re
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

from gongshi.kit import clock
from gongshi.kit.i18n import Text
from gongshi.kit.wording import refused

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2200
"""Nothing that a city records lies outside; near year 9999 a change of zone would leave what a datetime can hold."""

_WRITTEN: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?", re.ASCII)


def _written(value: Any) -> Any:
    """Only what is written as a date; a bare number would be taken for seconds, and `2026` for 33 minutes past 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and _WRITTEN.fullmatch(value)):
        return value
    raise refused(
        "not_a_moment",
        Text(
            "应为日期时间，例如 2026-11-22T08:00:00+08:00",
            "must be an ISO 8601 date and time such as 2026-11-22T08:00:00+08:00",
        ),
    )


def _placed(moment: datetime) -> datetime:
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise refused(
            "moment_range",
            Text(
                f"年份应在 {FIRST_YEAR} 至 {LAST_YEAR} 之间，请检查日期",
                f"must lie between the years {FIRST_YEAR} and {LAST_YEAR}; check the date",
            ),
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=clock.SHANGHAI)


Moment = Annotated[datetime, BeforeValidator(_written), AfterValidator(_placed)]
"""ISO 8601; without an offset it is a moment on a Chinese wall clock (design.md §5)."""
