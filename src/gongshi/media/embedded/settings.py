"""What a worker process is told at its start: one JSON line on standard input."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, cast


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Times in seconds, sizes in bytes. `public_key` is hexadecimal; `rtp_first`..`rtp_last` inclusive."""

    worker: int
    control: str
    host: str
    http_host: str
    http_port: int
    rtp_first: int
    rtp_last: int
    public_key: str
    origins: tuple[str, ...] = ()
    first_packet: float = 10.0
    silence: float = 10.0
    no_reader: float = 15.0
    reconnect: float = 5.0
    """A session whose viewer left may come back within this time; then it has ended (`viewer_left`)."""
    connect: float = 60.0
    """A session that was admitted and never connected ends after this time (`not_started`)."""
    stall: float = 30.0
    """A viewer that takes nothing for this long is cut (`viewer_stalled`)."""
    reach: float = 10.0
    """A relay's target must be there, or come back, within this time."""
    high_water: int = 2 << 20
    """Bytes waiting for a viewer above which pictures are dropped up to the next key frame."""
    gop_bytes: int = 4 << 20
    receive_buffer: int = 4 << 20

    def line(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def read(cls, line: str) -> "WorkerSettings":
        """Raises ValueError or TypeError for anything that `line` did not write."""
        values = cast(dict[str, Any], json.loads(line))
        values["origins"] = tuple(values.get("origins", ()))
        return cls(**values)
