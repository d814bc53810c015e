"""Voice calls: the five steps of §9.12.1 with a device that does exactly what a test says, and every way to fail."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gongshi.kit.errors import Problem
from gongshi.protocols.manscdp import Broadcast, Result, parse
from gongshi.protocols.sdp import SessionDescription, Ssrc, audio_offer, live_offer
from gongshi.protocols.sip import SDP, Dialog, Uri, new_request
from gongshi.signalling import calls_talk
from gongshi.signalling.calls_talk import Talks
from integration.signalling.conftest import NODE, PLATFORM, until
from integration.signalling.device import Device
from integration.signalling.test_calls import CHANNEL, ended_events, next_request, ready


@asynccontextmanager
async def talking(world):
    async with ready(world) as (server, device, channel):
        talks = Talks(server.ground, world.database)
        server.admit(talks)
        yield server, device, channel, talks
        await talks.stop()


async def broadcast(device, ok=True):
    """Steps 1 and 2: the order, our 200, and the device's word."""
    message = await next_request(device, "MESSAGE")
    device.answer(message, 200)
    order = Broadcast.parse(parse(message.body))
    assert (order.source_id, order.target_id) == (NODE, CHANNEL)
    assert message.to.user == CHANNEL
    device.spoken = asyncio.create_task(
        device.ask(device.message(Result("Broadcast", CHANNEL, order.sn, ok).to_bytes()))
    )
    return order


def voice_call(device, offer=None, code=CHANNEL, call_id="voice-1"):
    """Step 3: the device's INVITE."""
    offer = offer or audio_offer(code, "127.0.0.1", 6100, Ssrc(500001234))
    return new_request(
        "INVITE",
        Uri.of(NODE, NODE[:10]),
        Uri.of(code, code[:10]),
        Uri.of(NODE, NODE[:10]),
        call_id=call_id,
        cseq=1,
        contact=Uri.of(device.code, device.host, device.port),
        headers=(("Subject", f"{NODE}:0,{code}:0"),),
        body=offer.to_bytes(),
        content_type=SDP,
    )


async def connected(device, channel, talks):
    calling = asyncio.create_task(talks.call("t1", channel))
    await broadcast(device)
    invite = voice_call(device)
    answering = asyncio.create_task(device.ask(invite))
    wanted = await calling
    taking = asyncio.create_task(talks.answer("t1", "127.0.0.1", 30100, wanted["ssrc"]))
    answer = await answering
    dialog = Dialog.from_response(invite, answer)
    ack = dialog.ack()
    ack.headers.add_first("Via", f"SIP/2.0/UDP {device.host}:{device.port};rport;branch=z9hG4bKack1")
    device.send(ack.to_bytes())
    await taking
    return wanted, answer, dialog


async def test_the_five_steps(world):
    async with talking(world) as (_, device, channel, talks):
        wanted, answer, _ = await connected(device, channel, talks)
        assert wanted == {"host": "127.0.0.1", "port": 6100, "transport": "udp", "ssrc": 500001234}
        assert answer.status == 200
        sdp = SessionDescription.parse(answer.body)
        media = sdp.section("audio")
        assert media is not None
        assert (media.port, media.direction, media.formats) == (30100, "sendonly", (8,))
        assert sdp.ssrc == Ssrc(500001234)
        assert b"f=v/////a/1/8/1" in answer.body
        ending = asyncio.create_task(talks.end("t1"))
        bye = await next_request(device, "BYE")
        assert bye.call_id == "voice-1"
        device.answer(bye, 200)
        await ending
        assert len(talks) == 0
        await talks.end("t1")


@pytest.mark.parametrize(("setup", "transport"), [("active", "tcp_passive"), ("passive", "tcp_active")])
async def test_voice_over_tcp_either_way(world, setup, transport):
    async with talking(world) as (_, device, channel, talks):
        calling = asyncio.create_task(talks.call("t1", channel))
        await broadcast(device)
        offer = audio_offer(CHANNEL, "127.0.0.1", 6100, Ssrc(1), setup=setup)
        answering = asyncio.create_task(device.ask(voice_call(device, offer)))
        assert (await calling)["transport"] == transport
        await talks.end("t1")
        assert (await answering).status == 486, "given up before it was taken"


async def test_the_device_hangs_up(world):
    async with talking(world) as (_, device, channel, talks):
        _, _, dialog = await connected(device, channel, talks)
        assert (await device.ask(dialog.request("INVITE", body=b"v=0"))).status == 488
        assert (await device.ask(dialog.request("BYE"))).status == 200
        assert await until(lambda: ended_events(world)) == [("t1", "remote_bye")]
        assert len(talks) == 0


async def test_a_device_without_a_voice_says_so(world):
    async with talking(world) as (_, device, channel, talks):
        calling = asyncio.create_task(talks.call("t1", channel))
        await broadcast(device, ok=False)
        with pytest.raises(Problem) as failed:
            await calling
        assert failed.value.code == "no_voice"
        assert len(talks) == 0


async def test_a_device_that_does_not_call_back_is_told(world, monkeypatch):
    monkeypatch.setattr(calls_talk, "_CALL_BACK", 0.2)
    async with talking(world) as (_, device, channel, talks):
        calling = asyncio.create_task(talks.call("t1", channel))
        await broadcast(device)
        with pytest.raises(Problem) as failed:
            await calling
        assert failed.value.code == "no_call_back"
        assert (await device.ask(voice_call(device))).status in {403, 405}


async def test_a_device_that_does_not_acknowledge_is_hung_up(world, monkeypatch):
    monkeypatch.setattr(calls_talk, "_ACK", 0.2)
    async with talking(world) as (_, device, channel, talks):
        calling = asyncio.create_task(talks.call("t1", channel))
        await broadcast(device)
        answering = asyncio.create_task(device.ask(voice_call(device)))
        await calling
        taking = asyncio.create_task(talks.answer("t1", "127.0.0.1", 30100, 1))
        await answering
        device.answer(await next_request(device, "BYE"), 200)
        with pytest.raises(Problem) as failed:
            await taking
        assert failed.value.code == "no_ack"


async def test_an_offer_without_a_law_is_refused(world):
    async with talking(world) as (_, device, channel, talks):
        calling = asyncio.create_task(talks.call("t1", channel))
        await broadcast(device)
        offer = live_offer(CHANNEL, "127.0.0.1", 6100, Ssrc(1))
        assert (await device.ask(voice_call(device, offer))).status == 488
        with pytest.raises(Problem) as failed:
            await calling
        assert failed.value.code == "voice_not_understood"


async def test_one_voice_at_a_time_and_calls_of_nobody_we_asked_are_refused(world):
    async with talking(world) as (server, device, channel, talks):
        assert (await device.ask(voice_call(device, call_id="unasked"))).status == 405
        calling = asyncio.create_task(talks.call("t1", channel))
        order = await broadcast(device)
        with pytest.raises(Problem) as busy:
            await talks.call("t2", channel)
        assert busy.value.code == "talk_busy"
        async with Device(PLATFORM, server.port).on("127.0.0.2") as stranger:
            assert (await stranger.ask(voice_call(stranger, call_id="stolen"))).status == 403
        answering = asyncio.create_task(device.ask(voice_call(device, code=PLATFORM)))
        assert (await calling)["port"] == 6100, "called in the name of the platform: there is only one it can mean"
        assert order.sn
        await talks.end("t1")
        assert (await answering).status == 486
