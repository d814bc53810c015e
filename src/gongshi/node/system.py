"""The node about itself: its name, whether it lives, whether it is ready, its counters."""

import asyncio
import time
from typing import Annotated, Any

import psycopg
from fastapi import Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import SQLAlchemyError

from gongshi import __version__
from gongshi.access.door import PUBLIC, Caller, Door
from gongshi.access.follower import RightsUnavailable
from gongshi.config import Settings
from gongshi.kit.errors import Problem

door = Door(tag="system")

_STARTED = time.monotonic()


class Info(BaseModel):
    """What anyone may know."""

    name: str
    name_en: str
    version: str
    kind: str
    level: str
    domain: str
    region: str


@door.get("/api/v1/system/info", permission=PUBLIC, summary="The node's name and release")
async def info(caller: Caller) -> Info:
    settings: Settings = caller.state.settings
    node = settings.node
    return Info(
        name=node.name,
        name_en=node.name_en,
        version=__version__,
        kind=node.kind,
        level=node.level,
        domain=node.domain,
        region=node.region,
    )


class Health(BaseModel):
    status: Annotated[str, Field(examples=["ok"])]


@door.get("/healthz", permission=PUBLIC, summary="The web process lives")
async def healthz() -> Health:
    return Health(status="ok")


class Readiness(BaseModel):
    """`ok` only when every part answers; each part says `ok` or what is wrong."""

    status: str
    parts: dict[str, str]


@door.get("/readyz", permission=PUBLIC, summary="Every part of the node answers", responses={503: {"model": Readiness}})
async def readyz(caller: Caller, response: Response) -> Readiness:
    state = caller.state
    names = ("signal", "media", "work")
    answers = await asyncio.gather(_database(caller), *(_role(state.roles[name]) for name in names))
    parts: dict[str, str] = dict(zip(("database", *names), answers, strict=True))
    parts["rights"] = _rights(caller)
    ready = all(answer == "ok" for answer in parts.values())
    response.status_code = 200 if ready else 503
    return Readiness(status="ok" if ready else "degraded", parts=parts)


@door.get("/metrics", permission=PUBLIC, summary="Counters for Prometheus", response_class=Response)
async def metrics(caller: Caller) -> Response:
    """Text format 0.0.4; nothing about people or cameras, numbers only."""
    lines = ["# TYPE gongshi_up gauge", "gongshi_up 1", "# TYPE gongshi_uptime_seconds gauge"]
    lines.append(f"gongshi_uptime_seconds {time.monotonic() - _STARTED:.1f}")
    lines.append("# TYPE gongshi_role_up gauge")
    for name in ("signal", "media", "work"):
        up = 1 if await _role(caller.state.roles[name]) == "ok" else 0
        lines.append(f'gongshi_role_up{{role="{name}"}} {up}')
    return Response("\n".join(lines) + "\n", media_type="text/plain; version=0.0.4")


async def _database(caller: Caller) -> str:
    try:
        await asyncio.wait_for(caller.database.ping(), 3)
    except (SQLAlchemyError, psycopg.Error, OSError, TimeoutError):
        return "does not answer"
    return "ok"


async def _role(client: Any) -> str:
    try:
        await client.call("ping", timeout=2)
    except Problem:
        return "does not answer"
    return "ok"


def _rights(caller: Caller) -> str:
    try:
        caller.state.rights.current()
    except RightsUnavailable:
        return "behind the database"
    return "ok"
