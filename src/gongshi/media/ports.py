"""What media asks of others, as small Protocols that the node fills (design.md §3)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

Transport = Literal["udp", "tcp_passive"]


@dataclass(frozen=True, slots=True)
class ChannelRef:
    """A channel that shows a camera, as signalling knows it."""

    id: int
    code: str
    """The channel's own 20-digit code, as the peer says it."""
    peer_code: str
    transport: Transport
    online: bool | None = None
    """Whether peer and channel were online when asked; None: unknown."""


class ChannelDirectory(Protocol):
    """signalling: which channel shows a camera."""

    async def channel_of(self, session: AsyncSession, camera_id: int) -> ChannelRef | None:
        """The best channel of a camera (online first, not gone); None when no peer has reported one."""
        ...


class DeviceControl(Protocol):
    """The `signal` role that owns the device."""

    async def invite(
        self, *, stream_id: str, channel_id: int, address: str, port: int, ssrc: int, transport: str
    ) -> Mapping[str, Any]:
        """Ask the device to send. Returns `{"call_id", "codec"?, "remote"?, "steps"}` once it has answered 200.

        Raises a Problem with code `device_offline`, `unknown_channel`, `no_answer` or `refused_<status>`.
        """
        ...

    async def bye(self, *, stream_id: str) -> None:
        """End the call of a stream; no error when there is none."""
        ...


class AgentPort(Protocol):
    """The media agent of the host that carries a session, as the web and the signal role call it."""

    async def open(self, session_id: str, host: str | None = None) -> Mapping[str, Any]:
        """Open a session that transaction 1 has written; `{"urls", "expires_at", "not_after", "stream"}`.

        `host` is the name under which the viewer reaches the portal.

        Raises a Problem whose `data` holds `steps` and `which` when there is no picture.
        """
        ...

    async def close(self, session_id: str, code: str) -> bool:
        """End a session; False when the agent does not hold it."""
        ...

    async def urls(self, session_id: str, host: str | None = None) -> Mapping[str, Any]:
        """Fresh addresses for a running session (they are good for a minute)."""
        ...

    async def stream(self, stream_id: str) -> Mapping[str, Any] | None:
        """Figures of a running stream; None when it does not run here."""
        ...


class Calls(Protocol):
    """An internal call to another process, as `node.rpc.RpcClient` makes it."""

    async def call(self, method: str, *, timeout: float = ..., **params: Any) -> Any: ...


class RemoteAgent:
    """`AgentPort` over internal calls."""

    def __init__(self, calls: Calls, *, patience: float = 40.0) -> None:
        self._calls = calls
        self._patience = patience

    async def open(self, session_id: str, host: str | None = None) -> Mapping[str, Any]:
        return await self._calls.call("open", timeout=self._patience, session_id=session_id, host=host)

    async def close(self, session_id: str, code: str) -> bool:
        return bool(await self._calls.call("close", timeout=10.0, session_id=session_id, code=code))

    async def urls(self, session_id: str, host: str | None = None) -> Mapping[str, Any]:
        return await self._calls.call("urls", timeout=5.0, session_id=session_id, host=host)

    async def stream(self, stream_id: str) -> Mapping[str, Any] | None:
        return await self._calls.call("stream", timeout=5.0, stream_id=stream_id)


class RemoteDevices:
    """`DeviceControl` over internal calls."""

    def __init__(self, calls: Calls, *, patience: float = 20.0) -> None:
        self._calls = calls
        self._patience = patience

    async def invite(
        self, *, stream_id: str, channel_id: int, address: str, port: int, ssrc: int, transport: str
    ) -> Mapping[str, Any]:
        return await self._calls.call(
            "invite",
            timeout=self._patience,
            stream_id=stream_id,
            channel_id=channel_id,
            address=address,
            port=port,
            ssrc=ssrc,
            transport=transport,
        )

    async def bye(self, *, stream_id: str) -> None:
        await self._calls.call("bye", timeout=self._patience, stream_id=stream_id)
