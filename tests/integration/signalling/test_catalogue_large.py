"""A hundred thousand channels from one platform: all of them kept, memory flat, everybody else still answered."""

import asyncio
import os
import re
import socket
from pathlib import Path

from gongshi.protocols.manscdp import CatalogItem, CatalogResponse, parse
from gongshi.protocols.sip import Request, Uri, new_request
from integration.signalling.conftest import PASSWORD, PLATFORM, until
from integration.signalling.device import NODE, Device

CHANNELS, PER_PACKET, WINDOW = 100_000, 8, 32
OTHER = "34150200002000000002"
FIELDS = {
    "Manufacturer": "制造商",
    "Model": "M1",
    "Owner": "0",
    "CivilCode": "341502",
    "Address": "人民路1号",
    "Parental": "0",
    "ParentID": PLATFORM,
    "RegisterWay": "1",
    "Secrecy": "0",
    "Status": "ON",
    "Longitude": "116.50731",
    "Latitude": "31.75442",
}
MIB = 1 << 20


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def code_of(number: int) -> str:
    return f"3415020000131{number:07d}"


def packets(sn: int, head: bytes):
    """The datagrams of the whole answer, made as they are sent. The body of a real packet is only given other numbers."""
    items = [CatalogItem(code_of(n), "人民路东口", FIELDS, {"PTZType": "1"}) for n in range(PER_PACKET)]
    body = CatalogResponse(PLATFORM, sn, CHANNELS, items).build()
    pieces = re.split(rb"3415020000131\d{7}", body)
    for serial, first in enumerate(range(0, CHANNELS, PER_PACKET)):
        filled = pieces[0]
        for place, piece in enumerate(pieces[1:]):
            filled += code_of(first + place).encode() + piece
        marked = head.replace(b"SERIAL", b"%06d" % serial).replace(b"LENGTH", b"%d" % len(filled))
        yield marked + filled


def head_of(device: Device) -> bytes:
    own, server = Uri.of(PLATFORM, PLATFORM[:10]), Uri.of(NODE, NODE[:10])
    request = new_request("MESSAGE", server, own, server, call_id="SERIAL@x", content_type="Application/MANSCDP+xml")
    request.headers.add_first("Via", f"SIP/2.0/UDP {device.host}:{device.port};rport;branch=z9hG4bKSERIAL")
    return request.to_bytes().replace(b"Content-Length: 0", b"Content-Length: LENGTH")


def send_all(sock: socket.socket, sn: int, head: bytes) -> int:
    """Send with a small window, as a platform does over a good line; how many were answered. Runs in a thread."""
    answered = waiting = 0
    for packet in packets(sn, head):
        sock.send(packet)
        waiting += 1
        while waiting >= WINDOW:
            assert sock.recv(65536).startswith(b"SIP/2.0 200")
            waiting -= 1
            answered += 1
    while waiting:
        assert sock.recv(65536).startswith(b"SIP/2.0 200")
        waiting -= 1
        answered += 1
    return answered


async def test_a_hundred_thousand_channels_with_flat_memory(world):
    peer_id = await world.peer()
    await world.peer(OTHER, name="另一平台")
    server = await world.start(catalogue_on_register=False, catalogue_first=60.0, catalogue_gap=20.0)
    async with Device(PLATFORM, server.port).on() as device, Device(OTHER, server.port).on() as other:
        assert (await device.register(PASSWORD)).status == 200
        assert (await other.register(PASSWORD)).status == 200
        await server.query_catalogue(peer_id)
        query: Request = await asyncio.wait_for(device.requests.get(), 10)
        device.answer(query, 200)
        sn = parse(query.body).sn or 0
        # The asker's own socket goes on in a thread; what the loop of this test does must not slow it.
        sock = socket.socket(fileno=os.dup(device._transport.get_extra_info("socket").fileno()))
        device._transport.pause_reading()
        sock.connect(("127.0.0.1", server.port))
        sock.settimeout(30)
        before = resident()
        highest = 0
        sending = asyncio.create_task(asyncio.to_thread(send_all, sock, sn, head_of(device)))
        heard = 0
        while not sending.done():
            assert await other.keepalive() == 200
            heard += 1
            highest = max(highest, resident())
            await asyncio.sleep(0.02)
        sock.close()
        assert await sending == CHANNELS // PER_PACKET
        assert heard > 10
        run = await until(
            lambda: world.rows(
                "SELECT state, declared, received FROM signalling.catalogue_run WHERE state <> 'running'"
            ),
            60,
        )
        assert run == [("complete", CHANNELS, CHANNELS)]
    rows = await world.rows(
        "SELECT count(*), count(DISTINCT code), min(code), max(code), count(*) FILTER (WHERE fields->>'Model' = 'M1') "
        "FROM signalling.channel WHERE gone_at IS NULL"
    )
    assert rows == [(CHANNELS, CHANNELS, code_of(0), code_of(CHANNELS - 1), CHANNELS)]
    # The codes themselves are kept until the end, to tell what is missing: about 150 bytes each.
    assert highest - before < 60 * MIB


async def test_a_sender_waits_while_the_database_does_not_keep_up(world, monkeypatch):
    monkeypatch.setattr("gongshi.signalling.catalogue._ENOUGH_WAITING", 30)
    peer_id = await world.peer()
    server = await world.start(catalogue_on_register=False, catalogue_first=20.0, catalogue_gap=20.0)
    merge, release = server._catalogues._take, asyncio.Event()

    async def slowly(run):
        await release.wait()
        await merge(run)

    server._catalogues._take = slowly
    async with Device(PLATFORM, server.port).on() as device:
        assert (await device.register(PASSWORD)).status == 200
        await server.query_catalogue(peer_id)
        query: Request = await asyncio.wait_for(device.requests.get(), 10)
        device.answer(query, 200)
        sn = parse(query.body).sn or 0

        def packet(first: int) -> Request:
            items = [CatalogItem(code_of(first + n), "门", FIELDS) for n in range(10)]
            return device.message(CatalogResponse(PLATFORM, sn, 60, items).build())

        for first in (0, 10):
            assert (await device.ask(packet(first))).status == 200
        waiting = [asyncio.create_task(device.ask(packet(first), 10)) for first in (20, 30, 40, 50)]
        done, _ = await asyncio.wait(waiting, timeout=0.3)
        assert not done, "a full queue answers nobody"
        release.set()
        assert [answer.status for answer in await asyncio.gather(*waiting)] == [200] * 4
        await until(lambda: world.rows("SELECT 1 FROM signalling.catalogue_run WHERE state = 'complete'"))
    assert await world.rows("SELECT count(*) FROM signalling.channel") == [(60,)]
