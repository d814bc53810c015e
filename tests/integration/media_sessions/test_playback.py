"""Recordings of devices: never shared, no deeper than granted, steered, paused without loss, ended as what they are."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from gongshi.access.actions import Action
from gongshi.kit import clock
from gongshi.kit.errors import Forbidden, Invalid, Problem, Unavailable
from gongshi.kit.i18n import Text
from gongshi.media import flows as flows_module
from gongshi.media import hearing
from gongshi.media.reasons import NoRight, SessionFailed
from gongshi.signalling.problems import CallFailed
from unit.media.clips import packets


def span(hours_ago=2.0, minutes=10.0):
    start = clock.now() - timedelta(hours=hours_ago)
    return start, start + timedelta(minutes=minutes)


async def granted(world, camera=1, **limits):
    await world.grant([camera], actions=Action.LIVE | Action.PLAYBACK, limits={"grant_number": "G-2", **limits})


async def play(world, interval=None, camera=1):
    return await world.open(camera=camera, action=Action.PLAYBACK, interval=interval or span())


async def test_a_recording_is_asked_for_and_watched(world):
    await granted(world)
    interval = span()
    opened = await play(world, interval)
    await world.watch(opened)
    asked = world.devices.invited[0]
    assert (asked["kind"], asked["start"], asked["end"]) == (
        "playback",
        interval[0].isoformat(),
        interval[1].isoformat(),
    )
    assert asked["ssrc"] >= 1_000_000_000
    row = await world.row(opened.id)
    assert (row["action"], row["interval_from"], row["interval_to"]) == ("playback", *interval)
    detail = json.loads((await world.entry("media.session.opened"))["detail"])
    assert detail["from"] == clock.local(interval[0]).isoformat(timespec="seconds")
    stream = opened.answer["stream"]["id"]
    await world.agent.close(str(opened.id), "closed")
    await world.ended(opened.id)
    async with asyncio.timeout(2):
        while stream not in world.devices.byes:
            await asyncio.sleep(0.02)


async def test_recordings_are_not_shared(world):
    await granted(world)
    interval = span()
    first, second, live = await play(world, interval), await play(world, interval), await world.open(camera=1)
    streams = {opened.answer["stream"]["id"] for opened in (first, second, live)}
    assert len(streams) == len(world.devices.invited) == 3


async def test_live_does_not_imply_playback(world):
    with pytest.raises(NoRight) as refused:
        await play(world, camera=0)
    assert "录像回放" in refused.value.detail.zh
    assert world.devices.invited == []


async def test_a_grant_reaches_back_as_far_as_it_says(world):
    await granted(world, playback_hours=24)
    with pytest.raises(Forbidden) as refused:
        await play(world, span(hours_ago=24.1))
    assert refused.value.code == "playback_depth"
    assert "24 小时" in refused.value.detail.zh
    assert (await world.actions())[-1] == "media.session.refused"
    assert json.loads((await world.entry("media.session.refused"))["detail"])["code"] == "playback_depth"
    assert world.devices.invited == []
    await world.watch(await play(world, span(hours_ago=23.9)))


@pytest.mark.parametrize(
    ("interval", "code"),
    [
        (None, "missing"),
        (lambda: (clock.now(), clock.now() - timedelta(hours=1)), "order"),
        (lambda: (clock.now() + timedelta(hours=1), clock.now() + timedelta(hours=2)), "order"),
        (lambda: span(hours_ago=30, minutes=24 * 60 + 1), "too_long"),
    ],
)
async def test_intervals_that_are_none_are_refused_before_anything_is_written(world, interval, code):
    with pytest.raises(Invalid) as refused:
        await world.open(action=Action.PLAYBACK, interval=interval and interval())
    assert refused.value.errors[0].code == code
    assert await world.actions() == []


async def test_a_viewer_cannot_download_through_the_live_door(world):
    with pytest.raises(Invalid):
        await world.open(action=Action.DOWNLOAD, interval=span())
    with pytest.raises(Invalid):
        await world.open(action=Action.LIVE, interval=span())


async def test_commands_reach_the_device_and_the_place_is_told(world):
    await granted(world)
    opened = await play(world)
    session = str(opened.id)
    first = await world.agent.control(session, "scale", 4.0)
    assert (first["scale"], first["paused"]) == (4.0, False)
    assert 0 <= first["position"] < 60
    world.devices.told = {"position": 299.0}
    sought = await world.agent.control(session, "seek", 300.0)
    assert sought == {"position": 299.0, "scale": 4.0, "paused": False}
    world.devices.told = {}
    paused = await world.agent.control(session, "pause")
    assert paused["paused"]
    await asyncio.sleep(0.2)
    resumed = await world.agent.control(session, "resume")
    assert abs(resumed["position"] - paused["position"]) < 0.05, "time stands still while it is paused"
    assert world.devices.steered == [("scale", 4.0), ("seek", 300.0), ("pause", None), ("resume", None)]


async def test_nonsense_and_refusals_change_nothing(world):
    await granted(world)
    opened = await play(world)
    session = str(opened.id)
    for action, value in (("scale", 3.0), ("scale", None), ("seek", -1.0), ("seek", 601.0), ("seek", None)):
        with pytest.raises(Invalid):
            await world.agent.control(session, action, value)
    assert world.devices.steered == []
    world.devices.problem = Unavailable(Text("设备不支持", "no"), code="steering_refused_501")
    with pytest.raises(Problem) as failed:
        await world.agent.control(session, "scale", 16.0)
    assert failed.value.code == "steering_refused_501"
    world.devices.problem = None
    assert (await world.agent.control(session, "resume"))["scale"] == 1.0
    live = await world.open()
    with pytest.raises(Problem) as wrong:
        await world.agent.control(str(live.id), "pause")
    assert wrong.value.code == "not_a_recording"


async def test_q38_a_pause_outlasts_the_silence_timer_and_goes_on(world):
    """Q-38: recorders send nothing while paused; that is no loss. After the pause silence counts again."""
    await granted(world)
    opened = await play(world)
    answer = await world.watch(opened)
    stream = opened.answer["stream"]["id"]
    await world.agent.control(str(opened.id), "pause")
    await world.devices.stop(stream)
    await asyncio.sleep(2.5)
    assert (await world.row(opened.id))["state"] == "open"
    await world.agent.control(str(opened.id), "resume")
    row = await world.ended(opened.id, within=5)
    assert row["end_code"] == "stream_lost"
    await answer.ended()


async def test_the_end_of_a_recording_is_an_end_and_the_last_pictures_arrive(world):
    """MediaStatus 121, followed by the device's BYE: the session has finished, it was not lost."""
    await granted(world)
    opened = await play(world)
    answer = await world.watch(opened)
    stream = opened.answer["stream"]["id"]
    await world.agent.device_ended(stream, "finished")
    await world.agent.device_ended(stream, "remote_bye")
    assert len(await answer.body(5000)) >= 5000
    await answer.ended()
    row = await world.ended(opened.id)
    assert (row["end_code"], row["end_detail"]["zh"]) == ("finished", "录像已播放完毕")
    assert await world.stream_state(stream) in {"ended", "live"}
    assert hearing.FINISH_AFTER <= 1.0


async def test_silence_at_the_end_is_the_end(world):
    await granted(world)
    opened = await play(world)
    await world.watch(opened)
    await world.agent.control(str(opened.id), "seek", 599.0)
    await world.devices.stop(opened.answer["stream"]["id"])
    assert (await world.ended(opened.id, within=6))["end_code"] == "finished"


async def test_a_revoked_grant_cuts_a_recording_too(world):
    await granted(world)
    opened = await play(world)
    answer = await world.watch(opened)
    await world.revoke()
    await answer.ended(2)
    assert (await world.ended(opened.id))["end_code"] == "revoked"


async def test_q14_q33_recordings_come_under_another_ssrc(world):
    """The port is the key: what the device puts into its packets is not what it was told."""
    await granted(world)
    world.devices.frames = lambda _ssrc: packets("h264", 0x0000BEEF)
    opened = await play(world)
    await world.watch(opened)


async def test_q53_a_camera_without_a_key_frame_is_asked_for_one(world, monkeypatch):
    """Very long GOPs: no picture for many seconds after the first packets."""
    monkeypatch.setattr(flows_module, "KEY_FRAME_WITHIN", 0.3)
    world.devices.frames = lambda ssrc: packets("h264", ssrc, gop=50)[1:50]
    opened = await world.open()
    async with asyncio.timeout(5):
        while not world.devices.key_frames:
            await asyncio.sleep(0.02)
    shown = await world.agent.stream(opened.answer["stream"]["id"])
    assert "key_frame_asked" in [step["step"] for step in shown["steps"]]


async def test_a_camera_with_a_picture_is_not_bothered(world, monkeypatch):
    monkeypatch.setattr(flows_module, "KEY_FRAME_WITHIN", 0.5)
    opened = await world.open()
    await world.watch(opened)
    await asyncio.sleep(0.8)
    assert world.devices.key_frames == []


async def test_the_way_to_the_device_is_told_with_a_failure(world):
    """What the signal role noted stands between our own steps, with its own moments."""

    steps = [
        {"step": "invited", "at": clock.now().isoformat(), "detail": "UDP 10.0.0.9:5060"},
        {"step": "channel_off", "at": clock.now().isoformat(), "detail": {"zh": "通道离线", "en": "off"}},
    ]
    world.devices.problem = CallFailed(Text("应答 486", "busy"), code="busy", steps=steps)
    with pytest.raises(SessionFailed) as failed:
        await world.open()
    body: dict[str, Any] = failed.value.body("zh")
    texts = {step["step"]: step["text"] for step in body["steps"]}
    assert texts["call_invited"] == "INVITE 已发出：UDP 10.0.0.9:5060"
    assert texts["call_channel_off"] == "通道离线"
    assert list(texts)[-1] == "failed"
    stored = (await world.row(failed.value.session_id))["end_detail"]["steps"]
    assert [step["step"] for step in stored] == [step["step"] for step in body["steps"]]
