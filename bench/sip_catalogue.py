"""A catalogue of 100,000 channels, from the socket to committed rows.

    python bench/sip_catalogue.py [CHANNELS]

Method: a platform in this process answers a catalogue query of the real server (a process of its own, PostgreSQL behind
it) over UDP with a window of 64 packets, eight items per packet and then one; every item has 17 elements in GB 18030. What
counts is the CPU time of the server and of all PostgreSQL processes together, from the query until the run is complete in
the database: "per core" is items per second if all of them had one processor. Memory is what the server's process grew by
at the most. Then the same again, when nothing has changed.
"""

import asyncio
import re
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from _figures import Figure, report
from _sip_load import Load, apart, children, code_of, cpu
from _sip_servers import Server, fill, serve
from sip_persistence import postmaster

from gongshi.db.embedded import APPLICATION, EmbeddedPostgres
from gongshi.db.engine import plain_url
from gongshi.node.migrate import migrate
from gongshi.protocols.manscdp import CatalogItem, CatalogResponse, parse
from gongshi.protocols.sip import Request, Response, parse_message

WINDOW = 64
FIELDS = {
    "Manufacturer": "制造商",
    "Model": "M1",
    "Owner": "0",
    "CivilCode": "341502",
    "Block": "34150200",
    "Address": "皋城中路1号",
    "Parental": "0",
    "ParentID": code_of(0),
    "SafetyWay": "0",
    "RegisterWay": "1",
    "Secrecy": "0",
    "Status": "ON",
    "Longitude": "116.50731",
    "Latitude": "31.75442",
}


@dataclass
class Result:
    """Of one catalogue."""

    server: float
    database: float
    seconds: float
    grown: int

    def per_core(self, items: int) -> float:
        return items / (self.server + self.database)


def resident(pid: int) -> int:
    """Bytes in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


class Platform(Load):
    """One platform that has registered and answers catalogue queries."""

    def answer_query(self, channels: int, per_packet: int, watch: int) -> int:
        """Wait for the query and send everything; the highest memory of the process `watch` meanwhile."""
        self.socket.settimeout(10)
        while True:
            message = parse_message(self.socket.recv(65536))
            if isinstance(message, Request) and b"Catalog" in message.body:
                break
        self.socket.send(Response.to_request(message, 200).to_bytes())
        sn = parse(message.body).sn or 0
        highest = waiting = 0
        for number, packet in enumerate(self._packets(sn, channels, per_packet)):
            self.socket.send(packet)
            waiting += 1
            if waiting >= WINDOW:
                # Half a window at once: who is woken for each answer makes the sender pay for it.
                while waiting > WINDOW // 2:
                    waiting -= self._acknowledged()
            if number % 500 == 0:
                highest = max(highest, resident(watch))
        while waiting:
            waiting -= self._acknowledged()
        return max(highest, resident(watch))

    def _acknowledged(self) -> int:
        return int(self.socket.recv(65536).startswith(b"SIP/2.0 200"))

    def _packets(self, sn: int, channels: int, per_packet: int):
        items = [
            CatalogItem(f"3415020000131{n:07d}", "皋城中路东口", FIELDS, {"PTZType": "1", "RoomType": "1"})
            for n in range(per_packet)
        ]
        pieces = re.split(rb"3415020000131\d{7}", CatalogResponse(code_of(0), sn, channels, items).build())
        head = self.keepalive(0, 0).partition(b"\r\n\r\n")[0]
        head = re.sub(rb"Content-Length: \d+", b"Content-Length: %d", head)
        head = re.sub(rb"branch=z9hG4bK0", b"branch=z9hG4bK%x", head).replace(b"Call-ID: 0.0", b"Call-ID: %d.c")
        for serial, first in enumerate(range(0, channels, per_packet)):
            parts = [pieces[0]]
            for place, piece in enumerate(pieces[1:]):
                parts += [b"3415020000131%07d" % (first + place), piece]
            body = b"".join(parts)
            yield head % (serial, serial, len(body)) + b"\r\n\r\n" + body


def take_in(
    own: Server, platform: Platform, url: str, peer: int, database: int, channels: int, per_packet: int
) -> Result:
    """One catalogue."""
    with psycopg.connect(plain_url(url), autocommit=True) as watch:
        last = b"SELECT coalesce(max(id), 0) FROM signalling.catalogue_run"
        before = (watch.execute(last).fetchone() or (0,))[0]
        server_cpu, database_cpu = cpu(own.pids), cpu(children(database))
        memory, moment = resident(own.process.pid), time.monotonic()
        own.ask(f"catalogue {peer}")
        highest = platform.answer_query(channels, per_packet, own.process.pid)
        done = b"SELECT state, received FROM signalling.catalogue_run WHERE id > %s AND ended_at IS NOT NULL"
        while (row := watch.execute(done, [before]).fetchone()) is None:
            time.sleep(0.05)
        seconds = time.monotonic() - moment
        if row != ("complete", channels):
            raise RuntimeError(f"not complete: {row}")
        result = Result(cpu(own.pids) - server_cpu, cpu(children(database)) - database_cpu, seconds, highest - memory)
    # The run looks for latecomers first, and then for what is missing.
    time.sleep(0.6)
    return result


def main(channels: int) -> int:
    print(__doc__)
    apart()
    directory = Path(tempfile.mkdtemp(prefix="gs"))
    found: dict[tuple[int, str], Result] = {}
    try:
        with EmbeddedPostgres(directory) as postgres:
            migrate(postgres.owner_url, APPLICATION)
            asyncio.run(fill(postgres.url, 1))
            database = postmaster(postgres.owner_url)
            with psycopg.connect(plain_url(postgres.owner_url), autocommit=True) as setup:
                peer = (setup.execute("SELECT id FROM signalling.peer").fetchone() or (0,))[0]
                with serve(postgres.url) as own:
                    platform = Platform(own.port, 1)
                    platform.saturate("register", 0.1, window=1, at_least=1)
                    for per_packet in (8, 1):
                        setup.execute("TRUNCATE signalling.channel CASCADE")
                        for what in ("new", "unchanged"):
                            found[per_packet, what] = take_in(
                                own, platform, postgres.owner_url, peer, database, channels, per_packet
                            )
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    for (per_packet, what), result in found.items():
        each = 1e6 / channels
        print(
            f"{per_packet} per packet, {what:9}: {result.per_core(channels):8,.0f} items/s per core "
            f"(server {result.server * each:.1f} us, PostgreSQL {result.database * each:.1f} us each), "
            f"{result.seconds:.1f} s on the clock, grew by {result.grown / 2**20:.0f} MiB"
        )
    words = {8: ("每包 8 条", "eight per packet"), 1: ("每包 1 条", "one per packet")}
    report(
        [
            *(
                Figure(
                    f"sip_catalogue_{per_packet}",
                    f"每核每秒入库的目录条目（{words[per_packet][0]}）",
                    f"catalogue items per second and core into the database ({words[per_packet][1]})",
                    found[per_packet, "new"].per_core(channels),
                    "/s",
                    headline=per_packet == 8,
                )
                for per_packet in (8, 1)
            ),
            Figure(
                "sip_catalogue_memory",
                f"接收 {channels:,} 条目录期间增加的内存",
                f"memory added while {channels:,} catalogue items come in",
                max(result.grown for result in found.values()) / 2**20,
                "MiB",
                headline=False,
            ),
        ]
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
