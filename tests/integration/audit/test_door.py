"""The log's routes: read by auditors only, verified and exported over HTTP, tampering named."""

import asyncio
import contextlib

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gongshi.audit import cli
from gongshi.audit.api import door
from gongshi.audit.checkpoints import Signer
from gongshi.audit.checks import AuditPorts
from gongshi.audit.sequencer import Sequencer
from gongshi.audit.service import record
from gongshi.db.uow import Actor
from integration.access import helpers

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), "34150000002000000001")
OFFICER = Actor("person", 7, "值班员", 3, "市应急局", "10.0.0.7")


@pytest.fixture
async def clients(database, objects):
    await helpers.seed(database)
    app = helpers.application(database, door)
    app.state.objects = objects
    app.state.audit = AuditPorts(SIGNER.node_code, {SIGNER.key_id: SIGNER.public_key}, (objects,))
    made = {}
    for role in ("auditor", "audit_admin", "police_officer", "system_admin", "viewer"):
        await helpers.account(database, role.replace("_", "-"), role)
        made[role] = helpers.client(app, await helpers.token_of(database, role.replace("_", "-")))
    for number in range(5):
        async with database.unit(OFFICER, f"request-{number}") as uow:
            await record(
                uow,
                "media.session.ended",
                camera_id=12,
                session_id=f"session-{number}",
                grant_id=3,
                detail={"camera_code": "34150200001320000001", "grant_number": "G-2026-0001", "seconds": number},
            )
    task = asyncio.create_task(Sequencer(database.url, SIGNER, objects).run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    for client in made.values():
        await client.aclose()


async def test_only_auditors_read_and_the_reading_is_written_down(clients):
    for role in ("police_officer", "system_admin", "viewer"):
        assert (await clients[role].get("/api/v1/audit/entries")).status_code == 403
        assert (await clients[role].post("/api/v1/audit/verify")).status_code == 403
        assert (await clients[role].get("/api/v1/audit/export")).status_code == 403
    reader = clients["auditor"]
    shown = (await reader.get("/api/v1/audit/entries", params={"action": "media.", "limit": 2})).json()
    assert [entry["session_id"] for entry in shown["items"]] == ["session-4", "session-3"]
    assert shown["items"][0]["sentence"].startswith("市应急局 值班员 于 ")
    rest = (
        await reader.get("/api/v1/audit/entries", params={"action": "media.", "cursor": shown["next_cursor"]})
    ).json()
    assert len(rest["items"]) == 3
    reading = (await reader.get("/api/v1/audit/entries", params={"action": "audit.log.read"})).json()["items"]
    assert len(reading) == 2
    assert reading[0]["detail"]["conditions"]["action"] == "media."


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"camera": "34150200001320000001"}, 5),
        ({"camera": "12"}, 5),
        ({"camera": "13"}, 0),
        ({"grant": "G-2026-0001"}, 5),
        ({"grant": "3"}, 5),
        ({"grant": "G-2026-000_"}, 0),
        ({"person": "值班"}, 5),
        ({"person": "%"}, 0),
        ({"organisation": "应急"}, 5),
        ({"session": "session-3"}, 1),
        ({"q": "G-2026-0001"}, 5),
        ({"from": "2026-11-22T00:00:00+08:00", "to": "2026-11-22T00:00:01+08:00"}, 0),
    ],
)
async def test_filters_find_what_fits_and_nothing_else(clients, query, found):
    answer = await clients["auditor"].get("/api/v1/audit/entries", params=query)
    assert answer.status_code == 200, answer.text
    assert sum(entry["action"] == "media.session.ended" for entry in answer.json()["items"]) == found


async def test_a_moment_without_offset_is_one_in_china_and_a_bare_number_is_none(clients):
    async def until(moment: str):
        return await clients["auditor"].get("/api/v1/audit/entries", params={"to": moment, "limit": 500})

    first = min(entry["at"] for entry in (await until("2199-01-01")).json()["items"])
    wall_clock, _, offset = first.partition("+")
    assert offset == "08:00"
    assert (await until(wall_clock)).json()["items"] == []
    assert len((await until(wall_clock[:17] + "59.999999")).json()["items"]) >= 1
    assert (await until("2026")).status_code == 422


async def test_verification_passes_then_names_what_was_altered(clients, database_urls, tmp_path):
    auditor = clients["auditor"]
    whole = (await auditor.post("/api/v1/audit/verify")).json()
    assert (whole["ok"], whole["problem"]) == (True, None)
    assert whole["signed"] == whole["entries"]
    exported = await auditor.get("/api/v1/audit/export")
    path = tmp_path / "log.jsonl"
    path.write_bytes(exported.content)
    report, _ = await cli.verify_file(path, keys={SIGNER.key_id: SIGNER.public_key})
    assert report.ok, report.fault
    wanted = (await auditor.get("/api/v1/audit/entries", params={"session": "session-2"})).json()["items"][0]["id"]
    async with await psycopg.AsyncConnection.connect(database_urls[1], autocommit=True) as connection:
        await connection.execute("UPDATE audit.entry SET actor_name = '他人' WHERE id = %s", [wanted])
    broken = (await auditor.post("/api/v1/audit/verify", params={"lang": "en"})).json()
    assert not broken["ok"]
    assert (broken["problem"]["kind"], broken["problem"]["entry_id"]) == ("changed", wanted)
    assert f"entry {wanted}" in broken["problem"]["text"].lower()
    told = (await auditor.get("/api/v1/audit/entries", params={"action": "audit.log.verified"})).json()["items"]
    assert [entry["detail"]["ok"] for entry in told] == [False, True]


async def test_checkpoints_are_listed_with_the_keys_to_pin(clients):
    await clients["audit_admin"].post("/api/v1/audit/verify")
    shown = (await clients["audit_admin"].get("/api/v1/audit/checkpoints")).json()
    assert shown["items"][0]["size"] >= 5
    assert list(shown["keys"]) == [SIGNER.key_id]


async def test_a_detail_that_was_tampered_with_still_shows(clients, database_urls):
    async with await psycopg.AsyncConnection.connect(database_urls[1], autocommit=True) as connection:
        await connection.execute("UPDATE audit.entry SET detail = 'not json' WHERE session_id = 'session-1'")
    answer = await clients["auditor"].get("/api/v1/audit/entries", params={"session": "session-1"})
    assert (answer.status_code, answer.json()["items"][0]["detail"]) == (200, {})
