"""The baseline of bench/media_streams.py: the media worker's own event loop and tick, and nothing else.

Every datagram is received; what a picture's datagrams carried goes to the viewer in one write when its marker comes. No
reorder, no PS, no FLV, no sessions: the least that Python on this loop must spend to move the bytes.
"""

import asyncio
import json
import os
import socket
import sys

from gongshi.media.embedded.poller import Poller

BUFFER = 4 << 20


class Flow:
    """One camera's port and its viewer."""

    def __init__(self, poller: Poller) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        self.socket.bind(("127.0.0.1", 0))
        self.viewer: asyncio.Transport | None = None
        self.packets = 0
        self._picture: list[bytes] = []
        poller.add(self.socket.fileno(), self._drain)

    def _drain(self, _now: float) -> None:
        picture = self._picture
        receive = self.socket.recv
        try:
            while True:
                data = receive(2048)
                self.packets += 1
                picture.append(data[12:])
                if data[1] & 0x80:
                    if self.viewer is not None:
                        self.viewer.write(b"".join(picture))
                    picture.clear()
        except BlockingIOError:
            pass


class Viewer(asyncio.Protocol):
    """Joined to the flow that the request's path names by number."""

    def __init__(self, flows: list[Flow]) -> None:
        self._flows = flows
        self._transport: asyncio.Transport | None = None
        self._flow: Flow | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._flow = self._flows[int(data.split(b" ", 2)[1].strip(b"/"))]
        self._flow.viewer = self._transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self._flow is not None:
            self._flow.viewer = None


async def main(count: int) -> None:
    """Tell the ports, then serve until standard input closes."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    loop = asyncio.get_running_loop()
    poller = Poller(loop)
    flows = [Flow(poller) for _ in range(count)]
    server = await loop.create_server(lambda: Viewer(flows), "127.0.0.1", 0)
    ports = [flow.socket.getsockname()[1] for flow in flows]
    print(json.dumps({"ports": ports, "http": server.sockets[0].getsockname()[1]}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    print(json.dumps({"packets": sum(flow.packets for flow in flows)}), flush=True)
    # Nothing to put in order: the operating system closes what this process holds.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
