"""A signalling server in a process of its own: `python -m support.signal_process URL PORT CONTROL`.

Prints its port and answers on its control socket, as the signal role of a node does, until SIGTERM.
"""

import asyncio
import signal
import sys
from pathlib import Path

from gongshi.config import SipSettings
from gongshi.db.engine import Database
from gongshi.kit.logging import configure
from gongshi.kit.secretbox import SecretBox
from gongshi.node.rpc import Neighbours, RpcServer
from gongshi.signalling.policy import Policy
from gongshi.signalling.server import SignalServer

NODE = "34150000002000000001"


async def main(url: str, port: int, control: str, proxies: list[str]) -> None:
    # Nobody reads the rest of our output, and a full pipe would stop us.
    configure("error", "json")
    database, neighbours = Database(url), Neighbours()
    policy = Policy(
        write_every=0.02,
        housekeeping=0.05,
        instance_beat=0.2,
        instance_gone=1.5,
        catalogue_on_register=False,
        interview=False,
        subscribe=(),
        bye_seconds=0.5,
    )
    settings = SipSettings(host="127.0.0.1", port=port, proxies=proxies)

    async def wanted() -> set[str]:
        return {"stream-1"}

    server = SignalServer(
        settings,
        NODE,
        database,
        url,
        SecretBox(bytes(32)),
        policy=policy,
        wanted_streams=wanted,
        control=control,
        reach=neighbours.ask,
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await server.start()
    rpc = RpcServer(Path(control), server.handlers())
    await rpc.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    await stop.wait()
    await rpc.close()
    await server.stop()
    await neighbours.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]))
