"""REGISTER with digest and keepalives that one core of the signalling server carries.

    python bench/sip_register.py [DEVICES]

Method: the real server (embedded PostgreSQL behind it, bindings written behind, messages traced) in a process of its
own on loopback; a generator in this process keeps a window of requests open over one UDP socket, with a real digest
answer for each device. What counts is the server's own CPU time (/proc/PID/schedstat) per exchange in the measured
window; "per second and core" is its reciprocal, so a slow generator or a shared machine does not change it. The
baseline is an echo of the same keepalive through the same socket loop: what the loop alone costs.
"""

import asyncio
import contextlib
import hashlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator as Generator_
from pathlib import Path

from _figures import Baseline, Figure, report

from gongshi.config import SipSettings
from gongshi.db import Database
from gongshi.db.embedded import APPLICATION, EmbeddedPostgres
from gongshi.kit.logging import configure
from gongshi.kit.secretbox import SecretBox
from gongshi.node.migrate import migrate
from gongshi.registry.models import Organisation, Region
from gongshi.signalling import garbage
from gongshi.signalling.models import Peer
from gongshi.signalling.policy import Policy
from gongshi.signalling.server import SignalServer
from gongshi.signalling.store import secret_label
from gongshi.signalling.wire import Udp

NODE, REALM, PASSWORD = "34150000002000000001", "3415000000", "Camera#2024"
WINDOW, WARM, SECONDS, ROUNDS = 128, 0.5, 3.0, 3
BOX = SecretBox(bytes(32))


def code_of(number: int) -> str:
    return f"3415020000118{number:07d}"


# --- the server's process ---------------------------------------------------------------------------------------------


async def serve(url: str) -> None:
    configure("warning", "json")
    database = Database(url)
    unlimited = Policy(
        source_rate=1e9, source_burst=1e9, device_rate=1e9, device_burst=1e9, catalogue_on_register=False
    )
    server = SignalServer(SipSettings(host="127.0.0.1", port=0), NODE, database, url, BOX, policy=unlimited)
    await server.start()
    garbage.settle()
    print(server.port, flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline) == "settle\n":
        while (await server.stats())["owed"]:  # noqa: ASYNC110 -- a measurement may look now and then
            await asyncio.sleep(0.1)
        print("settled", flush=True)
    await server.stop()
    await database.close()


async def echo() -> None:
    box: list[Udp] = []
    box.append(Udp("127.0.0.1", 0, lambda data, host, port, _: box[0].send(data, host, port), lambda: None))
    print(box[0].port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    box[0].close()


# --- the generator ----------------------------------------------------------------------------------------------------


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


class Generator:
    """A closed loop: a fixed number of exchanges is always open."""

    def __init__(self, port: int, devices: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.connect(("127.0.0.1", port))
        self.socket.settimeout(5.0)
        self.own = self.socket.getsockname()[1]
        self.codes = [code_of(number) for number in range(devices)]
        self.secrets = [md5(f"{code}:{REALM}:{PASSWORD}") for code in self.codes]
        self.uri = f"sip:{NODE}@{REALM}"
        self.tail = md5(f"REGISTER:{self.uri}")
        self.serial = 0
        self.done = 0
        self.refused = 0
        self.lost = 0

    def head(self, method: str, device: int, branch: str) -> str:
        code = self.codes[device]
        to = NODE if method == "MESSAGE" else code
        return (
            f"{method} {self.uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{self.own};rport;branch=z9hG4bK{branch}\r\n"
            f"From: <sip:{code}@3415020000>;tag={branch}\r\nTo: <sip:{to}@3415020000>\r\n"
            f"Call-ID: {device}.{self.serial}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
        )

    def register(self, device: int, credentials: str = "") -> None:
        self.serial += 1
        head = self.head("REGISTER", device, f"{self.serial:x}")
        contact = f"Contact: <sip:{self.codes[device]}@127.0.0.1:{self.own}>\r\n"
        self.socket.send(f"{head}{contact}Expires: 86400\r\n{credentials}Content-Length: 0\r\n\r\n".encode())

    def keepalive(self, device: int) -> None:
        self.serial += 1
        body = (
            '<?xml version="1.0" encoding="GB2312"?>\r\n<Notify><CmdType>Keepalive</CmdType>'
            f"<SN>{self.serial}</SN><DeviceID>{self.codes[device]}</DeviceID><Status>OK</Status></Notify>"
        )
        head = self.head("MESSAGE", device, f"{self.serial:x}")
        kind = "Content-Type: Application/MANSCDP+xml\r\n"
        self.socket.send(f"{head}{kind}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    def answer(self, data: bytes, device: int) -> None:
        start = data.index(b'nonce="') + 7
        nonce = data[start : data.index(b'"', start)].decode()
        cnonce = f"{self.serial:08x}"
        response = md5(f"{self.secrets[device]}:{nonce}:00000001:{cnonce}:auth:{self.tail}")
        self.register(
            device,
            f'Authorization: Digest username="{self.codes[device]}",realm="{REALM}",nonce="{nonce}",uri="{self.uri}",'
            f'response="{response}",algorithm=MD5,qop=auth,nc=00000001,cnonce="{cnonce}"\r\n',
        )

    def run(self, kind: str, seconds: float, *, at_least: int = 0) -> None:
        """Exchanges for so long, and until every device had its turn when `at_least` says so."""
        begin = self.register if kind == "register" else self.keepalive
        turn, open_ = 0, 0
        until, self.done = time.monotonic() + seconds, 0
        while time.monotonic() < until or self.done < at_least:
            while open_ < WINDOW:
                begin(turn % len(self.codes))
                turn += 1
                open_ += 1
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                self.lost += open_
                open_ = 0
                continue
            if data.startswith(b"SIP/2.0 401"):
                at = data.index(b"Call-ID: ") + 9
                self.answer(data, int(data[at : data.index(b".", at)]))
                continue
            open_ -= 1
            self.done += 1
            self.refused += not data.startswith((b"SIP/2.0 200", b"MESSAGE"))
        with contextlib.suppress(TimeoutError):
            for _ in range(open_):
                self.socket.recv(65536)


def cpu(pid: int) -> float:
    """Seconds on a processor, all threads of the process."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def measured(generator: Generator, kind: str, pid: int) -> tuple[float, float]:
    """(CPU microseconds per exchange, exchanges per second that the generator reached)."""
    generator.run(kind, WARM)
    before, start = cpu(pid), time.monotonic()
    generator.run(kind, SECONDS)
    return (cpu(pid) - before) / generator.done * 1e6, generator.done / (time.monotonic() - start)


@contextlib.contextmanager
def process(*arguments: str) -> Generator_[tuple[subprocess.Popen[str], int]]:
    child = subprocess.Popen(
        [sys.executable, __file__, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout is not None
        yield child, int(child.stdout.readline())
    finally:
        child.communicate("\n", timeout=60)


def settle(child: subprocess.Popen[str]) -> None:
    """Wait until the server has written what it owes to the database."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("settle\n")
    child.stdin.flush()
    child.stdout.readline()


async def fill(url: str, devices: int) -> None:
    database = Database(url)
    async with database.unit() as uow:
        uow.session.add(Region(code="341500", name="六安市", level="city"))
        await uow.session.flush()
        unit = Organisation(
            code="u", name="单位", short_name="单位", name_en="unit", kind="bureau", level="city", region_code="341500"
        )
        uow.session.add(unit)
        await uow.session.flush()
        for number in range(devices):
            code = code_of(number)
            sealed = BOX.seal(PASSWORD, secret_label(code))
            uow.session.add(Peer(code=code, name=code, organisation_id=unit.id, secret=sealed))
    await database.close()


def main(devices: int) -> int:
    print(__doc__)
    directory = Path(tempfile.mkdtemp(prefix="gs"))
    try:
        with EmbeddedPostgres(directory) as postgres:
            migrate(postgres.owner_url, APPLICATION)
            asyncio.run(fill(postgres.url, devices))
            with process("--echo") as (child, port):
                loop_us = min(measured(Generator(port, devices), "keepalive", child.pid)[0] for _ in range(ROUNDS))
            found: dict[str, list[tuple[float, float]]] = {"register": [], "keepalive": []}
            with process("--serve", postgres.url) as (child, port):
                generator = Generator(port, devices)
                # Coming online is an event and an entry each: that is not what a refresh costs.
                generator.run("register", 1.0, at_least=devices)
                settle(child)
                for _ in range(ROUNDS):
                    for kind, figures in found.items():
                        figures.append(measured(generator, kind, child.pid))
            if generator.refused or generator.lost:
                print(f"refused {generator.refused}, lost {generator.lost}: not a clean run")
                return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{devices} devices, window {WINDOW}, {ROUNDS} rounds of {SECONDS:.0f} s; CPU microseconds per exchange")
    print(f"  echo through the same loop  {loop_us:6.1f}")
    best: dict[str, float] = {}
    for kind, figures in found.items():
        costs = sorted(cost for cost, _ in figures)
        best[kind] = costs[len(costs) // 2]
        reached = max(rate for _, rate in figures)
        print(f"  {kind:26}  {best[kind]:6.1f}  [{costs[0]:.1f}-{costs[-1]:.1f}]   {reached:,.0f}/s reached")
    report(
        [
            Figure(
                "sip_register",
                "每核每秒 SIP 注册（摘要认证，各两次往返）",
                "SIP registrations per second and core (digest, two round trips each)",
                1e6 / best["register"],
                "/s",
            ),
            Figure(
                "sip_keepalive",
                "每核每秒 SIP 心跳",
                "SIP keepalives per second and core",
                1e6 / best["keepalive"],
                "/s",
                Baseline("同一收发循环的空转应答", "plain echo through the same loop", 1e6 / loop_us),
            ),
        ]
    )
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve(sys.argv[2]))
    elif sys.argv[1:2] == ["--echo"]:
        asyncio.run(echo())
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2_000))
