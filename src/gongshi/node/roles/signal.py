"""The signal role: GB/T 28181 over sockets."""

from gongshi.access.follower import RightsFollower
from gongshi.audit.service import use_algorithm
from gongshi.media import repository as streams
from gongshi.media.ports import RemoteAgent
from gongshi.node.roles.parts import STOP_WITHIN, answering, stop_event
from gongshi.node.roles.viewing import MediaViewing
from gongshi.node.rpc import Neighbours
from gongshi.node.runtime import Runtime
from gongshi.signalling import garbage
from gongshi.signalling.calls_talk import Talks
from gongshi.signalling.server import SignalServer
from gongshi.signalling.uppers.party import Uppers


async def run(runtime: Runtime) -> None:
    """Register, answer and call devices until SIGINT or SIGTERM."""
    use_algorithm(runtime.settings.audit.algorithm)
    stop = stop_event(STOP_WITHIN)
    database = runtime.database()

    async def wanted() -> set[str]:
        async with database.read() as session:
            return {str(stream) for stream in await streams.running_streams(session)}

    neighbours = Neighbours()
    server = SignalServer(
        runtime.settings.sip,
        runtime.settings.node.code,
        database,
        runtime.database_url,
        runtime.secrets.box,
        wanted_streams=wanted,
        control=str(runtime.socket("signal")),
        reach=neighbours.ask,
    )
    rights = RightsFollower(runtime.database_url)
    media = runtime.client("media")
    uppers = Uppers(
        server.ground,
        database,
        runtime.database_url,
        runtime.secrets.box,
        name=runtime.settings.node.name,
        rights=rights,
        viewing=MediaViewing(database, rights, RemoteAgent(media)),
    )
    talks = Talks(server.ground, database)
    server.admit(uppers)
    server.admit(talks)
    try:
        await rights.start()
        await server.start()
        await uppers.start()
        garbage.settle()
        async with answering(runtime, "signal", {**server.handlers(), **uppers.handlers(), **talks.handlers()}):
            await stop.wait()
    finally:
        # Uppers are told good-bye while the sockets are still open.
        await uppers.stop()
        await talks.stop()
        await server.stop()
        await rights.stop()
        await media.close()
        await neighbours.close()
        await database.close()
