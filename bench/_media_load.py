"""The load of bench/media_streams.py, as processes of their own: `send` plays cameras, `watch` plays viewers."""

import json
import os
import select
import socket
import struct
import sys
import time
from pathlib import Path

SPREAD_MS = 15
"""A frame's packets leave over this long, as a real network delivers them: the worst case for a receiver."""
FRAME_MS = 40


def send(ports: list[int], clip: Path, seconds: float) -> None:
    """Play `clip` (lines of hexadecimal PS frames) to every port, each stream at its own place in the clip."""
    frames = [bytes.fromhex(line) for line in clip.read_text().split()]
    pieces = [[frame[at : at + 1388] for at in range(0, len(frame), 1388)] for frame in frames]
    header = struct.Struct("!BBHII")
    socks: list[socket.socket] = []
    for port in ports:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(("127.0.0.1", port))
        socks.append(sock)
    count = len(ports)
    place = [index * len(frames) // count for index in range(count)]
    sequence = [0] * count
    stamp = [0] * count
    ring: list[list[tuple[int, bytes, bytes]]] = [[] for _ in range(FRAME_MS)]
    due: list[list[int]] = [[] for _ in range(FRAME_MS)]
    for index in range(count):
        due[index * FRAME_MS // count].append(index)
    start = time.monotonic()
    packets = 0
    worst = 0.0
    for tick in range(int(seconds * 1000)):
        wait = start + tick / 1000 - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        worst = max(worst, -wait)
        for index in due[tick % FRAME_MS]:
            frame = pieces[place[index]]
            place[index] = (place[index] + 1) % len(pieces)
            stamp[index] = (stamp[index] + 3600) & 0xFFFFFFFF
            for number, piece in enumerate(frame):
                marker = 0x80 if number == len(frame) - 1 else 0
                head = header.pack(0x80, 96 | marker, sequence[index], stamp[index], index + 1)
                sequence[index] = (sequence[index] + 1) & 0xFFFF
                ring[(tick + SPREAD_MS * number // len(frame)) % FRAME_MS].append((index, head, piece))
        slot, ring[tick % FRAME_MS] = ring[tick % FRAME_MS], []
        for index, head, piece in slot:
            socks[index].sendmsg((head, piece))
        packets += len(slot)
    print(json.dumps({"packets": packets, "worst_lag_ms": round(worst * 1000, 1)}), flush=True)


def watch(urls: list[tuple[str, int, str]], seconds: float) -> None:
    """Read every URL (host, port, target) to the end; tell how long each took to its first picture and the bytes."""
    poll = select.epoll()
    socks: dict[int, tuple[socket.socket, float]] = {}
    joined: dict[int, float] = {}
    total = 0
    pending = list(urls)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if pending:
            host, port, target = pending.pop()
            began = time.monotonic()
            sock = socket.create_connection((host, port))
            sock.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            sock.setblocking(False)
            socks[sock.fileno()] = sock, began
            poll.register(sock.fileno(), select.EPOLLIN)
        for descriptor, _ in poll.poll(0.005):
            sock, began = socks[descriptor]
            try:
                data = sock.recv(1 << 20)
            except BlockingIOError:
                continue
            if not data:
                poll.unregister(descriptor)
                continue
            total += len(data)
            # The answer's head has about 300 bytes; the configuration and a key frame follow in one write.
            if descriptor not in joined and len(data) > 2000:
                joined[descriptor] = time.monotonic() - began
    times = sorted(joined.values())
    print(
        json.dumps({"viewers": len(socks), "joined": [round(t * 1000, 2) for t in times], "bytes": total}), flush=True
    )


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    job = json.loads(sys.stdin.readline())
    if sys.argv[1] == "send":
        send(job["ports"], Path(job["clip"]), job["seconds"])
    else:
        watch([tuple(url) for url in job["urls"]], job["seconds"])
