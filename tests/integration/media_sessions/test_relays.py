"""Sessions of upper platforms: held until released, cut within two seconds, and the upper told unless it hung up."""

import asyncio
import os
import signal
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.access.subjects import Subject
from gongshi.kit import clock
from gongshi.kit.errors import Conflict, NotFound, Problem
from gongshi.kit.i18n import Text
from gongshi.media.ports import Relay
from gongshi.media.reasons import SessionFailed
from integration.media.relays import Upper, pictures
from integration.media.support import get

UPPER = Subject("upper", 7, "市级平台")


@pytest.fixture
async def cascade(world):
    """A right of the upper platform for the first camera."""
    async with world.database.unit() as uow:
        await access.grant_right(
            uow,
            subject_kind="upper",
            subject_id=UPPER.id,
            basis="grant",
            basis_id=9,
            actions=Action.LIVE | Action.PLAYBACK | Action.DOWNLOAD,
            camera_ids=[world.cameras[0]],
            valid_from=clock.now() - timedelta(minutes=1),
            valid_to=clock.now() + timedelta(hours=9),
        )
    return world


async def revoke(world, told="市公安局撤销"):
    async with world.database.unit() as uow:
        await access.end_rights(uow, basis="grant", basis_id=9, code="revoked", reason=Text(told, "revoked").packed())


async def relayed(world, upper, **more):
    host, port = upper.listen()
    relay = Relay(host, port, more.pop("ssrc", 1_200_000_001), upper.transport)
    opened = await world.open(subject=UPPER, delivery="cascade", relay=relay, **more)
    assert opened.answer["urls"] is None
    upper.start(opened.answer["relay"]["port"])
    return opened


@pytest.mark.parametrize("transport", ["udp", "tcp_active", "tcp_passive"])
async def test_an_upper_gets_the_picture_after_its_ack(cascade, transport):
    upper = Upper(transport)
    opened = await relayed(cascade, upper)
    told = opened.answer["relay"]
    assert (told["address"], told["ssrc"]) == ("127.0.0.1", 1_200_000_001)
    await asyncio.sleep(0.2)
    assert upper.packets == []
    await cascade.agent.release(str(opened.id))
    got = list(await upper.got(120))
    assert {packet.ssrc for packet in got} == {1_200_000_001}
    assert len(pictures(got)) > 5
    row = await cascade.row(opened.id)
    assert (row["state"], row["subject_kind"], row["delivery"]) == ("open", "upper", "cascade")
    assert await cascade.agent.close(str(opened.id), "closed")
    row = await cascade.ended(opened.id)
    assert row["bytes_sent"] > 10_000
    assert await cascade.actions() == ["media.session.opened", "media.session.started", "media.session.ended"]
    assert cascade.devices.ended == [], "who hung up needs not be told"


async def test_a_viewer_and_an_upper_share_one_call_to_the_camera(cascade):
    upper = Upper("udp")
    watching = await cascade.open()
    answer = await cascade.watch(watching)
    opened = await relayed(cascade, upper)
    await cascade.agent.release(str(opened.id))
    await upper.got(40)
    assert len(cascade.devices.invited) == 1
    await cascade.agent.close(str(watching.id), "closed")
    await answer.ended()
    await asyncio.sleep(0.7)
    count = len(upper.packets)
    await upper.got(count + 20)


async def test_a_revoked_right_silences_the_relay_and_tells_the_upper_within_two_seconds(cascade):
    upper = Upper("tcp_active")
    opened = await relayed(cascade, upper)
    await cascade.agent.release(str(opened.id))
    await upper.got(20)
    begun = time.monotonic()
    await revoke(cascade)
    async with asyncio.timeout(3):
        while not upper.closed or not cascade.devices.ended:
            await asyncio.sleep(0.01)
    assert time.monotonic() - begun < 2
    session, code, detail, _ = cascade.devices.ended[0]
    assert (session, code, detail["zh"]) == (str(opened.id), "revoked", "市公安局撤销")
    assert len(cascade.devices.ended) == 1
    assert (await cascade.ended(opened.id))["end_code"] == "revoked"
    with pytest.raises(Conflict):
        await cascade.agent.release(str(opened.id))


async def test_a_held_relay_is_cut_as_well(cascade):
    """Between our 200 and the upper's ACK the right may end."""
    upper = Upper("udp")
    opened = await relayed(cascade, upper)
    await revoke(cascade)
    assert (await cascade.ended(opened.id))["end_code"] == "revoked"
    with pytest.raises(Problem):
        await cascade.agent.release(str(opened.id))
    await asyncio.sleep(0.2)
    assert upper.packets == []
    assert [code for _, code, _, _ in cascade.devices.ended] == ["revoked"]


async def test_without_a_right_nothing_is_asked_and_nobody_learns_of_the_camera(cascade):
    upper = Upper("udp")
    with pytest.raises(NotFound):
        await relayed(cascade, upper, camera=1)
    assert cascade.devices.invited == []
    assert (await cascade.actions()) == ["media.session.refused"]


async def test_a_camera_that_falls_silent_ends_the_relay_with_the_reason(cascade):
    upper = Upper("udp")
    opened = await relayed(cascade, upper)
    await cascade.agent.release(str(opened.id))
    await upper.got(20)
    await cascade.devices.stop(opened.answer["stream"]["id"])
    await cascade.ended(opened.id, within=6)
    (_, code, detail, _) = cascade.devices.ended[0]
    assert code == "stream_lost"
    assert "没有收到数据" in detail["zh"]


async def test_a_target_that_is_lost_ends_the_session(cascade):
    upper = Upper("tcp_active")
    opened = await relayed(cascade, upper)
    await cascade.agent.release(str(opened.id))
    await upper.got(20)
    await upper.stop()
    row = await cascade.ended(opened.id, within=8)
    assert row["end_code"] == "target_lost"
    assert cascade.devices.ended[0][1] == "target_lost"


async def test_a_relay_does_not_outlive_its_worker_but_viewers_do(cascade):
    """Its address was in the answer to the upper, and the new worker has another."""
    upper = Upper("udp")
    watching = await cascade.open()
    await cascade.watch(watching)
    opened = await relayed(cascade, upper)
    await cascade.agent.release(str(opened.id))
    await upper.got(20)
    process = cascade.engine._slots[0].process
    os.kill(process._process.pid, signal.SIGKILL)
    assert (await cascade.ended(opened.id, within=5))["end_code"] == "stream_lost"
    assert cascade.devices.ended[0][0] == str(opened.id)
    again = None
    async with asyncio.timeout(8):
        while again is None or again.status != 200:
            try:
                fresh = await cascade.agent.urls(str(watching.id))
                again = await get(fresh["urls"]["flv"])
            except (Problem, OSError):
                await asyncio.sleep(0.1)


async def test_an_upper_that_names_no_ssrc_gets_one_of_ours(cascade):
    """Q-15: the called side chooses."""
    upper = Upper("udp")
    opened = await relayed(cascade, upper, ssrc=None)
    assert opened.answer["relay"]["ssrc"] // 10_000 == 50_000
    await cascade.agent.release(str(opened.id))
    got = await upper.got(20)
    assert got[0].ssrc == opened.answer["relay"]["ssrc"]
    before = cascade.agent._flows.numbers.in_use
    await cascade.agent.close(str(opened.id), "closed")
    await cascade.ended(opened.id)
    assert cascade.agent._flows.numbers.in_use == before - 1


async def test_an_impossible_target_is_told_and_leaves_nothing(cascade):
    relay = Relay("nowhere.example", 9, 1, "udp")
    with pytest.raises(SessionFailed) as failed:
        await cascade.open(subject=UPPER, delivery="cascade", relay=relay)
    assert failed.value.code == "media_bad_target"
    stats = await cascade.engine.stats()
    assert all(not stream.senders for stream in stats.streams)
    assert cascade.devices.ended == []


async def test_what_the_lower_platform_said_is_passed_on(cascade):
    cascade.devices.answer = {"filesize": 4711, "path": "34150200002000000001"}
    upper = Upper("udp")
    opened = await relayed(cascade, upper)
    assert (opened.answer["relay"]["filesize"], opened.answer["relay"]["path"]) == (4711, "34150200002000000001")


async def test_a_relay_lapses_when_rights_cannot_be_proved(cascade):
    upper = Upper("udp")
    opened = await relayed(cascade, upper)
    await cascade.agent.release(str(opened.id))
    await upper.got(20)
    await cascade.rights.stop()
    row = await cascade.ended(opened.id, within=20)
    assert row["end_code"] == "control_lost"
    assert cascade.devices.ended[0][1] == "control_lost"
    count = len(upper.packets)
    await asyncio.sleep(0.2)
    assert len(upper.packets) == count


def test_a_relay_travels_between_processes():
    relay = Relay("10.0.0.1", 9, None, "tcp_passive", "download", 4)
    assert Relay.unpacked(relay.packed()) == relay
    assert replace(relay, speed=None) != relay
