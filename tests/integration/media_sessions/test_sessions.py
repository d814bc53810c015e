"""Opening, watching and ending a picture on real parts: PostgreSQL, a media worker, RTP and HTTP."""

import asyncio
import json
import os
import signal
import time
from datetime import timedelta

import pytest
from sqlalchemy import text

from gongshi.kit import clock
from gongshi.kit.errors import Conflict, NotFound, Problem, Unavailable
from gongshi.kit.i18n import Text
from gongshi.media.agent import RENEW_EVERY, AgentSettings, MediaAgent
from gongshi.media.reasons import NoRight, SessionFailed, TooManyAtOnce
from integration.media.support import get
from integration.media_sessions.conftest import Directory, make_engine


async def until_gone(answer, within=2.0):
    begun = time.monotonic()
    await answer.ended(within)
    return time.monotonic() - begun


async def test_a_granted_camera_opens_and_every_step_is_in_the_log(world):
    opened = await world.open()
    answer = await world.watch(opened)
    steps = [step["step"] for step in opened.answer["stream"]["steps"]]
    assert steps[:5] == ["elected", "receiver", "invited", "answered", "online"]
    row = await world.row(opened.id)
    assert (row["state"], row["basis"], row["right_id"]) == ("open", "grant", world.right)
    assert await world.agent.close(str(opened.id), "closed")
    assert await until_gone(answer) < 1
    row = await world.ended(opened.id)
    assert (row["end_code"], row["end_detail"]["zh"]) == ("closed", "本人关闭")
    assert row["bytes_sent"] > 1000
    assert row["seconds"] > 0
    assert await world.actions() == ["media.session.opened", "media.session.started", "media.session.ended"]
    entry = await world.entry("media.session.ended")
    detail = json.loads(entry["detail"])
    assert (entry["actor_name"], entry["camera_id"]) == ("值班员", world.cameras[0])
    assert (detail["grant_number"], detail["purpose"]["zh"]) == ("G-2026-0001", "防汛值守")


async def test_two_viewers_share_one_flow_and_it_ends_after_the_last(world):
    first, second = await asyncio.gather(world.open(), world.open())
    assert first.answer["stream"]["id"] == second.answer["stream"]["id"]
    assert len(world.devices.invited) == 1
    stream = first.answer["stream"]["id"]
    await world.watch(first)
    await world.agent.close(str(first.id), "closed")
    await world.ended(first.id)
    third = await world.open()
    await world.agent.close(str(second.id), "closed")
    await asyncio.sleep(0.15)
    assert await world.stream_state(stream) == "live"
    await world.agent.close(str(third.id), "closed")
    async with asyncio.timeout(3):
        while stream not in world.devices.byes:
            await asyncio.sleep(0.02)
    async with asyncio.timeout(2):
        while await world.stream_state(stream) != "ended":
            await asyncio.sleep(0.02)


async def test_without_a_right_the_catalogue_decides_how_much_is_said(world):
    with pytest.raises(NoRight) as refused:
        await world.open(camera=1)
    assert "申请" in refused.value.detail.zh
    with pytest.raises(NotFound) as hidden:
        await world.open(camera=2)
    world.codes.append("34150200001329999999")
    with pytest.raises(NotFound) as absent:
        await world.open(camera=3)
    assert hidden.value.body("zh") == absent.value.body("zh")
    assert await world.actions() == ["media.session.refused"] * 3
    assert world.devices.invited == []


async def test_a_revoked_grant_cuts_the_picture_within_two_seconds_and_says_why(world):
    opened = await world.open()
    answer = await world.watch(opened)
    begun = time.monotonic()
    await world.revoke()
    await until_gone(answer)
    assert time.monotonic() - begun < 2
    row = await world.ended(opened.id)
    assert row["end_code"] == "revoked"
    assert row["end_detail"]["zh"] == "授权 G-2026-0001 已于 10:32 被市公安局撤销：演练结束"
    assert (await get(opened.answer["urls"]["flv"])).status in {401, 403, 404, 410}
    with pytest.raises(NoRight):
        await world.open()
    async with world.database.read() as session:
        events = await session.execute(text("SELECT name, payload FROM system.outbox WHERE name LIKE 'media.%'"))
        told = [row.payload for row in events if row.name == "media.session.ended"]
    assert told[0]["id"] == str(opened.id)
    assert told[0]["reason"]["zh"].endswith("演练结束")


async def test_only_the_sessions_own_right_counts(world):
    opened = await world.open()
    await world.watch(opened)
    async with world.database.unit() as uow:
        from gongshi.access import service as access
        from gongshi.access.actions import Action

        await access.grant_right(
            uow,
            subject_kind="organisation",
            subject_id=world.units["emergency"],
            basis="grant",
            basis_id=8,
            actions=Action.LIVE,
            camera_ids=[world.cameras[0]],
            valid_from=clock.now() - timedelta(minutes=1),
            valid_to=clock.now() + timedelta(hours=9),
        )
    await asyncio.sleep(0.2)
    assert (await world.row(opened.id))["state"] == "open"
    await world.revoke()
    assert (await world.ended(opened.id))["end_code"] == "revoked"
    again = await world.open()
    assert (await world.row(again.id))["grant_id"] == 8


async def test_a_period_that_ends_cuts_the_picture_by_itself(world):
    await world.revoke()
    await world.grant([1], valid_to=clock.now() + timedelta(seconds=1.5))
    opened = await world.open(camera=1)
    answer = await world.watch(opened)
    assert await until_gone(answer, 3) < 2
    row = await world.ended(opened.id)
    assert row["end_code"] == "period_over"
    assert "G-2026-0001" in row["end_detail"]["zh"]


async def test_more_pictures_at_once_than_granted_are_refused(world):
    opened = [await world.open() for _ in range(3)]
    with pytest.raises(TooManyAtOnce) as refused:
        await world.open()
    assert "3" in refused.value.detail.zh
    await world.agent.close(str(opened[0].id), "closed")
    await world.ended(opened[0].id)
    await world.open()


async def test_openings_at_the_same_time_are_counted_one_by_one(world):
    results = await asyncio.gather(*(world.open() for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(result, TooManyAtOnce) for result in results) == 3
    assert sum(not isinstance(result, BaseException) for result in results) == 3


async def test_a_device_that_does_not_send_is_told_with_suspects_and_steps(world):
    world.devices.silent = True
    with pytest.raises(SessionFailed) as failed:
        await world.open()
    problem = failed.value
    assert (problem.code, set(problem.which)) == ("no_media", {"address", "port", "firewall"})
    assert [step["step"] for step in problem.steps][-1] == "failed"
    assert str(world.devices.invited[0]["port"]) in problem.detail.zh
    row = await world.row(problem.session_id)
    assert (row["state"], row["end_code"]) == ("failed", "no_media")
    assert (await world.actions())[-1] == "media.session.failed"
    assert world.devices.byes == [world.devices.invited[0]["stream"]]
    world.devices.silent = False
    await world.watch(await world.open())


async def test_a_device_that_refuses_is_told_by_its_own_reason(world):
    world.devices.problem = Unavailable(Text("“平台”不在线", "offline"), code="device_offline")
    with pytest.raises(SessionFailed) as failed:
        await world.open()
    assert (failed.value.code, failed.value.which, failed.value.detail.zh) == (
        "device_offline",
        ("device",),
        "“平台”不在线",
    )
    assert failed.value.extra["session"] is not None


async def test_a_device_that_falls_silent_ends_the_sessions_with_the_reason(world):
    opened = await world.open()
    await world.watch(opened)
    await world.devices.stop(opened.answer["stream"]["id"])
    row = await world.ended(opened.id, within=6)
    assert row["end_code"] == "stream_lost"
    assert "没有收到数据" in row["end_detail"]["zh"]


async def test_a_logout_ends_the_session(world):
    from dataclasses import replace

    from gongshi.identity import repository as identity
    from gongshi.identity import service

    async with world.database.unit() as uow:
        member = await identity.member_by_username(uow.session, "yingji-zhiban")
        assert member is not None
        await service.open_login(uow, member)
    async with world.database.read() as session:
        login = await session.scalar(text("SELECT id FROM identity.login"))
    opened = await world.open(subject=replace(world.subject, login_id=login))
    await world.watch(opened)
    async with world.database.unit() as uow:
        await uow.session.execute(text("UPDATE identity.login SET ended_at = now()"))
    assert (await world.ended(opened.id, within=RENEW_EVERY + 2))["end_code"] == "logged_out"


async def test_leases_are_renewed_and_lapse_when_rights_cannot_be_proved(world):
    opened = await world.open()
    answer = await world.watch(opened)

    async def drain():
        await answer.ended(40)

    reading = asyncio.create_task(drain())
    await asyncio.sleep(0.1)
    await world.rights.stop()
    begun = time.monotonic()
    await reading
    assert time.monotonic() - begun < 16
    row = await world.ended(opened.id, within=5)
    assert row["end_code"] == "control_lost"
    assert "控制中断" in row["end_detail"]["zh"]


async def test_a_killed_worker_is_replaced_and_the_session_goes_on_with_fresh_addresses(world):
    opened = await world.open()
    answer = await world.watch(opened)
    process = world.engine._slots[0].process
    os.kill(process._process.pid, signal.SIGKILL)
    await answer.ended(3)
    again = None
    async with asyncio.timeout(6):
        while again is None or again.status != 200:
            try:
                fresh = await world.agent.urls(str(opened.id))
                again = await get(fresh["urls"]["flv"])
            except (Problem, OSError):
                await asyncio.sleep(0.1)
    assert (await again.body(2000))[:3] == b"FLV"
    assert (await world.row(opened.id))["state"] == "open"
    assert len(world.devices.invited) == 2
    await world.agent.close(str(opened.id), "closed")
    assert (await world.ended(opened.id))["end_code"] == "closed"


async def test_a_session_that_the_engine_misses_ends_at_the_second_renewal(world, monkeypatch):
    """Once may be a worker that is just being replaced: its sessions are admitted again a moment later."""
    opened = await world.open()

    async def nobody(sessions, lease_until):
        return frozenset(sessions)

    with monkeypatch.context() as patch:
        patch.setattr(world.engine, "renew", nobody)
        await world.agent._renew()
        assert (await world.row(opened.id))["state"] == "open"
    await world.agent._renew()
    with monkeypatch.context() as patch:
        patch.setattr(world.engine, "renew", nobody)
        await world.agent._renew()
        assert (await world.row(opened.id))["state"] == "open"
        await world.agent._renew()
    assert (await world.ended(opened.id))["end_code"] == "control_lost"


async def test_what_a_former_agent_left_open_ends_as_control_lost(world, tmp_path):
    opened = await world.open()
    # The former agent dies without a word: only its rows remain.
    async with world.database.unit() as uow:
        await uow.session.execute(text("UPDATE media.session SET state = 'open'"))
    successor = MediaAgent(
        database=world.database,
        engine=make_engine(tmp_path / "second"),
        rights=world.rights,
        devices=world.devices,
        channels=Directory(),
        domain_code="34150000002000000001",
        settings=AgentSettings(linger=0.5, first_packet=1.0),
    )
    await successor.start()
    try:
        row = await world.row(opened.id)
        assert (row["state"], row["end_code"]) == ("ended", "control_lost")
        assert opened.answer["stream"]["id"] in world.devices.byes
    finally:
        await successor.stop()


async def test_a_session_is_opened_once(world):
    opened = await world.open()
    with pytest.raises(Conflict):
        await world.agent.open(str(opened.id))
    assert not await world.agent.close("00000000-0000-7000-8000-000000000000", "closed")


async def test_stopping_the_agent_closes_the_books(world):
    opened = await world.open()
    await world.watch(opened)
    await world.agent.stop()
    row = await world.row(opened.id)
    assert (row["state"], row["end_code"]) == ("ended", "control_lost")
    assert row["bytes_sent"] > 0
    assert await world.stream_state(opened.answer["stream"]["id"]) == "ended"
