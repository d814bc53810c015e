"""The media role: the media agent and its workers."""

from gongshi.node.roles.parts import answering, stop_event
from gongshi.node.runtime import Runtime


async def run(runtime: Runtime) -> None:
    """Hold streams and sessions until SIGINT or SIGTERM."""
    stop = stop_event()
    async with answering(runtime, "media", {}):
        await stop.wait()
