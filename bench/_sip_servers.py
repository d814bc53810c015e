"""The servers that are compared: the signalling server of a node, an echo through its socket loop, and Kamailio."""

import asyncio
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from _sip_load import NODE, PASSWORD, REALM, children, code_of, on_first
from sqlalchemy import insert

from gongshi.config import SipSettings
from gongshi.db import Database
from gongshi.kit.logging import configure
from gongshi.kit.secretbox import SecretBox
from gongshi.registry.models import Organisation, Region
from gongshi.signalling import garbage
from gongshi.signalling.models import Peer
from gongshi.signalling.policy import Policy
from gongshi.signalling.server import SignalServer
from gongshi.signalling.store import secret_label
from gongshi.signalling.wire import Udp

BOX = SecretBox(bytes(32))
KAMAILIO_LINE = "apt-get install --yes --no-install-recommends kamailio kamailio-postgres-modules"
UNLIMITED = Policy(
    source_rate=1e9,
    source_burst=1e9,
    device_rate=1e9,
    device_burst=1e9,
    catalogue_on_register=False,
    interview=False,
    subscribe=(),
    catalogue_settle=0.2,
    keepalive_write_every=3600.0,
)


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[str]
    port: int

    @property
    def pids(self) -> list[int]:
        return children(self.process.pid)

    def ask(self, word: str) -> str:
        """One line to the server's process and its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


# --- inside of the server's process -----------------------------------------------------------------------------------


async def _serve(url: str, port: int) -> None:
    configure("warning", "json")
    database = Database(url)
    server = SignalServer(SipSettings(host="127.0.0.1", port=port), NODE, database, url, BOX, policy=UNLIMITED)
    await server.start()
    garbage.settle()
    print(server.port, flush=True)
    loop = asyncio.get_running_loop()
    while word := (await loop.run_in_executor(None, sys.stdin.readline)).strip():
        name, _, argument = word.partition(" ")
        answer = "done"
        if name == "settle":
            while (await server.stats())["owed"]:  # noqa: ASYNC110 -- a measurement may look now and then
                await asyncio.sleep(0.1)
        elif name == "catalogue":
            await server.query_catalogue(int(argument))
        elif name == "online":
            answer = str(server.peers.online)
        print(answer, flush=True)
    await server.stop()
    await database.close()


async def _echo() -> None:
    server = Udp("127.0.0.1", 0, lambda data, _host, _port, _now: data, lambda: None)
    print(server.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    server.close()


# --- from outside -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def python_server(*arguments: str) -> Generator[Server]:
    """`serve URL PORT` or `echo`."""
    child = subprocess.Popen(
        [sys.executable, __file__, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=on_first,  # noqa: PLW1509 -- nothing else runs in this program yet
    )
    try:
        assert child.stdout is not None
        yield Server(child, int(child.stdout.readline()))
    finally:
        with contextlib.suppress(BrokenPipeError):
            child.communicate("\n", timeout=60)


def serve(url: str, port: int = 0) -> contextlib.AbstractContextManager[Server]:
    """The real server: bindings written behind, messages traced."""
    return python_server("serve", url, str(port))


def echo() -> contextlib.AbstractContextManager[Server]:
    return python_server("echo")


_CONFIG = """
debug=0
log_stderror=no
fork=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:{port}
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
{database}
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
modparam("usrloc", "hash_size", 14)
{mode}
modparam("auth", "one_time_nonce", 1)
modparam("auth", "nonce_expire", 300)
request_route {{
  if (is_method("REGISTER")) {{
    append_to_reply("X-GB-Ver: 3.0\\r\\n");
    if (!pv_www_authenticate("{realm}", "{password}", "0")) {{ www_challenge("{realm}", "1"); exit; }}
    append_to_reply("Date: $timef(%Y-%m-%dT%H:%M:%S).000\\r\\n");
    save("location");
    exit;
  }}
  if (is_method("MESSAGE")) {{
    if (registered("location", "$fu")) {{ sl_send_reply("200", "OK"); }} else {{ sl_send_reply("403", "Forbidden"); }}
  }}
}}
"""


def has_kamailio() -> bool:
    return shutil.which("kamailio") is not None


@contextlib.contextmanager
def kamailio(port: int, database_url: str | None = None, every: int = 5) -> Generator[Server]:
    """Kamailio as a registrar with nonces that are good once; keepalives of unknown devices are refused.

    With a database it writes its bindings behind, every so many seconds.
    """
    directory = Path(tempfile.mkdtemp(prefix="gskam"))
    text = _CONFIG.format(
        port=port,
        realm=REALM,
        password=PASSWORD,
        database='loadmodule "db_postgres.so"' if database_url else "",
        mode=f'modparam("usrloc", "db_url", "{database_url}")\nmodparam("usrloc", "db_mode", 2)\n'
        f'modparam("usrloc", "timer_interval", {every})'
        if database_url
        else 'modparam("usrloc", "db_mode", 0)',
    )
    config = directory / "kamailio.cfg"
    config.write_text(text)
    with (directory / "log").open("w") as log:
        child = subprocess.Popen(
            ["kamailio", "-f", config, "-DD", "-E", "-m", "512", "-M", "16", "-Y", directory, "-P", directory / "pid"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=on_first,  # noqa: PLW1509 -- as above
        )
    try:
        until = time.monotonic() + 10
        while f":{port:04X} " not in Path("/proc/net/udp").read_text():
            if child.poll() is not None or time.monotonic() > until:
                raise RuntimeError((directory / "log").read_text()[-2000:])
            time.sleep(0.05)
        yield Server(child, port)
    finally:
        child.terminate()
        child.wait(20)
        shutil.rmtree(directory, ignore_errors=True)


async def fill(url: str, devices: int) -> None:
    """A node's database with so many devices that may register."""
    database = Database(url)
    async with database.unit() as uow:
        uow.session.add(Region(code="341500", name="六安市", level="city"))
        await uow.session.flush()
        unit = Organisation(
            code="u", name="单位", short_name="单位", name_en="unit", kind="bureau", level="city", region_code="341500"
        )
        uow.session.add(unit)
        await uow.session.flush()
        for start in range(0, devices, 5_000):
            rows = [
                {
                    "code": code_of(number),
                    "name": f"设备{number}",
                    "organisation_id": unit.id,
                    "secret": BOX.seal(PASSWORD, secret_label(code_of(number))),
                }
                for number in range(start, min(devices, start + 5_000))
            ]
            await uow.session.execute(insert(Peer), rows)
    await database.close()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(_serve(sys.argv[2], int(sys.argv[3])))
    else:
        asyncio.run(_echo())
