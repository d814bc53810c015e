"""Load on a SIP server over one UDP socket: registrations with a real digest each, and keepalives.

Saturated: a fixed number of exchanges is always open. Paced: exchanges begin at a fixed rate whatever happens. What is
measured is the CPU time of the server's processes (/proc/PID/task/*/schedstat) per exchange; the generator's own speed
only bounds how many there are.
"""

import contextlib
import hashlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

NODE, REALM, PASSWORD = "34150000002000000001", "3415000000", "Camera#2024"
Kind = Literal["register", "keepalive"]
_REPEAT = 0.5


def code_of(number: int) -> str:
    return f"3415020000118{number:07d}"


def md5(text: bytes) -> bytes:
    return hashlib.md5(text, usedforsecurity=False).hexdigest().encode()


def children(pid: int) -> list[int]:
    """A process and all below it."""
    found = [pid]
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            found += children(int(child))
    return found


def cpu(pids: Iterable[int]) -> float:
    """Seconds on a processor of all threads of the processes."""
    total = 0
    for pid in pids:
        for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(FileNotFoundError):
                total += int(path.read_text().split()[0])
    return total / 1e9


def apart() -> None:
    """Keep the generator off the first processor, where the server is put."""
    if len(os.sched_getaffinity(0)) > 1:
        os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[1:]))


def on_first() -> None:
    """For `preexec_fn`: servers share one processor, one after the other."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@dataclass
class Run:
    """What came of some seconds of load."""

    done: int = 0
    refused: int = 0
    repeated: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list[float])

    @property
    def cost(self) -> float:
        """CPU microseconds per exchange."""
        return self.cpu / max(1, self.done) * 1e6

    @property
    def rate(self) -> float:
        return self.done / self.seconds


class Load:
    """Devices behind one socket."""

    def __init__(self, port: int, devices: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        own = self.socket.getsockname()[1]
        self.devices = devices
        uri = f"sip:{NODE}@{REALM}"
        self._codes = [code_of(number).encode() for number in range(devices)]
        self._secrets = [md5(f"{code_of(n)}:{REALM}:{PASSWORD}".encode()) for n in range(devices)]
        self._tail = md5(f"REGISTER:{uri}".encode())
        via = f"Via: SIP/2.0/UDP 127.0.0.1:{own};rport;branch=z9hG4bK"
        self._register = f"REGISTER {uri} SIP/2.0\r\n{via}".encode()
        self._message = f"MESSAGE {uri} SIP/2.0\r\n{via}".encode()
        self._contact = f"@127.0.0.1:{own}>\r\nExpires: 86400\r\n".encode()
        self._uri = uri.encode()
        self._serial = 0
        self._open: dict[int, tuple[int, float, float]] = {}
        """Serial to (device, when it began, when it was sent last)."""
        self.turn = 0

    def close(self) -> None:
        self.socket.close()

    # --- messages ----------------------------------------------------------------------------------------------------

    def _begin(self, kind: Kind) -> None:
        device = self.turn % self.devices
        self.turn += 1
        self._serial += 1
        now = time.monotonic()
        self._open[self._serial] = (device, now, now)
        self._send(
            self.registration(device, self._serial) if kind == "register" else self.keepalive(device, self._serial)
        )

    def _send(self, data: bytes) -> None:
        try:
            self.socket.send(data)
        except BlockingIOError:
            select.select([], [self.socket], [], 0.1)
            with contextlib.suppress(BlockingIOError):
                self.socket.send(data)

    def registration(self, device: int, serial: int, proof: bytes = b"") -> bytes:
        code = self._codes[device]
        number = 2 if proof else 1
        return (
            b"%b%x.%d\r\nFrom: <sip:%b@3415020000>;tag=%x\r\nTo: <sip:%b@3415020000>\r\nCall-ID: %d.%d\r\n"
            b"CSeq: %d REGISTER\r\nContact: <sip:%b%b%bMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        ) % (self._register, serial, number, code, serial, code, device, serial, number, code, self._contact, proof)

    def keepalive(self, device: int, serial: int) -> bytes:
        code = self._codes[device]
        body = (
            b'<?xml version="1.0" encoding="GB2312"?>\r\n<Notify>\r\n<CmdType>Keepalive</CmdType>\r\n<SN>%d</SN>\r\n'
            b"<DeviceID>%b</DeviceID>\r\n<Status>OK</Status>\r\n</Notify>\r\n"
        ) % (serial % 1_000_000, code)
        return (
            b"%b%x\r\nFrom: <sip:%b@3415020000>;tag=%x\r\nTo: <sip:%b@%b>\r\nCall-ID: %d.%d\r\nCSeq: 20 MESSAGE\r\n"
            b"Max-Forwards: 70\r\nContent-Type: Application/MANSCDP+xml\r\nContent-Length: %d\r\n\r\n%b"
        ) % (
            self._message, serial, code, serial, NODE.encode(), REALM.encode(), device, serial, len(body), body
        )  # fmt: skip

    def _answer(self, data: bytes, device: int, serial: int) -> bytes:
        start = data.index(b'nonce="') + 7
        nonce = data[start : data.index(b'"', start)]
        cnonce = b"%08x" % serial
        response = md5(b"%b:%b:00000001:%b:auth:%b" % (self._secrets[device], nonce, cnonce, self._tail))
        return self.registration(
            device,
            serial,
            b'Authorization: Digest username="%b",realm="3415000000",nonce="%b",uri="%b",response="%b",algorithm=MD5,'
            b'qop=auth,nc=00000001,cnonce="%b"\r\n'
            % (self._codes[device], nonce, self._uri, response, cnonce),
        )  # fmt: skip

    # --- runs --------------------------------------------------------------------------------------------------------

    def _take(self, run: Run) -> int:
        """Everything that has come; how many exchanges ended."""
        ended = 0
        receive = self.socket.recv
        while True:
            try:
                data = receive(65536)
            except BlockingIOError:
                return ended
            if data[:8] not in {b"SIP/2.0 ", b"MESSAGE "}:
                continue
            at = data.index(b"Call-ID: ") + 9
            device, serial = (int(part) for part in data[at : data.index(b"\r", at)].split(b"."))
            if data.startswith(b"SIP/2.0 401"):
                if serial in self._open:
                    began = self._open[serial][1]
                    self._open[serial] = (device, began, time.monotonic())
                    self._send(self._answer(data, device, serial))
                continue
            known = self._open.pop(serial, None)
            if known is None:
                continue
            ended += 1
            run.done += 1
            run.refused += not data.startswith((b"SIP/2.0 200", b"MESSAGE"))
            run.latencies.append(time.monotonic() - known[1])

    def _repeat(self, kind: Kind, run: Run) -> None:
        """Send again what nobody answered."""
        now = time.monotonic()
        for serial, (device, began, sent) in list(self._open.items()):
            if now - sent > _REPEAT:
                run.repeated += 1
                self._open[serial] = (device, began, now)
                self._send(self.registration(device, serial) if kind == "register" else self.keepalive(device, serial))

    def saturate(self, kind: Kind, seconds: float, *, window: int = 256, at_least: int = 0) -> Run:
        """As many exchanges as fit into so many seconds; more until `at_least` were done."""
        run, start = Run(), time.monotonic()
        while (passed := time.monotonic() - start) < seconds or run.done < at_least:
            while len(self._open) < window:
                self._begin(kind)
            select.select([self.socket], [], [], 0.2)
            if not self._take(run) and passed > _REPEAT:
                self._repeat(kind, run)
        return self._finish(kind, run, start)

    def pace(self, kind: Kind, rate: float, *, seconds: float = 0.0, count: int = 0) -> Run:
        """`rate` exchanges a second for so long, or until `count` have begun."""
        run, start, begun = Run(), time.monotonic(), 0
        total = count or int(rate * seconds)
        while begun < total:
            due = min(total, int((time.monotonic() - start) * rate) + 1)
            while begun < due:
                self._begin(kind)
                begun += 1
            wait = start + begun / rate - time.monotonic()
            select.select([self.socket], [], [], max(0.0, wait))
            self._take(run)
        return self._finish(kind, run, start)

    def _finish(self, kind: Kind, run: Run, start: float) -> Run:
        """Wait for what is open."""
        until = time.monotonic() + 10
        while self._open and time.monotonic() < until:
            select.select([self.socket], [], [], 0.2)
            if not self._take(run):
                self._repeat(kind, run)
        run.refused += len(self._open)
        self._open.clear()
        run.seconds = time.monotonic() - start
        return run


def measured(pids: Iterable[int], work: Callable[[], Run]) -> Run:
    """A run with the CPU time that the processes took for it."""
    watched = list(pids)
    before = cpu(watched)
    run = work()
    run.cpu = cpu(watched) - before
    return run
