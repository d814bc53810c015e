"""Whatever an upper sends from its own address, the node stands and goes on serving it and others."""

import asyncio
import random

from structlog.testing import capture_logs

from gongshi.access.actions import Action
from gongshi.protocols.manscdp import build, leaf
from gongshi.protocols.sip import MANSCDP, MANSRTSP, Via, new_branch
from integration.cascade.conftest import NODE, code, registered
from integration.signalling.conftest import until

EAST = code(1)


def samples(upper) -> list[bytes]:
    """One of everything that an upper may say."""

    def message(root, command, children=()):
        return upper.compose("MESSAGE", EAST, body=build(root, command, 7, EAST, children), content_type=MANSCDP)

    requests = [
        upper.invitation(EAST, upper.offer(30_012)),
        upper.invitation(EAST, upper.offer(30_012, name="Playback", start=1_790_000_000, end=1_790_000_600)),
        message("Query", "Catalog"),
        message(
            "Query", "RecordInfo", [leaf("StartTime", "2026-11-22T00:00:00"), leaf("EndTime", "2026-11-22T01:00:00")]
        ),
        message("Query", "ConfigDownload", [leaf("ConfigType", "BasicParam")]),
        message("Control", "DeviceControl", [leaf("PTZCmd", "A50F010180000036")]),
        message("Control", "DeviceControl", [leaf("TargetTrack", "Auto")]),
        message("Notify", "Broadcast", [leaf("SourceID", NODE), leaf("TargetID", EAST)]),
        upper.compose("SUBSCRIBE", NODE, body=build("Query", "Catalog", 8, NODE), content_type=MANSCDP),
        upper.compose("SUBSCRIBE", NODE, body=build("Query", "Alarm", 9, NODE), content_type=MANSCDP),
        upper.compose("INFO", EAST, body=b"PLAY RTSP/1.0\r\nCSeq: 1\r\nScale: 2.0\r\n\r\n", content_type=MANSRTSP),
        *(upper.compose(method, EAST) for method in ("BYE", "CANCEL", "ACK", "OPTIONS", "NOTIFY", "PUBLISH")),
    ]
    wires = []
    for request in requests:
        request.headers.add_first(
            "Via", str(Via("UDP", upper.host, upper.port, {"rport": None, "branch": new_branch()}))
        )
        wires.append(request.to_bytes())
    return wires


async def test_damaged_messages_of_an_upper_harm_nobody(world, upper):
    """Invariant: nothing that an upper sends ends a task with an exception, and it is served as before afterwards."""
    chance = random.Random(28181)
    async with registered(world, upper) as number:
        await world.share(number, Action.SEE | Action.LIVE | Action.PLAYBACK | Action.PTZ, EAST)
        wires = samples(upper)
        with capture_logs() as logs:
            for turn in range(600):
                data = bytearray(chance.choice(wires))
                for _ in range(chance.randrange(4)):
                    at = chance.randrange(len(data))
                    data[at : at + chance.randrange(12)] = chance.randbytes(chance.randrange(6))
                # A branch and a Call-ID of its own: what is repeated is answered from memory.
                data = data.replace(b"z9hG4bK", b"z9hG4bK%d" % turn).replace(b"Call-ID: ", b"Call-ID: %d" % turn)
                upper.udp.sendto(bytes(data), (upper.flow.host, upper.flow.port))
                if turn % 20 == 0:
                    await asyncio.sleep(0.02)
            await until(lambda: not any(world.uppers._working.values()), 60)
        failed = [entry for entry in logs if entry["log_level"] == "error"]
        assert failed == [], failed
        while not upper.messages.empty():
            upper.messages.get_nowait()
        items, _ = await upper.catalogue(NODE)
        assert [item.device_id for item in items] == [NODE, EAST]
