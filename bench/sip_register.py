"""REGISTER with digest and keepalives: the signalling server against Kamailio's registrar, saturated and paced.

    python bench/sip_register.py [DEVICES]

Method: each server alone on one processor, the generator on another, pairs of runs interleaved. The signalling server is
the real one (bindings written behind to PostgreSQL, messages traced, keepalives read as XML); Kamailio keeps its
bindings in memory, reads no XML, gives nonces that are good once and refuses keepalives of devices that it does not
know. What counts is the servers' own CPU time (/proc/PID/task/*/schedstat) per exchange, so a slow generator or a
shared machine changes little; of a server's runs the median counts. Saturated: 256 exchanges are always open. Paced:
1,000 registrations or 2,000 keepalives begin each second, what a platform with a hundred thousand devices sees.
"""

import asyncio
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from _figures import Baseline, Figure, quantile, report
from _sip_load import Kind, Load, Run, apart, measured
from _sip_servers import KAMAILIO_LINE, Server, echo, fill, has_kamailio, kamailio, serve

from gongshi.db.embedded import APPLICATION, EmbeddedPostgres
from gongshi.node.migrate import migrate

SECONDS, ROUNDS, PACED_SECONDS = 2.0, 3, 2.0
RATES: dict[Kind, float] = {"register": 1_000.0, "keepalive": 2_000.0}
KINDS: tuple[Kind, ...] = ("register", "keepalive")
Costs = dict[tuple[str, Kind, bool], list[Run]]
"""By (server, kind, paced)."""


def compare(servers: dict[str, tuple[Server, Load]]) -> Costs:
    found: Costs = {}
    for _ in range(ROUNDS):
        for kind in KINDS:
            for paced in (False, True):
                for name, (server, load) in servers.items():
                    if paced:
                        go = partial(load.pace, kind, RATES[kind], seconds=PACED_SECONDS)
                    else:
                        go = partial(load.saturate, kind, SECONDS)
                    run = measured(server.pids, go)
                    found.setdefault((name, kind, paced), []).append(run)
    return found


def cost(found: Costs, name: str, kind: Kind, *, paced: bool) -> float:
    return median(run.cost for run in found[name, kind, paced])


def show(found: Costs) -> None:
    print(f"{'CPU microseconds per exchange':34}{'median':>8}   {'range':15} reached/s   p50 ms   p99 ms  repeated")
    for (name, kind, paced), runs in sorted(found.items()):
        costs = sorted(run.cost for run in runs)
        late = [second for run in runs for second in run.latencies]
        print(
            f"  {name:9} {kind:10} {'paced' if paced else 'saturated':10} {median(costs):8.1f}   "
            f"[{costs[0]:5.1f}-{costs[-1]:5.1f}]  {max(run.rate for run in runs):10,.0f} {quantile(late, 0.5) * 1e3:8.1f} "
            f"{quantile(late, 0.99) * 1e3:8.1f} {sum(run.repeated for run in runs):9}"
        )


def main(devices: int) -> int:
    print(__doc__)
    apart()
    directory = Path(tempfile.mkdtemp(prefix="gs"))
    try:
        with EmbeddedPostgres(directory) as postgres:
            migrate(postgres.owner_url, APPLICATION)
            asyncio.run(fill(postgres.url, devices))
            with echo() as looped:
                load = Load(looped.port, devices)
                loop_us = min(
                    measured(looped.pids, lambda: load.saturate("keepalive", 1.0)).cost for _ in range(ROUNDS)
                )
            with serve(postgres.url) as own:
                servers = {"gongshi": (own, Load(own.port, devices))}
                if has_kamailio():
                    with kamailio(own.port + 1 if own.port < 65_535 else 15_060) as other:
                        servers["kamailio"] = (other, Load(other.port, devices))
                        found = warmed(servers, devices)
                else:
                    print(
                        f"Kamailio is not here, so nothing is compared with it. To compare, type:\n  {KAMAILIO_LINE}\n"
                    )
                    found = warmed(servers, devices)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"{devices} devices; echo of a keepalive through the same loop: {loop_us:.1f} us")
    show(found)
    if bad := [key for key, runs in found.items() if any(run.refused for run in runs)]:
        print(f"refused or lost exchanges in {bad}: not a clean run")
        return 1
    figures = list(table(found, loop_us, compared="kamailio" in servers))
    report(figures)
    return 0


def warmed(servers: dict[str, tuple[Server, Load]], devices: int) -> Costs:
    for server, load in servers.values():
        # Coming online is an event and an entry each: that is not what a refresh costs.
        load.saturate("register", 0.5, at_least=devices)
        if server.process.stdin is not None:
            server.ask("settle")
    return compare(servers)


def table(found: Costs, loop_us: float, *, compared: bool) -> list[Figure]:
    words: dict[Kind, tuple[str, str]] = {
        "register": ("SIP 注册（摘要认证，各两次往返）", "SIP registrations (digest, two round trips each)"),
        "keepalive": ("SIP 心跳", "SIP keepalives"),
    }
    figures: list[Figure] = []
    for kind in KINDS:
        zh, en = words[kind]
        own = cost(found, "gongshi", kind, paced=False)
        base = Baseline("Kamailio", "Kamailio", 1e6 / cost(found, "kamailio", kind, paced=False)) if compared else None
        figures.append(Figure(f"sip_{kind}", f"每核每秒{zh}", f"{en} per second and core", 1e6 / own, "/s", base))
        paced = cost(found, "gongshi", kind, paced=True) * RATES[kind] / 1e4
        base = (
            Baseline("Kamailio", "Kamailio", cost(found, "kamailio", kind, paced=True) * RATES[kind] / 1e4)
            if compared
            else None
        )
        figures.append(
            Figure(
                f"sip_{kind}_paced",
                f"每秒 {RATES[kind]:,.0f} 次{zh}占一个核",
                f"share of a core for {RATES[kind]:,.0f} {en} per second",
                paced,
                "%",
                base,
                headline=False,
            )
        )
    figures.append(
        Figure(
            "sip_echo_share",
            "SIP 心跳达到同一收发循环空转应答的比例",
            "SIP keepalives as a share of plain echoes through the same loop",
            loop_us / cost(found, "gongshi", "keepalive", paced=False) * 100,
            "%",
            headline=False,
        )
    )
    return figures


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8_000))
