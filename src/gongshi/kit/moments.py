"""A moment as people and scripts write it."""

import re
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

from gongshi.kit import clock

_WRITTEN: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].+)?", re.ASCII)


def _written(value: Any) -> Any:
    """Only what is written as a date; a bare number would be taken for seconds, and `2026` for 33 minutes past 1970."""
    if isinstance(value, datetime) or (isinstance(value, str) and _WRITTEN.fullmatch(value)):
        return value
    raise ValueError("not an ISO 8601 date and time")


def _placed(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=clock.SHANGHAI)


Moment = Annotated[datetime, BeforeValidator(_written), AfterValidator(_placed)]
"""ISO 8601; without an offset it is a moment on a Chinese wall clock (design.md §5)."""
