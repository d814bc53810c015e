"""What media asks of others, as small Protocols that the node fills (design.md §3)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

Transport = Literal["udp", "tcp_passive", "tcp_active"]
"""Who connects, seen from us: `tcp_passive` listens, `tcp_active` connects."""
CallKind = Literal["play", "playback", "download"]
Steering = Literal["pause", "resume", "scale", "seek", "teardown"]
"""What can be done to a recording that plays (MANSRTSP, §11.2)."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Where an upper platform wants a stream. `ssrc` None leaves the choice to us."""

    host: str
    port: int
    ssrc: int | None
    transport: Transport
    kind: CallKind = "play"
    speed: int | None = None
    """Of a download: how many times faster than real time."""

    def packed(self) -> dict[str, Any]:
        """As it travels between processes."""
        return asdict(self)

    @classmethod
    def unpacked(cls, values: Mapping[str, Any]) -> "Relay":
        return cls(**values)


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
        self,
        *,
        stream_id: str,
        channel_id: int,
        address: str,
        port: int,
        ssrc: int,
        transport: str,
        kind: CallKind = "play",
        start: str | None = None,
        end: str | None = None,
        speed: int | None = None,
        profile: int = 0,
    ) -> Mapping[str, Any]:
        """Ask the device to send; `start` and `end` (ISO, aware) of a recording, `profile` 0 for the main stream.

        Returns `{"call_id", "codec"?, "remote"?, "steps", "media", "filesize"?, "path"?}` once it has answered 200.
        Raises a Problem with code `device_offline`, `unknown_channel`, `no_answer` or `refused_<status>`.
        """
        ...

    async def control(self, *, stream_id: str, action: Steering, value: float | None = None) -> Mapping[str, Any]:
        """Steer a recording that plays; `{"position"?}` in seconds where the device says it. Raises a Problem."""
        ...

    async def key_frame(self, *, channel_id: int) -> None:
        """Ask for a key frame now (Q-53). Raises a Problem."""
        ...

    async def bye(self, *, stream_id: str) -> None:
        """End the call of a stream; no error when there is none."""
        ...

    async def talk_call(self, *, talk_id: str, channel_id: int) -> Mapping[str, Any]:
        """Have the device call for our voice; where it wants it: `{"host", "port", "transport", "ssrc"}`."""
        ...

    async def talk_answer(self, *, talk_id: str, address: str, port: int, ssrc: int) -> None:
        """Take that call; returns when the device has acknowledged. Raises a Problem."""
        ...

    async def talk_end(self, *, talk_id: str) -> None:
        """End a voice call; no error when there is none."""
        ...

    async def relay_ended(self, *, session_id: str, code: str, detail: Mapping[str, str]) -> None:
        """A session that was relayed to an upper has ended, though the upper did not hang up: it is told by BYE.

        `detail` is the reason, `{"zh", "en"}`.
        """
        ...


class AgentPort(Protocol):
    """The media agent of the host that carries a session, as the web and the signal role call it."""

    async def open(
        self, session_id: str, host: str | None = None, relay: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        """Open a session that transaction 1 has written; `{"urls", "expires_at", "not_after", "stream"}`.

        `host` is the name under which the viewer reaches the portal. With `relay` (`Relay.packed()`) there are no
        addresses but `{"relay": {"address", "port", "ssrc", "filesize"?, "path"?}}`: a sender that stays silent until
        `release`.

        Raises a Problem whose `data` holds `steps` and `which` when there is no picture.
        """
        ...

    async def release(self, session_id: str) -> None:
        """The upper has acknowledged: begin to send. Raises a Problem when the session has ended."""
        ...

    async def control(self, session_id: str, action: Steering, value: float | None = None) -> Mapping[str, Any]:
        """Steer a recording; `{"position", "scale", "paused"}`: seconds from its start, speed. Raises a Problem."""
        ...

    async def close(self, session_id: str, code: str) -> bool:
        """End a session; False when the agent does not hold it. Nobody is told, since the caller knows."""
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

    async def open(
        self, session_id: str, host: str | None = None, relay: Mapping[str, Any] | None = None
    ) -> Mapping[str, Any]:
        return await self._calls.call("open", timeout=self._patience, session_id=session_id, host=host, relay=relay)

    async def release(self, session_id: str) -> None:
        await self._calls.call("release", timeout=10.0, session_id=session_id)

    async def control(self, session_id: str, action: Steering, value: float | None = None) -> Mapping[str, Any]:
        return await self._calls.call("control", timeout=15.0, session_id=session_id, action=action, value=value)

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
        self,
        *,
        stream_id: str,
        channel_id: int,
        address: str,
        port: int,
        ssrc: int,
        transport: str,
        kind: CallKind = "play",
        start: str | None = None,
        end: str | None = None,
        speed: int | None = None,
        profile: int = 0,
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
            kind=kind,
            start=start,
            end=end,
            speed=speed,
            profile=profile,
        )

    async def control(self, *, stream_id: str, action: Steering, value: float | None = None) -> Mapping[str, Any]:
        return await self._calls.call("steer", timeout=10.0, stream_id=stream_id, action=action, value=value)

    async def key_frame(self, *, channel_id: int) -> None:
        await self._calls.call(
            "control", timeout=10.0, channel_id=channel_id, command="key_frame", params={}, actor=None
        )

    async def bye(self, *, stream_id: str) -> None:
        await self._calls.call("bye", timeout=self._patience, stream_id=stream_id)

    async def talk_call(self, *, talk_id: str, channel_id: int) -> Mapping[str, Any]:
        return await self._calls.call("talk_call", timeout=self._patience, talk_id=talk_id, channel_id=channel_id)

    async def talk_answer(self, *, talk_id: str, address: str, port: int, ssrc: int) -> None:
        await self._calls.call("talk_answer", timeout=10.0, talk_id=talk_id, address=address, port=port, ssrc=ssrc)

    async def talk_end(self, *, talk_id: str) -> None:
        await self._calls.call("talk_end", timeout=10.0, talk_id=talk_id)

    async def relay_ended(self, *, session_id: str, code: str, detail: Mapping[str, str]) -> None:
        await self._calls.call("relay_ended", timeout=10.0, session_id=session_id, code=code, detail=dict(detail))
