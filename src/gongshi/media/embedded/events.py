"""Events as they travel on the control socket, read back into the contract's values."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from gongshi.media.engine import (
    EngineEvent,
    FirstFrame,
    NoReader,
    SessionClosed,
    SessionOpened,
    StreamClosed,
    StreamLost,
    StreamOnline,
)

_KINDS: Final[Mapping[str, Callable[..., EngineEvent]]] = {
    "online": StreamOnline,
    "first_frame": FirstFrame,
    "lost": StreamLost,
    "no_reader": NoReader,
    "stream_closed": StreamClosed,
    "session_opened": SessionOpened,
    "session_closed": SessionClosed,
}


def read_event(message: Mapping[str, Any]) -> EngineEvent | None:
    """The event of one line; None for a kind that is not known here (a newer worker)."""
    kind = _KINDS.get(str(message.get("event")))
    if kind is None:
        return None
    return kind(**{name: value for name, value in message.items() if name != "event"})
