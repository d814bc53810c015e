"""Time: aware UTC inside, Asia/Shanghai at the edge (design.md §5)."""

from datetime import UTC, datetime, timedelta, timezone

SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")
"""China has had one zone without daylight saving since 1991, so a fixed offset is exact."""


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def local(moment: datetime) -> datetime:
    """The same moment on a Chinese wall clock."""
    return moment.astimezone(SHANGHAI)
