"""Live calls: what is offered, what comes back, and every way it can fail (gb28181.md §10)."""

import asyncio
import uuid
from contextlib import asynccontextmanager

import pytest

from gongshi.protocols.sdp import SessionDescription, Ssrc, answer_offer
from gongshi.protocols.sip import SDP, Dialog
from gongshi.signalling.problems import CallFailed
from gongshi.simulator import SimulatedPlatform
from integration.signalling.conftest import NODE, PASSWORD, PLATFORM, until
from integration.signalling.device import Device

CHANNEL = f"{PLATFORM[:10]}1310000001"


async def channel_id(world):
    rows = await until(lambda: world.rows("SELECT id FROM signalling.channel WHERE kind = 'device' ORDER BY code"))
    return rows[0][0]


async def add_channel(world, code=CHANNEL, status="on"):
    rows = await world.rows("SELECT id FROM signalling.peer WHERE code = :c", c=PLATFORM)
    await world.execute(
        "INSERT INTO signalling.channel (peer_id, code, kind, name, status, fields) "
        "VALUES (:p, :c, 'device', '东门', :s, '{}')",
        p=rows[0][0],
        c=code,
        s=status,
    )
    return (await world.rows("SELECT id FROM signalling.channel WHERE code = :c", c=code))[0][0]


@asynccontextmanager
async def ready(world, **options):
    """A registered device with one channel, and a server that asks it no catalogue."""
    await world.peer()
    server = await world.start(catalogue_on_register=False, **options)
    async with Device(PLATFORM, server.port).on() as device:
        await device.register(PASSWORD)
        yield server, device, await add_channel(world)


async def next_request(device, method):
    while True:
        request = await asyncio.wait_for(device.requests.get(), 5)
        if request.method == method:
            return request


def agree(device, invite, ssrc=None, **options):
    offer = SessionDescription.parse(invite.body)
    answer = answer_offer(offer, CHANNEL, "127.0.0.1", 6000, ssrc=ssrc)
    return device.answer(invite, 200, body=answer.to_bytes(), content_type=SDP, **options)


async def test_the_offer_is_what_the_standard_wants(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012, 500000001, "udp"))
        invite = await next_request(device, "INVITE")
        assert invite.uri == f"sip:{CHANNEL}@127.0.0.1:{device.port}"
        assert invite.to.user == CHANNEL
        assert invite.from_.user == NODE
        assert invite.subject.sender == CHANNEL
        assert invite.subject.sender_sequence == "0500000001"
        assert invite.subject.receiver == NODE
        assert invite.contact.uri.port == server.port
        lines = invite.body.decode("gb18030").split("\r\n")
        assert lines[-3] == "y=0500000001"
        assert "m=video 30012 RTP/AVP 96 98 97" in lines
        assert "a=rtpmap:96 PS/90000" in lines
        assert f"o={NODE} 0 0 IN IP4 127.0.0.1" in lines
        device.answer(invite, 100)
        device.answer(invite, 180)
        agree(device, invite, ssrc=Ssrc(500000001))
        ack = await next_request(device, "ACK")
        assert ack.body == b""
        assert ack.cseq.number == invite.cseq.number
        assert ack.via.branch != invite.via.branch
        answer = await opening
        assert answer["ssrc"] == 500000001
        assert answer["remote"] == "127.0.0.1:6000"
        assert [step["step"] for step in answer["steps"]] == ["invited", "heard", "answered", "acknowledged"]
        ending = asyncio.create_task(server.bye("s1"))
        bye = await next_request(device, "BYE")
        assert bye.call_id == invite.call_id
        assert bye.cseq.number > invite.cseq.number
        device.answer(bye, 200)
        assert await ending is True


async def test_tcp_is_offered_passively(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "0.0.0.0", 30012, None, "tcp_passive"))
        invite = await next_request(device, "INVITE")
        offer = SessionDescription.parse(invite.body)
        media = offer.section("video")
        assert media is not None
        assert media.protocol == "TCP/RTP/AVP"
        assert media.setup == "passive"
        assert offer.address == "127.0.0.1", "no place for media: ours, as the peer sees it"
        assert str(offer.ssrc).startswith("050000")
        agree(device, invite)
        assert (await opening)["media"]["setup"] == "active"


async def test_a_repeated_200_is_acknowledged_again(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        invite = await next_request(device, "INVITE")
        answer = agree(device, invite)
        await next_request(device, "ACK")
        await opening
        device.send(answer.to_bytes())
        again = await next_request(device, "ACK")
        assert again.cseq.number == invite.cseq.number
        assert len(server.calls) == 1


async def test_another_ssrc_of_the_called_side_counts(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012, 500000001))
        agree(device, await next_request(device, "INVITE"), ssrc=Ssrc(100000001))
        answer = await opening
        assert answer["ssrc"] == 100000001
        assert "ssrc_changed" in [step["step"] for step in answer["steps"]]


@pytest.mark.parametrize(
    ("status", "code"), [(486, "busy"), (404, "refused_404"), (403, "refused_403"), (480, "refused_480")]
)
async def test_refusals_are_coded_and_acknowledged(world, status, code):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        invite = await next_request(device, "INVITE")
        device.answer(invite, status)
        ack = await next_request(device, "ACK")
        assert ack.via.branch == invite.via.branch, "the ACK of a refusal belongs to the transaction"
        with pytest.raises(CallFailed) as failure:
            await opening
        assert failure.value.code == code
        assert failure.value.detail.zh
        assert failure.value.data["steps"][0]["step"] == "invited"
        assert server.calls == []


async def test_488_is_asked_once_more_without_optional_lines(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        first = await next_request(device, "INVITE")
        assert b"\r\nf=" in first.body
        device.answer(first, 488)
        second = await next_request(device, "INVITE")
        assert b"\r\nf=" not in second.body
        assert second.call_id != first.call_id
        agree(device, second)
        await opening


async def test_nobody_answers_and_says_so(world):
    async with ready(world, invite_seconds=0.4) as (server, device, channel):
        with pytest.raises(CallFailed) as failure:
            await server.invite("s1", channel, "127.0.0.1", 30012)
        assert failure.value.code == "no_answer"
        assert "SIP" in failure.value.detail.zh
        # A late 200 must not leave the camera sending to nobody.
        invite = await next_request(device, "INVITE")
        agree(device, invite)
        await next_request(device, "ACK")
        device.answer(await next_request(device, "BYE"), 200)
        assert server.calls == []


async def test_who_rings_too_long_is_cancelled(world):
    async with ready(world, invite_seconds=0.4) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        invite = await next_request(device, "INVITE")
        device.answer(invite, 100)
        cancel = await next_request(device, "CANCEL")
        assert cancel.via.branch == invite.via.branch
        device.answer(cancel, 200)
        device.answer(invite, 487)
        await next_request(device, "ACK")
        with pytest.raises(CallFailed, match="no_answer"):
            await opening


async def test_giving_up_while_it_opens(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        invite = await next_request(device, "INVITE")
        device.answer(invite, 100)
        await until(lambda: server._calls._opening["s1"].heard)
        assert await server.bye("s1")
        await next_request(device, "CANCEL")
        with pytest.raises(CallFailed, match="cancelled"):
            await opening


async def test_offline_unknown_and_unplayable_are_told_apart(world):
    await world.peer()
    server = await world.start(catalogue_on_register=False)
    channel = await add_channel(world)
    speaker = await add_channel(world, f"{PLATFORM[:10]}1370000001")
    for wanted, code in ((channel, "device_offline"), (99_999, "channel_unknown"), (speaker, "channel_not_playable")):
        with pytest.raises(CallFailed) as failure:
            await server.invite("s1", wanted, "127.0.0.1", 30012)
        assert failure.value.code == code


async def ended_events(world):
    rows = await world.rows("SELECT payload FROM system.outbox WHERE name = 'signalling.stream.ended' ORDER BY id")
    return [(row[0]["stream_id"], row[0]["reason"]) for row in rows]


async def test_the_camera_hangs_up(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        invite = await next_request(device, "INVITE")
        answer = agree(device, invite, tag="theirs")
        await opening
        dialog = Dialog.from_request(invite, "theirs")
        stranger = dialog.request("BYE")
        stranger.headers.set("Call-ID", "guessed@somewhere")
        async with Device(PLATFORM, server.port).on("127.0.0.2") as elsewhere:
            assert (await elsewhere.ask(stranger)).status == 481
        assert len(server.calls) == 1
        assert (await device.ask(dialog.request("BYE"))).status == 200
        assert server.calls == []
        assert await until(lambda: ended_events(world)) == [("s1", "remote_bye")]
        assert answer.status == 200


async def test_a_peer_that_goes_takes_its_calls_along(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        agree(device, await next_request(device, "INVITE"))
        await opening
        await device.register(PASSWORD, 0)
        assert server.calls == []
        assert await until(lambda: ended_events(world)) == [("s1", "peer_offline")]


async def test_a_restart_carries_wanted_calls_on_and_ends_the_others(world):
    kept, stale = str(uuid.uuid4()), str(uuid.uuid4())

    async def wanted():
        return {kept}

    async with ready(world) as (first, device, channel):
        other = await add_channel(world, f"{PLATFORM[:10]}1310000002")
        for stream, which in ((kept, channel), (stale, other)):
            opening = asyncio.create_task(first.invite(stream, which, "127.0.0.1", 30012))
            agree(device, await next_request(device, "INVITE"))
            await opening
        await until(lambda: first.peers.get(PLATFORM).registered_at)
        port = first.port
        await world.stop(first)
        second = await world.start(port, catalogue_on_register=False, wanted_streams=wanted)
        bye = await next_request(device, "BYE")
        device.answer(bye, 200)
        await until(lambda: [call.stream_id for call in second.calls] == [kept])
        ending = asyncio.create_task(second.bye(kept))
        bye = await next_request(device, "BYE")
        assert bye.cseq.number > 1
        device.answer(bye, 200)
        assert await ending

        async def forgotten():
            return await world.rows("SELECT 1 FROM signalling.dialog") == []

        await until(forgotten)


async def test_one_live_call_per_channel(world):
    async with ready(world) as (server, device, channel):
        opening = asyncio.create_task(server.invite("s1", channel, "127.0.0.1", 30012))
        agree(device, await next_request(device, "INVITE"))
        await opening
        opening = asyncio.create_task(server.invite("s2", channel, "127.0.0.1", 30014))
        device.answer(await next_request(device, "BYE"), 200)
        agree(device, await next_request(device, "INVITE"))
        answer = await opening
        assert answer["steps"][0]["step"] == "stale_ended"
        assert [call.stream_id for call in server.calls] == ["s2"]


async def test_real_pictures_over_tcp(world, config):
    await world.peer(media_transport="tcp_passive")
    server = await world.start()
    came: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader, writer):
        try:
            for _ in range(5):
                size = int.from_bytes(await reader.readexactly(2))
                came.put_nowait(await reader.readexactly(size))
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with SimulatedPlatform(config(server, transport="tcp")) as platform:
        answer = await server.invite("s1", await channel_id(world), "127.0.0.1", port, transport="tcp_passive")
        packet = await asyncio.wait_for(came.get(), 10)
        assert packet[0] >> 6 == 2
        assert int.from_bytes(packet[8:12]) == answer["ssrc"]
        assert await server.bye("s1")
        await until(lambda: not platform.streams)
    listener.close()
    await listener.wait_closed()


async def test_a_camera_that_refuses_over_the_simulator(world, config):
    await world.peer()
    server = await world.start()
    settings = config(server)
    settings.faults.refuse_invite = 486
    async with SimulatedPlatform(settings):
        with pytest.raises(CallFailed, match="busy"):
            await server.invite("s1", await channel_id(world), "127.0.0.1", 30012)
