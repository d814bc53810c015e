"""The web role: API, pages and the event stream; hands every door its ports."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import uvicorn
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.follower import RightsFollower
from gongshi.access.subjects import Subject
from gongshi.audit.service import use_algorithm
from gongshi.inventory.overview import overview as inventory_overview
from gongshi.kit.i18n import Lang
from gongshi.media.ports import RemoteAgent
from gongshi.media.sessions import MediaPorts
from gongshi.node.app import create_app
from gongshi.node.jobs import DECLARED
from gongshi.node.log import audit_ports
from gongshi.node.rpc import RpcServer
from gongshi.node.runtime import Runtime
from gongshi.node.stream import Hub
from gongshi.registry.models import Camera
from gongshi.registry.ports import Figure, Need, Overview, Sections
from gongshi.sharing import overview as sharing_overview
from gongshi.sharing.sections import decided
from gongshi.signalling import presence as signalling

_PATIENCE = 10.0
"""Seconds a script's upload waits for the check of its form before it is answered half done."""


async def run(runtime: Runtime) -> None:
    """Serve until SIGINT or SIGTERM, which uvicorn itself handles."""
    use_algorithm(runtime.settings.audit.algorithm)
    settings = runtime.settings.web

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with filled(app, runtime):
            yield

    # Pages load media from the workers' own ports unless the proxy of deploy/ hides them.
    sources = "" if runtime.settings.media.same_origin else "http://*:* ws://*:*"
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(lifespan, media_sources=sources),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies or None,
            timeout_graceful_shutdown=3,
            h11_max_incomplete_event_size=64 * 1024,
        )
    )
    rpc = RpcServer(runtime.socket("web"), {})
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110 -- uvicorn tells of its start by a flag only
            await asyncio.sleep(0.02)
        if not serving.done():
            # Answering on this socket is what "ready" means to the supervisor: only once HTTP is up.
            await rpc.start()
        await serving
    finally:
        await rpc.close()


@contextlib.asynccontextmanager
async def filled(app: FastAPI, runtime: Runtime) -> AsyncGenerator[None]:
    """Put everything the doors use into `app.state`; tests of the whole application use it too."""
    state = app.state
    state.jobs = DECLARED
    state.patience = _PATIENCE
    state.settings = runtime.settings
    state.database = runtime.database()
    state.objects = runtime.objects()
    state.rights = RightsFollower(runtime.database_url)
    state.hub = Hub(runtime.database_url)
    state.roles = {role: runtime.client(role) for role in ("signal", "media", "work")}
    state.audit = audit_ports(runtime)
    state.sections = Sections()
    state.sections.register("seen", signalling.seen_section)
    state.sections.register("decided", _decided)
    state.presence = signalling.Presence()
    state.seen_channels = signalling.seen
    state.overview = [inventory_overview, _sharing_overview, signalling.overview]
    state.media = MediaPorts(state.rights, RemoteAgent(state.roles["media"]))
    state.box = runtime.secrets.box
    await state.rights.start()
    state.hub.start()
    try:
        yield
    finally:
        await state.hub.stop()
        await state.rights.stop()
        for client in state.roles.values():
            await client.close()
        await state.database.close()


async def _decided(session: AsyncSession, camera: Camera, subject: Subject, _lang: Lang) -> dict[str, Any] | None:
    return await decided(session, camera, subject)


async def _sharing_overview(session: AsyncSession, subject: Subject) -> Overview:
    """Sharing's part of the first page."""
    return Overview(
        figures=[
            Figure(f.key, f.label, f.value, f.link, f.unit.zh) for f in await sharing_overview.figures(session, subject)
        ],
        needs=[Need(n.key, n.label, n.count, n.link) for n in await sharing_overview.needs(session, subject)],
    )
