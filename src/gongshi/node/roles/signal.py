"""The signal role: GB/T 28181 over sockets."""

from gongshi.media import repository as streams
from gongshi.node.roles.parts import STOP_WITHIN, answering, stop_event
from gongshi.node.runtime import Runtime
from gongshi.signalling import garbage
from gongshi.signalling.server import SignalServer


async def run(runtime: Runtime) -> None:
    """Register, answer and call devices until SIGINT or SIGTERM."""
    stop = stop_event(STOP_WITHIN)
    database = runtime.database()

    async def wanted() -> set[str]:
        async with database.read() as session:
            return {str(stream) for stream in await streams.running_streams(session)}

    server = SignalServer(
        runtime.settings.sip,
        runtime.settings.node.code,
        database,
        runtime.database_url,
        runtime.secrets.box,
        wanted_streams=wanted,
    )
    try:
        await server.start()
        garbage.settle()
        async with answering(runtime, "signal", server.handlers()):
            await stop.wait()
    finally:
        await server.stop()
        await database.close()
