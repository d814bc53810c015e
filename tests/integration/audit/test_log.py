"""The log on a real PostgreSQL: written, sequenced, signed, kept outside, verified, tampered with."""

import asyncio
import contextlib

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from gongshi.audit import cli
from gongshi.audit.checkpoints import DirectoryKeeper, Signer
from gongshi.audit.checks import AuditPorts, fresh_checkpoint, verify_live
from gongshi.audit.sequencer import Sequencer
from gongshi.audit.service import record
from gongshi.db.uow import Actor

SIGNER = Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))), "34150000002000000001")
OFFICER = Actor("person", 7, "值班员", 3, "市应急局", "10.0.0.7")


@pytest.fixture
def ports(objects, tmp_path):
    keepers = (objects, DirectoryKeeper(tmp_path / "witness"))
    return AuditPorts(SIGNER.node_code, {SIGNER.key_id: SIGNER.public_key}, keepers)


@contextlib.asynccontextmanager
async def sequencer(url, ports, **options):
    objects, *others = ports.keepers
    task = asyncio.create_task(Sequencer(url, SIGNER, objects, witnesses=others, **options).run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def write(database, count, start=0):
    for number in range(start, start + count):
        async with database.unit(OFFICER, f"request-{number}") as uow:
            await record(uow, "media.session.opened", camera_id=12, detail={"n": number, "reason": "防汛\x00"})


async def tamper(owner_url, *statements):
    async with await psycopg.AsyncConnection.connect(owner_url, autocommit=True) as connection:
        # What somebody with the database's superuser would do.
        await connection.execute("SET session_replication_role = replica")
        for statement in statements:
            await connection.execute(statement)


async def count(database, query):
    async with database.read() as session:
        return (await session.execute(text(query))).scalar_one()


async def test_entries_are_sequenced_within_a_second_and_verify(database, ports):
    async with sequencer(database.url, ports):
        await write(database, 3)
        async with asyncio.timeout(1):
            while await count(database, "SELECT count(*) FROM audit.leaf") < 3:
                await asyncio.sleep(0.05)
        await write(database, 4, 3)
        report, notes = await verify_live(database.url, ports)
    assert report.ok, report.fault
    assert (report.entries, report.signed) == (7, 7)
    assert report.witnesses == report.checkpoints >= 1
    assert notes == ()


async def test_an_entry_falls_with_its_transaction(database, ports):
    async def fail():
        async with database.unit(OFFICER) as uow:
            await record(uow, "media.session.opened")
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await fail()
    assert await count(database, "SELECT count(*) FROM audit.entry") == 0


async def test_the_application_cannot_change_or_remove_entries(database):
    await write(database, 1)
    for statement in (
        "UPDATE audit.entry SET actor_name = 'x'",
        "DELETE FROM audit.entry",
        "TRUNCATE audit.entry CASCADE",
        "UPDATE audit.leaf SET index = 9",
        "DELETE FROM audit.checkpoint",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with database.unit() as uow:
                await uow.session.execute(text(statement))


async def test_a_late_commit_gets_its_place_and_nothing_is_lost(database, ports):
    async with sequencer(database.url, ports):
        async with database.unit(OFFICER) as slow:
            await record(slow, "media.session.opened", detail={"slow": True})
            await write(database, 5)
            assert await fresh_checkpoint(database.url)
        assert await fresh_checkpoint(database.url)
        report, _ = await verify_live(database.url, ports)
    assert report.ok, report.fault
    assert report.entries == 6
    assert await count(database, "SELECT index FROM audit.leaf ORDER BY entry_id LIMIT 1") == 5


async def test_a_sequencer_takes_up_where_another_left(database, ports):
    async with sequencer(database.url, ports, every_entries=4):
        await write(database, 10)
        assert await fresh_checkpoint(database.url)
    await write(database, 5, 10)
    async with sequencer(database.url, ports), sequencer(database.url, ports):
        await write(database, 5, 15)
        report, _ = await verify_live(database.url, ports)
    assert report.ok, report.fault
    assert report.entries == report.signed == 20
    assert report.checkpoints >= 3


@pytest.mark.parametrize(
    ("statements", "kind", "entry"),
    [
        (["UPDATE audit.entry SET actor_name = '他人' WHERE id = 4"], "changed", 4),
        (["UPDATE audit.entry SET detail = '{}' WHERE id = 9"], "changed", 9),
        (["DELETE FROM audit.entry WHERE id = 5"], "removed", 5),
        (["DELETE FROM audit.leaf WHERE entry_id = 5", "DELETE FROM audit.entry WHERE id = 5"], "removed", 5),
        (
            [
                "DELETE FROM audit.leaf WHERE entry_id > 6",
                "DELETE FROM audit.entry WHERE id > 6",
                "DELETE FROM audit.checkpoint WHERE size > 6",
            ],
            "cut_off",
            7,
        ),
        (["DELETE FROM audit.checkpoint WHERE size = 8"], "lost_checkpoint", None),
        (["UPDATE audit.checkpoint SET root = '\\x00' WHERE size = 8"], "bad_signature", None),
    ],
)
async def test_tampering_in_the_database_is_found_and_named(database, database_urls, ports, statements, kind, entry):
    async with sequencer(database.url, ports):
        for start in (0, 4, 8):
            await write(database, 4, start)
            assert await fresh_checkpoint(database.url)
    await tamper(database_urls[1], *statements)
    report, _ = await verify_live(database.url, ports)
    assert report.fault is not None
    assert (report.fault.kind, report.fault.entry_id) == (kind, entry)


async def test_a_forged_row_past_the_system_is_found(database, database_urls, ports):
    async with sequencer(database.url, ports):
        await write(database, 4)
        assert await fresh_checkpoint(database.url)
    columns = "at, action, actor_kind, actor_name, organisation_name, detail, leaf_hash"
    forged = f"INSERT INTO audit.entry ({columns}) SELECT at - interval '1 hour', action, actor_kind, '无', '', detail, leaf_hash FROM audit.entry LIMIT 1"
    await tamper(database_urls[1], forged)
    report, _ = await verify_live(database.url, ports)
    assert report.fault is not None
    assert report.fault.kind == "unsequenced"
    async with sequencer(database.url, ports):
        assert await fresh_checkpoint(database.url)
    report, _ = await verify_live(database.url, ports)
    assert report.fault is not None
    assert (report.fault.kind, report.fault.entry_id) == ("changed", 5)


async def test_a_rollback_of_the_whole_database_is_found(database, database_urls, ports):
    async with sequencer(database.url, ports):
        await write(database, 8)
        assert await fresh_checkpoint(database.url)
    await tamper(
        database_urls[1],
        "DELETE FROM audit.leaf WHERE entry_id > 3",
        "DELETE FROM audit.entry WHERE id > 3",
        "DELETE FROM audit.checkpoint",
    )
    async with sequencer(database.url, ports):
        await write(database, 5, 3)
        assert await fresh_checkpoint(database.url)
        report, _ = await verify_live(database.url, ports)
    assert report.fault is not None
    assert report.fault.kind in {"changed", "cut_off", "rewound"}
    assert report.fault.leaf == 3


async def test_an_export_verifies_without_the_node(database, ports, tmp_path):
    async with sequencer(database.url, ports):
        await write(database, 6)
        assert await fresh_checkpoint(database.url)
    path = tmp_path / "log.jsonl"
    written = await cli.write_export(path, database.url, ports)
    report, notes = await cli.verify_file(path, keys=ports.keys)
    assert report.ok, report.fault
    assert (written.lines, written.entries) == (len(path.read_text().splitlines()), report.entries)
    assert str(report.entries) in written.text.zh
    assert not list(tmp_path.glob("*.part"))
    assert "验证通过" in cli.show(report, notes, "zh")
    path.write_text(path.read_text().replace("值班员", "替班员", 1))
    report, notes = await cli.verify_file(path, keys=ports.keys, witnesses=tmp_path / "witness")
    assert report.fault is not None
    assert (report.fault.kind, report.fault.entry_id) == ("changed", 1)
    assert "entry 1" in cli.show(report, notes, "en").lower()


async def test_a_checkpoint_that_was_not_kept_outside_is_kept_at_the_next_start(database, ports, tmp_path, objects):
    async with sequencer(database.url, ports):
        await write(database, 3)
        assert await fresh_checkpoint(database.url)
    for file in (tmp_path / "witness").iterdir():
        file.unlink()
    async with sequencer(database.url, ports):
        async with asyncio.timeout(3):
            while not list((tmp_path / "witness").glob("*.json")):
                await asyncio.sleep(0.05)
