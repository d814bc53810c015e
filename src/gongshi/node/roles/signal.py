"""The signal role: GB/T 28181 over sockets."""

from gongshi.node.roles.parts import answering, stop_event
from gongshi.node.runtime import Runtime


async def run(runtime: Runtime) -> None:
    """Register, answer and call devices until SIGINT or SIGTERM."""
    stop = stop_event()
    async with answering(runtime, "signal", {}):
        await stop.wait()
