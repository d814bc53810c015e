"""The web role with its database and background work, served on a loopback port inside the test process."""

import asyncio
import contextlib
import threading
import uuid
from collections.abc import AsyncGenerator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from sqlalchemy import insert, select

from gongshi.audit.sequencer import Sequencer
from gongshi.config import DatabaseSettings, Settings
from gongshi.db import jobs
from gongshi.db.engine import Database
from gongshi.identity import repository as identity
from gongshi.identity import service
from gongshi.kit import clock
from gongshi.media.models import Session, Stream
from gongshi.node import demo_city
from gongshi.node.app import create_app
from gongshi.node.log import keepers, signer
from gongshi.node.roles.web import filled
from gongshi.node.runtime import Runtime
from gongshi.registry.models import Camera
from gongshi.signalling.models import Alarm, Binding, Channel, Peer

PEOPLE = {
    "agency_contact": "wenlv",
    "police_officer": "jingcha",
    "auditor": "shenji",
    "system_admin": "guanli",
    "data_bureau": "shuju",
    "leading_office": "bangongshi",
    "grantee": "yingji",
}
"""Role (or part in the process) and the account of the demonstration that plays it."""


_SESSIONS = [str(uuid.UUID(int=number, version=4)) for number in range(1, 13)]
_STREAM = str(uuid.UUID(int=99, version=4))
KNOWN: Mapping[tuple[str, str], list[Any]] = {
    ("cameras", "code"): ["34150200001321000001", "34150200001321000501"],
    ("accounts", "account_id"): [3],
    ("filings", "filing_id"): [1, 2, 3],
    ("findings", "finding_id"): [1, 2, 3],
    ("peers", "peer_id"): [1, 2, 3],
    ("channels", "channel_id"): [1, 2, 3],
    ("alarms", "alarm_id"): [*range(1, 13)],
    ("share-requests", "id"): [1, 2, 3],
    ("grants", "id"): [1],
    ("sessions", "id"): _SESSIONS[:2],
    ("streams", "id"): [_STREAM],
}
"""Numbers that the seed gives, by the noun and the name of the path's parameter."""


class Node:
    """The demonstration's city behind the real application; everything else of a node (SIP, media) is away."""

    def __init__(self, data: Path, url: str, owner_url: str) -> None:
        self.settings = Settings(data=data, database=DatabaseSettings(url=url, owner_url=owner_url))
        self.runtime = Runtime.of(self.settings)
        self.samples = data / "samples"
        self.ids: dict[str, list[Any]] = {}
        self.url = ""
        self._tokens: dict[str, str] = {}
        self._clients: list[httpx.Client] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._main(),))
        self._started = threading.Event()
        self._server: uvicorn.Server | None = None

    # -- running ---------------------------------------------------------------------------

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(60), "the application did not start"
        self.url = f"http://127.0.0.1:{self._port()}"

    def stop(self) -> None:
        while self._clients:
            self._clients.pop().close()
        if self._server is not None:
            self._server.should_exit = True
        self._thread.join(30)
        self._loop.close()

    def _port(self) -> int:
        assert self._server is not None
        return self._server.servers[0].sockets[0].getsockname()[1]

    async def _main(self) -> None:
        @contextlib.asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
            async with filled(app, self.runtime), self._working():
                yield

        self._server = uvicorn.Server(
            uvicorn.Config(create_app(lifespan), host="127.0.0.1", port=0, log_config=None, access_log=False)
        )
        serving = asyncio.create_task(self._server.serve())
        while not self._server.started and not serving.done():
            await asyncio.sleep(0.02)
        self._started.set()
        await serving

    @contextlib.asynccontextmanager
    async def _working(self) -> AsyncGenerator[None]:
        """What the work role does: jobs, and the sequencer of the log."""
        runtime = self.runtime
        database = runtime.database()
        queue = jobs.application(jobs.JobContext(database, runtime.objects(), runtime.database_url))
        first, *others = keepers(runtime)
        sequencer = Sequencer(runtime.database_url, signer(runtime), first, witnesses=others)
        async with queue.open_async():
            tasks = [
                asyncio.create_task(queue.run_worker_async(wait=True, install_signal_handlers=False)),
                asyncio.create_task(sequencer.run()),
            ]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()

    def do(self, work: Any) -> Any:
        """Run a coroutine in the application's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    # -- people ----------------------------------------------------------------------------

    def token(self, role: str) -> str:
        """A login of the role's account; the same until `forget`."""
        if role not in self._tokens:
            self._tokens[role] = self.do(self._open_login(PEOPLE.get(role, role)))
        return self._tokens[role]

    def forget(self, role: str) -> None:
        """The role's login has ended; the next call opens another."""
        self._tokens.pop(role, None)

    async def _open_login(self, username: str) -> str:
        database = Database(self.runtime.database_url, pool_size=2)
        async with database.unit() as uow:
            member = await identity.member_by_username(uow.session, username)
            assert member is not None
            token = (await service.open_login(uow, member)).token
        await database.close()
        return token

    def client(self, role: str | None = None, **headers: str) -> httpx.Client:
        """A script's client of one role, or of nobody."""
        if role is not None:
            headers["Authorization"] = f"Bearer {self.token(role)}"
        made = httpx.Client(base_url=self.url + "/api/v1", headers=headers, timeout=30)
        self._clients.append(made)
        return made

    # -- what there is ---------------------------------------------------------------------

    async def seed(self) -> None:
        """The city of the demonstration with a platform that is there, channels, a stream and past sessions."""
        database = Database(self.runtime.database_url, pool_size=2)
        await demo_city.seed(database, self.runtime.secrets.box, self.settings.data)
        now = clock.now()
        async with database.unit() as uow:
            session = uow.session
            peers = list(await session.scalars(select(Peer).order_by(Peer.id)))
            cameras = list(await session.scalars(select(Camera).order_by(Camera.code).limit(12)))
            session.add(
                Binding(
                    peer_id=peers[0].id,
                    state="online",
                    transport="UDP",
                    remote_host="10.5.2.31",
                    remote_port=5060,
                    registered_at=now,
                    expires_at=now + timedelta(hours=1),
                    keepalive_at=now,
                    instance="test",
                )
            )
            channels = [
                Channel(
                    peer_id=peers[0].id,
                    code=camera.code,
                    kind="device",
                    name=camera.name,
                    status="on",
                    camera_id=camera.id,
                )
                for camera in cameras
            ]
            session.add_all(channels)
            alarms = [
                Alarm(peer_id=peers[0].id, code=camera.code, camera_id=camera.id, kind="motion", alarm_at=now)
                for camera in cameras
            ]
            session.add_all(alarms)
            await session.flush()
            stream = Stream(
                id=uuid.UUID(_STREAM), channel_id=channels[0].id, camera_id=cameras[0].id, kind="live", state="ended"
            )
            session.add(stream)
            member = await identity.member_by_username(session, "wenlv")
            assert member is not None
            sessions = [
                {
                    "id": uuid.UUID(_SESSIONS[number - 1]),
                    "subject_kind": "person",
                    "subject_id": member.account.id,
                    "subject_name": member.account.display_name,
                    "organisation_id": member.organisation.id,
                    "organisation_name": member.organisation.name,
                    "camera_id": camera.id,
                    "action": "live",
                    "delivery": "portal",
                    "reason": "巡检",
                    "basis": "duty",
                    "right_id": 1,
                    "stream_id": stream.id,
                    "state": "ended",
                    "opened_at": now - timedelta(minutes=number),
                    "ended_at": now,
                    "end_code": "closed",
                    "end_detail": {"zh": "已关闭", "en": "Closed"},
                }
                for number, camera in enumerate(cameras, start=1)
            ]
            await session.execute(insert(Session), sessions)
            self.ids["code"] = [camera.code for camera in cameras]
            self.ids["peer_id"] = [peer.id for peer in peers]
            self.ids["channel_id"] = [channel.id for channel in channels]
            self.ids["alarm_id"] = [alarm.id for alarm in alarms]
            self.ids["stream_id"] = [str(stream.id)]
            self.ids["session_id"] = [str(row["id"]) for row in sessions]
            victim = await identity.member_by_username(session, "yingji-zhiban")
            assert victim is not None
            self.ids["account_id"] = [victim.account.id]
        await database.close()

    def fill(self) -> None:
        """Filings and share requests in several states, made through the API itself."""
        agency, grantee = self.client("agency_contact"), self.client("grantee")
        flawed, clean = sorted(self.samples.glob("*.xlsx"), key=lambda path: "更正" in path.name)
        filings = [self._filed(agency, flawed), self._filed(agency, clean)]
        filings.append(ok(grantee.post("/inventory/filings/zero", json={"statement": "本单位无视频资源"}))["id"])
        self.ids["filing_id"] = filings
        found = ok(agency.get(f"/inventory/filings/{filings[0]}/findings"))["items"]
        self.ids["finding_id"] = [item["id"] for item in found[:3]]
        wanted = ok(grantee.get("/cameras", params={"organisation": "culture-tourism", "limit": 3}))["items"]
        codes = [item["code"] for item in wanted]
        drafts = [ok(grantee.post("/share-requests", json=share_request(codes)))["id"] for _ in range(3)]
        for number in drafts[1:]:
            ok(grantee.post(f"/share-requests/{number}/submit"))
        decisions = f"/share-requests/{drafts[2]}/decisions"
        ok(self.client("data_bureau").post(decisions, json={"stage": "consult", "outcome": "agreed"}))
        items = [{"camera": code, "outcome": "approved"} for code in codes]
        decided = ok(self.client("police_officer").post(decisions, json={"stage": "approve", "items": items}))
        self.ids["request_id"] = drafts
        self.ids["grant_id"] = [grant["id"] for grant in decided["grants"]]
        self.ids["shared"] = codes

    def _filed(self, client: httpx.Client, form: Path) -> int:
        number = ok(client.post("/inventory/filings", files={"file": (form.name, form.read_bytes())}))["id"]
        deadline = clock.now() + timedelta(seconds=60)
        while ok(client.get(f"/inventory/filings/{number}"))["state"] == "checking":
            assert clock.now() < deadline, "the check does not end"
            threading.Event().wait(0.1)
        return number


def ok(answer: httpx.Response) -> Any:
    """The body of an answer that must be a success."""
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.text}"
    return answer.json() if answer.content else None


def share_request(codes: list[str], **changes: Any) -> Mapping[str, Any]:
    now = clock.now()
    return {
        "cameras": codes,
        "actions": ["live"],
        "purpose": "flood_watch",
        "legal_basis": "《防洪法》第八条",
        "valid_from": now.isoformat(),
        "valid_to": (now + timedelta(days=30)).isoformat(),
        **changes,
    }
