"""INVITE from an upper: answered after the stream is there, sent after the ACK, ended from both sides (§13.3, §10.4)."""

import asyncio
from datetime import UTC, datetime

import pytest

from gongshi.access.actions import Action
from gongshi.kit.errors import NotFound
from gongshi.kit.i18n import Text
from gongshi.media.reasons import SessionFailed, TooManyAtOnce, no_channel
from gongshi.protocols.manscdp import MediaStatus, parse
from gongshi.protocols.sip.mansrtsp import PlaybackAnswer, PlaybackCommand
from integration.cascade.conftest import NODE, PEER, code, registered
from integration.cascade.scripted import UPPER, OpenCall, ScriptedUpper
from integration.signalling.conftest import until

EAST, WEST = code(1), code(2)


async def test_a_live_call_from_invite_to_bye(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        call = await upper.invite(EAST, upper.offer(30_012), acknowledge=False)
        assert isinstance(call, OpenCall)
        (wish,) = world.viewing.asked
        assert (wish.camera_code, wish.action, wish.interval) == (EAST, Action.LIVE, None)
        assert (wish.relay.host, wish.relay.port, wish.relay.transport) == ("127.0.0.1", 30_012, "udp")
        assert 100 in upper.provisional
        video = call.answer.section("video")
        assert video is not None
        assert (video.port, video.direction, call.answer.username) == (40_000, "sendonly", EAST)
        assert str(call.answer.ssrc) == "0100000007"
        # Nothing is sent before the ACK.
        await asyncio.sleep(0.1)
        assert world.viewing.released == []
        upper.acknowledge(call)
        await until(lambda: world.viewing.released)
        rows = await until(lambda: world.rows("SELECT upper_id, camera_code FROM signalling.upper_call"))
        assert rows == [(number, EAST)]
        assert (await upper.bye(call)).status == 200
        await until(lambda: world.viewing.closed)
        assert world.viewing.closed[0][1] == "closed"
        assert await until(lambda: not len(world.uppers.invites.calls))
        await until(lambda: not world.viewing.live)
        assert (await upper.bye(call)).status == 481
        await asyncio.sleep(0.1)
        assert upper.byes.empty()


@pytest.mark.parametrize(("setup", "transport"), [("passive", "tcp_active"), ("active", "tcp_passive"), (None, "udp")])
async def test_who_connects_is_what_the_offer_says(world, upper, setup, transport):
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        call = await upper.invite(EAST, upper.offer(30_012, setup=setup))
        assert world.viewing.asked[0].relay.transport == transport
        expected = {"passive": "active", "active": "passive", None: None}[setup]
        assert call.answer.section("video").setup == expected


async def test_an_offer_without_a_number_gets_one_of_ours(world, upper):
    """Q-15: y= is missing in the offers of some uppers; 0000000000 is never sent."""
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        call = await upper.invite(EAST, upper.offer(30_012, y=None))
        assert call.answer.ssrc.number == world.viewing.asked[0].relay.ssrc != 0
        assert not call.answer.ssrc.history


@pytest.mark.parametrize("change", [{"address": "0.0.0.0"}, {"media": ()}, {"name": "Talk"}])
async def test_an_offer_that_cannot_be_met_is_488(world, upper, change):
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        answer = await upper.invite(EAST, upper.offer(30_012, **change))
        assert not isinstance(answer, OpenCall)
        assert answer.status == 488
        request = upper.invitation(EAST, upper.offer(30_012))
        request.body = request.body.replace(b"m=video 30012", b"m=video 0")
        assert (await upper.request(request)).status == 488
        assert world.viewing.asked == []


async def test_a_spoofed_invite_that_asks_for_media_to_a_stranger_is_refused_and_logged(world, upper):
    """design.md §6: only from its own address, only to its own networks; both refusals go into the log."""
    async with registered(world, upper) as number, ScriptedUpper(host="127.0.0.2").on() as stranger:
        await world.share(number, Action.LIVE, EAST)
        stranger.flow = upper.flow
        for sender, offer in ((stranger, stranger.offer(30_012)), (upper, upper.offer(30_012, host="127.0.0.2"))):
            refused = await sender.invite(EAST, offer)
            assert not isinstance(refused, OpenCall)
            assert refused.status == 403
        assert world.viewing.asked == []
        entries = await until(lambda: _two(world))
        assert [entry["why"] for entry in entries] == ["source", "media"]
        assert entries[1]["media"] == "127.0.0.2:30012"
        assert "127.0.0.2" in entries[0]["source"]


async def _two(world):
    import json

    rows = await world.entries("signalling.upper.refused")
    return [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in rows] if len(rows) == 2 else None


async def test_media_networks_are_what_the_operator_says(world, upper):
    async with registered(world, upper, media_networks=["127.0.0.2/32"], sources=["127.0.0.0/8"]) as number:
        await world.share(number, Action.LIVE, EAST)
        assert isinstance(await upper.invite(EAST, upper.offer(30_012, host="127.0.0.2")), OpenCall)
        assert (await upper.invite(EAST, upper.offer(30_012))).status == 403
        async with ScriptedUpper(host="127.0.0.2").on() as other:
            other.flow = upper.flow
            assert isinstance(await other.invite(EAST, other.offer(30_014)), OpenCall)


@pytest.mark.parametrize(
    ("problem", "status"),
    [
        (NotFound(), 404),
        (no_channel(), 404),
        (TooManyAtOnce(), 486),
        (SessionFailed(Text("x", "x"), code="device_offline"), 480),
        (SessionFailed(Text("x", "x"), code="no_answer"), 408),
        (SessionFailed(Text("x", "x"), code="refused_488"), 488),
    ],
)
async def test_why_there_is_no_picture_is_a_status(world, upper, problem, status):
    world.viewing.problem = problem
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        assert (await upper.invite(EAST, upper.offer(30_012))).status == status
        assert len(world.uppers.invites.calls) == 0


async def test_the_same_stream_again_replaces_the_old_link(world, upper):
    """§10.4: an upper that restarted asks again with its old numbers; nothing may leak."""
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST, WEST)
        first = await upper.invite(EAST, upper.offer(30_012))
        second = await upper.invite(EAST, upper.offer(30_014))
        assert isinstance(first, OpenCall)
        assert isinstance(second, OpenCall)
        gone = await asyncio.wait_for(upper.byes.get(), 5)
        assert gone.call_id == first.dialog.call_id
        assert len(world.uppers.invites.calls) == 1
        # Another camera, another number, another purpose: they stand beside each other.
        await upper.invite(WEST, upper.offer(30_016))
        await upper.invite(EAST, upper.offer(30_018, y="0100000008"))
        assert len(world.uppers.invites.calls) == 3
        # Without a number the receiver's tells them apart.
        for port, receiver in ((30_020, "1"), (30_022, "2"), (30_024, "2")):
            subject = f"{WEST}:0,{UPPER}:{receiver}"
            await upper.invite(WEST, upper.offer(port, y="0100000009"), subject=subject)
        assert len(world.uppers.invites.calls) == 5


async def test_a_cancelled_invite_leaves_nothing(world, upper):
    world.viewing.hold = asyncio.Event()
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        token, future = upper.start(upper.invitation(EAST, upper.offer(30_012)))
        await until(lambda: world.viewing.asked)
        upper.cancel(token)
        assert (await asyncio.wait_for(future, 5)).status == 487
        world.viewing.hold.set()
        await until(lambda: world.viewing.closed)
        assert len(world.uppers.invites.calls) == 0
        assert not world.viewing.live


async def test_the_end_of_a_right_is_a_bye_with_the_reason(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        call = await upper.invite(EAST, upper.offer(30_012))
        (session,) = world.viewing.live
        told = await world.uppers.relay_ended(session, "revoked", {"zh": "授权已被撤销", "en": "the grant was revoked"})
        assert told is True
        bye = await asyncio.wait_for(upper.byes.get(), 2)
        assert bye.call_id == call.dialog.call_id
        assert bye.headers.get("Reason") == 'SIP;cause=403;text="the grant was revoked"'
        assert await world.uppers.relay_ended(session, "revoked", None) is False


async def test_a_recording_is_steered_and_its_end_is_told(world, upper):
    upper.version = "3.0"
    world.viewing.filesize = 4_711
    async with registered(world, upper) as number:
        await world.share(number, Action.PLAYBACK, EAST)
        start, end = datetime(2026, 11, 22, 1, tzinfo=UTC), datetime(2026, 11, 22, 1, 10, tzinfo=UTC)
        span = {"name": "Playback", "start": int(start.timestamp()), "end": int(end.timestamp()), "uri": f"{EAST}:0"}
        call = await upper.invite(EAST, upper.offer(30_012, y="1100000007", **span))
        assert isinstance(call, OpenCall)
        (wish,) = world.viewing.asked
        assert (wish.action, wish.interval, wish.relay.kind) == (Action.PLAYBACK, (start, end), "playback")
        video = call.answer.section("video")
        assert video is not None
        assert video.attribute("filesize") == "4711"
        for number_, command in enumerate(
            (
                PlaybackCommand.pause(1),
                PlaybackCommand.resume(2),
                PlaybackCommand.speed(3, 2.0),
                PlaybackCommand.seek(4, 100),
                PlaybackCommand.seek(5, 9_999),
            ),
            1,
        ):
            answer = await upper.info(call, command.to_bytes())
            assert answer.status == 200
            assert PlaybackAnswer.parse(answer.body).cseq == number_
        assert [step[1:] for step in world.viewing.steered] == [
            ("pause", None),
            ("resume", None),
            ("scale", 2.0),
            ("seek", 100.0),
            ("seek", 600.0),
        ]
        assert (await upper.info(call, b"HOP RTSP/1.0\r\n\r\n")).status == 400
        (session,) = world.viewing.live
        asyncio.get_running_loop().create_task(world.uppers.relay_ended(session, "finished", None))
        notify = await asyncio.wait_for(upper.in_dialog.get(), 5)
        status = MediaStatus.parse(parse(notify.body))
        assert (status.device_id, status.notify_type, notify.call_id) == (EAST, 121, call.dialog.call_id)
        assert (await upper.bye(call)).status == 200
        await asyncio.sleep(0.2)
        assert upper.byes.empty()


async def test_the_centre_s_storage_names_the_camera_in_u(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.DOWNLOAD, EAST)
        span = {"name": "Download", "start": 1_790_000_000, "end": 1_790_000_600, "uri": f"{EAST}:3"}
        await upper.invite(NODE, upper.offer(30_012, y="1100000007", **span))
        (wish,) = world.viewing.asked
        assert (wish.camera_code, wish.action, wish.relay.kind) == (EAST, Action.DOWNLOAD, "download")


async def test_paths_over_levels_are_told_and_circles_refused(world, upper):
    """22 annex H: the answer carries the way; an INVITE that has been here ends here."""
    upper.version = "3.0"
    world.viewing.path = "34150200002000000001-34150300002000000001"
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        call = await upper.invite(EAST, upper.offer(30_012), headers=(("X-PreferredPath", f"{UPPER}-{NODE}"),))
        assert call.response.headers.get("X-RoutePath") == f"{NODE}-{world.viewing.path}"
        around = await upper.invite(EAST, upper.offer(30_014), headers=(("X-RoutePath", f"1-{NODE}-2"),))
        assert around.status == 482
        assert around.headers.get("X-RoutePath") == NODE
        request = upper.invitation(EAST, upper.offer(30_014))
        request.headers.set("Max-Forwards", "0")
        assert (await upper.request(request)).status == 483


async def test_a_camera_that_the_upper_itself_has_is_not_asked_back(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        await world.execute("UPDATE signalling.peer SET code = :u", u=upper.code)
        world.server.peers.get(PEER).code = upper.code
        assert (await upper.invite(EAST, upper.offer(30_012))).status == 482
        assert world.viewing.asked == []


async def test_a_new_offer_inside_a_call_is_refused_and_the_call_goes_on(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        call = await upper.invite(EAST, upper.offer(30_012))
        again = call.dialog.request("INVITE", body=upper.offer(30_014).to_bytes(), content_type="Application/SDP")
        assert (await upper.request(again)).status == 488
        assert len(world.uppers.invites.calls) == 1


async def test_calls_and_subscriptions_outlive_the_process(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        call = await upper.invite(EAST, upper.offer(30_012))
        await upper.subscribe("Catalog", NODE)
        await until(lambda: world.rows("SELECT 1 FROM signalling.upper_call"))
        await until(lambda: world.rows("SELECT 1 FROM signalling.upper_subscription"))
        await world.stop()
        upper.bound.clear()
        await world.start()
        await asyncio.wait_for(upper.bound.wait(), 10)
        assert len(world.uppers.invites.calls) == 1
        assert len(world.uppers.subscriptions) == 1
        assert (await upper.bye(call)).status == 200
        await until(lambda: world.viewing.closed)


async def test_a_lost_upper_ends_its_pictures(world, upper):
    async with registered(world, upper, keepalive_misses=1) as number:
        await world.share(number, Action.LIVE, EAST)
        await upper.invite(EAST, upper.offer(30_012))
        upper.deaf = True
        await until(lambda: world.viewing.closed, 20)
        await until(lambda: not len(world.uppers.invites.calls), 20)


async def test_a_disabled_upper_is_cut_off(world, upper):
    async with registered(world, upper) as number:
        await world.share(number, Action.LIVE, EAST)
        await upper.invite(EAST, upper.offer(30_012))
        await world.execute("UPDATE signalling.upper SET enabled = false")
        await world.uppers.reload(number)
        assert (await asyncio.wait_for(upper.byes.get(), 5)).method == "BYE"
        assert world.viewing.closed
        assert (await upper.invite(EAST, upper.offer(30_012))).status == 403
