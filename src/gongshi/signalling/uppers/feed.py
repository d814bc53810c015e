"""What devices report, on its way to uppers that subscribed to it: alarms as they come, positions when they change."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.db.engine import Database
from gongshi.kit import clock
from gongshi.protocols.manscdp import Alarm, MobilePosition, Position
from gongshi.signalling.models import Alarm as AlarmRow
from gongshi.signalling.models import Channel
from gongshi.signalling.models import Position as PositionRow
from gongshi.signalling.uppers.subscriptions import Subscriptions

log = structlog.get_logger(__name__)

ALARM: Final = "signalling.alarm.raised"
_MOST: Final = 10_000
_LOOK: Final = 1.0
"""Seconds between looks at positions, while somebody has subscribed to them."""


class Feed:
    """Reads what was kept of a report, so that uppers are told nothing that we do not keep ourselves."""

    def __init__(self, database: Database, subscriptions: Subscriptions) -> None:
        self._database = database
        self._subscriptions = subscriptions
        self._known: dict[tuple[int, str], datetime] | None = None
        """When each device was where we saw it last, by its own clock, which may go wrong."""

    async def alarm(self, number: int, camera_id: int) -> None:
        """An alarm of a camera was written."""
        if not any(s.package == "Alarm" for s in self._subscriptions):
            return
        try:
            async with self._database.read() as session:
                row = await session.get(AlarmRow, number)
            if row is not None:
                await self._subscriptions.alarm(camera_id, alarm_of(row))
        except (SQLAlchemyError, OSError) as error:
            log.warning("signal.upper.alarm", error=type(error).__name__)

    async def positions(self) -> None:
        """Tell of places that changed since the last look; the first look only learns where everything is."""
        while True:
            await asyncio.sleep(_LOOK)
            if not any(s.package == "MobilePosition" for s in self._subscriptions):
                self._known = None
                continue
            try:
                async with self._database.read() as session:
                    rows = await placed(session)
                before, self._known = self._known, {(row.peer_id, row.code): row.at for _, row in rows}
                for camera_id, row in rows:
                    if before is None or before.get((row.peer_id, row.code)) == row.at:
                        continue
                    place = Position(
                        row.code, row.at, row.longitude, row.latitude, row.speed, row.direction, row.altitude
                    )
                    await self._subscriptions.position(camera_id, MobilePosition(row.code, 1, (place,), row.at))
            except (SQLAlchemyError, OSError) as error:
                log.warning("signal.upper.positions", error=type(error).__name__)


async def placed(session: AsyncSession) -> Sequence[tuple[int, PositionRow]]:
    """(camera, position) of every mobile camera that was heard of within a day."""
    query = (
        select(Channel.camera_id, PositionRow)
        .join(Channel, (Channel.peer_id == PositionRow.peer_id) & (Channel.code == PositionRow.code))
        .where(
            PositionRow.at > clock.now() - timedelta(days=1),
            Channel.camera_id.is_not(None),
            Channel.gone_at.is_(None),
        )
        .limit(_MOST)
    )
    return [(camera, row) for camera, row in await session.execute(query) if camera is not None]


def alarm_of(row: AlarmRow) -> Alarm:
    """The alarm of a row; what it lacks is said in the least alarming way."""
    return Alarm(
        row.code,
        1,
        row.priority or 4,
        row.method or 7,
        row.alarm_at,
        row.description or "",
        row.longitude,
        row.latitude,
        row.type,
    )
