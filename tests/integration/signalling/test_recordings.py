"""Calls for recordings: what is offered, how they are steered, how they end, and dialogs that cross each other (§11)."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from gongshi.kit.errors import Problem
from gongshi.protocols.manscdp import MediaStatus
from gongshi.protocols.sdp import SessionDescription, Ssrc
from gongshi.protocols.sip import MANSCDP, MANSRTSP, SDP, Dialog, Response
from gongshi.protocols.sip.mansrtsp import PlaybackAnswer, PlaybackCommand
from gongshi.signalling.problems import CallFailed
from integration.signalling.conftest import PLATFORM, until
from integration.signalling.test_calls import CHANNEL, agree, ended_events, next_request, ready

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
SPAN = {"start": START.isoformat(), "end": (START + timedelta(minutes=10)).isoformat()}


async def play(server, device, channel, stream="s1", kind="playback", **options):
    """A recording that plays: the INVITE and the device's side of the dialog."""
    opening = asyncio.create_task(server.invite(stream, channel, "127.0.0.1", 30012, kind=kind, **SPAN, **options))
    invite = await next_request(device, "INVITE")
    agree(device, invite, tag="theirs")
    return invite, Dialog.from_request(invite, "theirs"), await opening


async def test_a_playback_offer_says_what_and_when(world):
    async with ready(world) as (server, device, channel):
        invite, _, answer = await play(server, device, channel)
        offer = SessionDescription.parse(invite.body)
        assert (offer.name, offer.uri) == ("Playback", f"{CHANNEL}:0")
        assert (offer.start, offer.end) == (int(START.timestamp()), int(START.timestamp()) + 600)
        assert offer.ssrc is not None
        assert offer.ssrc.history
        assert str(offer.ssrc)[:6] == "150000"
        assert invite.subject.sender_sequence == str(offer.ssrc)
        assert invite.to.user == CHANNEL
        assert answer["ssrc"] == offer.ssrc.number
        assert [call.kind for call in server.calls] == ["playback"]


async def test_a_download_offer_names_the_speed_and_the_answer_the_size(world):
    """Q-13: -1 and 0 are no size; another y than offered counts."""
    async with ready(world) as (server, device, channel):
        for said, heard in (("734003200", 734003200), ("-1", None), ("0", None)):
            opening = asyncio.create_task(
                server.invite("s1", channel, "127.0.0.1", 30012, kind="download", speed=4, **SPAN)
            )
            request = None
            while request is None or request.method != "INVITE":
                request = await asyncio.wait_for(device.requests.get(), 5)
                if request.method == "BYE":
                    device.answer(request, 200)
            offer = SessionDescription.parse(request.body)
            assert offer.name == "Download"
            media = offer.section("video")
            assert media is not None
            assert media.attribute("downloadspeed") == "4"
            body = (
                "v=0\r\no=x 0 0 IN IP4 127.0.0.1\r\ns=ncg\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
                f"m=video 6000 RTP/AVP 96\r\na=sendonly\r\na=filesize:{said}\r\ny=1999999999\r\n"
            )
            device.answer(request, 200, body=body.encode(), content_type=SDP)
            answer = await opening
            assert answer.get("filesize") == heard
            assert answer["ssrc"] == 1_999_999_999


async def test_recordings_do_not_end_the_live_call_nor_each_other(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("live", channel, "127.0.0.1", 30010))
        agree(device, await next_request(device, "INVITE"))
        await opening
        await play(server, device, channel, "s1")
        await play(server, device, channel, "s2")
        assert sorted(call.stream_id for call in server.calls) == ["live", "s1", "s2"]
        assert device.requests.empty() or (await device.requests.get()).method == "ACK"


COMMANDS = [
    ("pause", None, b"PAUSE RTSP/1.0\r\nCSeq: 1\r\nPauseTime: now\r\n\r\n"),
    ("resume", None, b"PLAY RTSP/1.0\r\nCSeq: 1\r\nRange: npt=now-\r\n\r\n"),
    ("scale", 4.0, b"PLAY RTSP/1.0\r\nCSeq: 1\r\nScale: 4.0\r\n\r\n"),
    ("scale", 0.25, b"PLAY RTSP/1.0\r\nCSeq: 1\r\nScale: 0.25\r\n\r\n"),
    ("scale", -1.0, b"PLAY RTSP/1.0\r\nCSeq: 1\r\nScale: -1.0\r\n\r\n"),
    ("seek", 100.0, b"PLAY RTSP/1.0\r\nCSeq: 1\r\nRange: npt=100-\r\n\r\n"),
    ("teardown", None, b"TEARDOWN RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
]


@pytest.mark.parametrize(("action", "value", "body"), COMMANDS)
async def test_every_command_of_the_annex(world, action, value, body):
    async with ready(world) as (server, device, channel):
        invite, _, _ = await play(server, device, channel)
        steering = asyncio.create_task(server.steer("s1", action, value))
        info = await next_request(device, "INFO")
        assert info.call_id == invite.call_id
        assert info.cseq.number > invite.cseq.number
        assert info.headers.get("Content-Type") == MANSRTSP
        assert info.body == body
        device.answer(info, 200)
        assert await steering == {}


async def test_commands_count_by_themselves_and_the_place_is_told(world):
    async with ready(world) as (server, device, channel):
        await play(server, device, channel)
        numbers = []
        for position in (0.0, 61.5, 120.0):
            steering = asyncio.create_task(server.steer("s1", "seek", position))
            info = await next_request(device, "INFO")
            command = PlaybackCommand.parse(info.body)
            numbers.append((command.cseq, info.cseq.number))
            answer = PlaybackAnswer(command.cseq, start=position, sequence=7, timestamp=9)
            device.answer(info, 200, body=answer.to_bytes(), content_type=MANSRTSP)
            assert await steering == {"position": position}
        assert [first for first, _ in numbers] == [1, 2, 3]
        assert numbers[0][1] < numbers[1][1] < numbers[2][1]


async def test_refusals_and_silence_are_told(world):
    async with ready(world) as (server, device, channel):
        await play(server, device, channel)
        for status, body, code in (
            (501, b"", "steering_refused_501"),
            (200, b"RTSP/1.0 457 Invalid Range\r\nCSeq: 2\r\n\r\n", "steering_refused_457"),
        ):
            steering = asyncio.create_task(server.steer("s1", "scale", -1.0))
            device.answer(await next_request(device, "INFO"), status, body=body, content_type=MANSRTSP)
            with pytest.raises(Problem) as failure:
                await steering
            assert failure.value.code == code
        with pytest.raises(Problem) as nothing:
            await server.steer("nowhere", "pause")
        assert nothing.value.code == "not_a_recording"


@pytest.mark.parametrize("sender", [CHANNEL, PLATFORM, "34150200001329999999"])
async def test_the_end_of_a_recording_is_heard_by_its_call(world, sender):
    """Q-28: MediaStatus belongs to the call whose Call-ID it carries, whoever its From and DeviceID name."""
    async with ready(world) as (server, device, channel):
        _, dialog, _ = await play(server, device, channel)
        await play(server, device, channel, "s2")
        body = MediaStatus(sender, 7).to_bytes()
        message = dialog.request("MESSAGE", body=body, content_type=MANSCDP)
        message.headers.set("From", f"<sip:{sender}@3415020000>;tag={dialog.local_tag}")
        assert (await device.ask(message)).status == 200
        assert await until(lambda: ended_events(world)) == [("s1", "finished")]
        ending = asyncio.create_task(server.bye("s1"))
        device.answer(await next_request(device, "BYE"), 200)
        assert await ending


async def test_the_end_of_a_recording_outside_of_its_call_counts_for_the_only_one(world):
    async with ready(world) as (server, device, channel):
        await play(server, device, channel)
        assert (await device.ask(device.message(MediaStatus(CHANNEL, 7).to_bytes()))).status == 200
        assert await until(lambda: ended_events(world)) == [("s1", "finished")]


# --- dialogs that meet trouble


async def test_a_re_invite_is_refused_and_the_call_goes_on(world):
    async with ready(world) as (server, device, channel):
        invite, dialog, _ = await play(server, device, channel)
        again = dialog.request("INVITE", body=invite.body, content_type=SDP)
        assert (await device.ask(again)).status == 488
        assert len(server.calls) == 1
        assert (await device.ask(dialog.request("OPTIONS"))).status == 200
        assert (await device.ask(dialog.request("REFER"))).status == 405


async def test_a_fork_is_acknowledged_and_ended(world):
    """Two answer one INVITE: the first is the call, the second is told to stop."""
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        invite = await next_request(device, "INVITE")
        agree(device, invite, tag="first")
        await next_request(device, "ACK")
        await opening
        agree(device, invite, tag="second")
        ack = await next_request(device, "ACK")
        assert ack.to.tag == "second"
        bye = await next_request(device, "BYE")
        assert bye.to.tag == "second"
        device.answer(bye, 200)
        agree(device, invite, tag="second")
        await next_request(device, "ACK")
        assert [call.dialog.remote_tag for call in server.calls] == ["first"]


async def test_a_cancel_that_crosses_the_200_ends_the_call(world):
    async with ready(world, invite_seconds=0.4) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        invite = await next_request(device, "INVITE")
        device.answer(invite, 100)
        cancel = await next_request(device, "CANCEL")
        agree(device, invite)
        device.answer(cancel, 481)
        await next_request(device, "ACK")
        device.answer(await next_request(device, "BYE"), 200)
        with pytest.raises(CallFailed, match="no_answer"):
            await opening
        assert server.calls == []


async def test_both_sides_hang_up_at_the_same_time(world):
    async with ready(world) as (server, device, channel):
        _, dialog, _ = await play(server, device, channel)
        ending = asyncio.create_task(server.bye("s1"))
        bye = await next_request(device, "BYE")
        assert (await device.ask(dialog.request("BYE"))).status == 200
        device.answer(bye, 481)
        assert await ending
        assert server.calls == []
        assert await ended_events(world) == []


async def test_who_hangs_up_with_its_200_is_told_as_such(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        invite = await next_request(device, "INVITE")
        answer = Response.to_request(invite, 200, tag="theirs")
        dialog = Dialog.from_request(invite, "theirs")
        bye = dialog.request("BYE")
        bye.headers.add_first("Via", f"SIP/2.0/UDP {device.host}:{device.port};rport;branch=z9hG4bKhasty")
        # Both in the same batch of datagrams.
        device.send(answer.to_bytes())
        device.send(bye.to_bytes())
        with pytest.raises(CallFailed) as failure:
            await opening
        assert failure.value.code in {"hung_up", "bad_answer"}
        assert server.calls == []


async def test_a_number_that_goes_back_is_refused_and_an_equal_one_taken(world):
    """Q-12 for the equal one; a lower CSeq is an old request (RFC 3261 §12.2.2)."""
    async with ready(world) as (server, device, channel):
        _, dialog, _ = await play(server, device, channel)
        dialog.local_cseq = 50
        assert (await device.ask(dialog.request("OPTIONS"))).status == 200
        dialog.local_cseq = 50
        assert (await device.ask(dialog.request("OPTIONS"))).status == 200
        dialog.local_cseq = 10
        assert (await device.ask(dialog.request("OPTIONS"))).status == 500


async def test_q42_a_device_that_still_takes_itself_for_busy_is_freed_and_asked_again(world):
    """Q-42: the BYE of an earlier call was lost; the device answers 486 until that dialog is ended."""
    async with ready(world, bye_seconds=0.2) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        first = await next_request(device, "INVITE")
        agree(device, first)
        await opening
        await server.bye("s1")
        opening = asyncio.create_task(server.invite("s2", channel, "127.0.0.1", 30012))
        device.answer(await next_request(device, "INVITE"), 486)
        while (bye := await next_request(device, "BYE")).call_id != first.call_id or bye.cseq.number < 3:
            continue
        device.answer(bye, 200)
        agree(device, await next_request(device, "INVITE"))
        answer = await opening
        assert [s["step"] for s in answer["steps"]].count("retried") == 1
        assert len(server.calls) == 1


async def test_a_device_that_is_really_busy_is_asked_once(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        device.answer(await next_request(device, "INVITE"), 486)
        with pytest.raises(CallFailed, match="busy"):
            await opening
        methods = {device.requests.get_nowait().method for _ in range(device.requests.qsize())}
        assert methods <= {"ACK"}


@pytest.mark.parametrize("said", ["0100000001", "1100000001", ""])
async def test_q33_another_ssrc_in_the_answer_to_a_playback_counts(world, said):
    """Q-33 and Q-14: the port is the key; what y= says is only reported."""
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(
            server.invite("s1", channel, "127.0.0.1", 30012, 1500000001, kind="playback", **SPAN)
        )
        invite = await next_request(device, "INVITE")
        agree(device, invite, ssrc=Ssrc.parse(said) if said else None)
        answer = await opening
        assert answer["ssrc"] == (int(said) if said else 1500000001)


async def test_a_call_goes_on_counting_after_a_restart(world):
    async def wanted():
        return {"s1"}

    async with ready(world) as (first, device, channel):
        await play(first, device, channel)
        steering = asyncio.create_task(first.steer("s1", "pause"))
        info = await next_request(device, "INFO")
        device.answer(info, 200)
        await steering
        port = first.port
        await asyncio.sleep(0.1)
        await world.stop(first)
        second = await world.start(port, catalogue_on_register=False, wanted_streams=wanted)
        steering = asyncio.create_task(second.steer("s1", "resume"))
        again = await next_request(device, "INFO")
        assert again.cseq.number > info.cseq.number
        assert PlaybackCommand.parse(again.body).cseq == 2
        device.answer(again, 200)
        assert await steering == {}


async def test_tcp_active_is_offered_and_the_answer_says_where_to_connect(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012, None, "tcp_active"))
        invite = await next_request(device, "INVITE")
        media = SessionDescription.parse(invite.body).section("video")
        assert media is not None
        assert (media.setup, media.protocol) == ("active", "TCP/RTP/AVP")
        agree(device, invite)
        told = (await opening)["media"]
        assert (told["setup"], told["address"], told["port"], told["peer"]) == (
            "passive",
            "127.0.0.1",
            6000,
            "127.0.0.1",
        )
