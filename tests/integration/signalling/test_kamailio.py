"""Kamailio in front of two signalling servers, with the configuration of deploy/: sticky, transparent, failing over."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from gongshi.protocols.sip import Via, parse_message
from integration.signalling.conftest import PASSWORD, PLATFORM, until
from integration.signalling.device import Device

ROOT = Path(__file__).resolve().parents[3]
FAR = "127.0.0.3"
"""Where devices are; the balancer and the servers are on 127.0.0.1."""
SDP = (
    b"v=0\r\no=34150200001310000001 0 0 IN IP4 127.0.0.3\r\ns=Play\r\nc=IN IP4 127.0.0.3\r\nt=0 0\r\n"
    b"m=video 9000 RTP/AVP 96\r\na=sendonly\r\na=rtpmap:96 PS/90000\r\ny=0200000001\r\n"
)


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def balancer(*servers):
    """The balancer; its port."""
    assert shutil.which("kamailio"), "type: sudo apt-get install --yes --no-install-recommends kamailio"
    # Its control socket's path must be short, so it does not lie below pytest's directories.
    directory = Path(tempfile.mkdtemp(prefix="kam"))
    port = free_port()
    (directory / "servers.list").write_text("".join(f"1 sip:127.0.0.1:{server}\n" for server in servers))
    text = (ROOT / "deploy" / "kamailio" / "kamailio.cfg").read_text()
    text = text.replace("udp:0.0.0.0:5060", f"udp:127.0.0.1:{port}")
    text = text.replace("/etc/kamailio/servers.list", str(directory / "servers.list"))
    (directory / "kamailio.cfg").write_text(text.replace("children=4", "children=1"))
    with (directory / "log").open("w") as log:
        process = subprocess.Popen(
            [
                "kamailio",
                "-f",
                directory / "kamailio.cfg",
                "-DD",
                "-E",
                "-m",
                "64",
                "-M",
                "8",
                "-Y",
                directory,
                "-P",
                directory / "pid",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        until_ = time.monotonic() + 15
        while f":{port:04X} " not in Path("/proc/net/udp").read_text():
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < until_
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(20)
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
async def cluster(world, processes):
    """Two servers and the balancer in front of them: (servers, the balancer's port)."""
    servers = [await processes(proxies=["127.0.0.1"]) for _ in range(2)]
    with balancer(*(server.port for server in servers)) as port:
        await asyncio.sleep(0.2)
        yield servers, port


async def owners(servers):
    return [server for server in servers if PLATFORM in await server.online()]


async def register(device):
    async def done():
        with contextlib.suppress(TimeoutError):
            return (await asyncio.wait_for(device.register(PASSWORD), 3)).status == 200

    await until(done, 20)


async def test_devices_stay_with_one_server_and_move_when_it_is_gone(world, cluster):
    servers, port = cluster
    peer_id = await world.peer()
    async with Device(PLATFORM, port).on(FAR) as device:
        await register(device)
        (owner,) = await owners(servers)
        (other,) = [server for server in servers if server is not owner]
        row = await until(lambda: world.rows("SELECT remote_host, remote_port, state FROM signalling.binding"))
        assert row == [(FAR, device.port, "online")], "the device's own address, not the balancer's"
        for _ in range(5):
            assert await device.keepalive() == 200
        # A question to the device takes the same way back, from whichever server it is asked for.
        await other.client.call("query_catalogue", peer_id=peer_id)
        request = await asyncio.wait_for(device.requests.get(), 10)
        assert b"Catalog" in request.body
        hops = request.headers.all("Via")
        assert len(hops) == 2
        assert Via.parse(hops[0]).port == port
        assert request.headers.get("Route") is None
        device.answer(request, 200)
        await owner.kill()

        async def heard():
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(device.keepalive(), 1) == 200

        await until(heard, 30)
        assert await owners([other]) == [other]
        assert (await world.rows("SELECT state FROM signalling.binding")) == [("online",)]


async def test_a_call_passes_the_balancer_both_ways(world, cluster):
    servers, port = cluster
    peer_id = await world.peer()
    await world.execute(
        "INSERT INTO signalling.channel (peer_id, code, kind, name, status, fields) "
        "VALUES (:peer, '34150200001310000001', 'device', '门', 'on', '{}')",
        peer=peer_id,
    )
    channel = (await world.rows("SELECT id FROM signalling.channel"))[0][0]
    async with Device(PLATFORM, port).on(FAR) as device:
        await register(device)
        (owner,) = await owners(servers)
        opening = asyncio.create_task(
            owner.client.call("invite", stream_id="stream-1", channel_id=channel, address="127.0.0.1", port=30000)
        )
        invite = await asyncio.wait_for(device.requests.get(), 10)
        assert invite.method == "INVITE"
        device.answer(invite, 200, body=SDP, content_type="Application/SDP", tag="there")
        assert (await opening)["ssrc"]
        ack = await asyncio.wait_for(device.requests.get(), 10)
        assert ack.method == "ACK"
        ending = asyncio.create_task(owner.client.call("bye", stream_id="stream-1"))
        bye = await asyncio.wait_for(device.requests.get(), 10)
        assert bye.method == "BYE"
        device.answer(bye, 200)
        assert await ending


async def test_marks_that_the_device_wrote_itself_are_not_believed(world, cluster):
    _, port = cluster
    await world.peer()
    async with Device(PLATFORM, port).on(FAR) as device:
        request = device.register_request()
        via = f"SIP/2.0/UDP {device.host}:{device.port};rport=5060;received=10.9.9.9;branch=z9hG4bKforged"
        request.headers.add_first("Via", via)
        device.send(request.to_bytes())
        answer = parse_message(await asyncio.wait_for(device.raw.get(), 5))
        assert answer.to_bytes().startswith(b"SIP/2.0 400")
        assert await world.rows("SELECT 1 FROM signalling.binding") == []
