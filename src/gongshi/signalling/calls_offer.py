"""What is offered to a device, and what its answer says (gb28181.md §10, §11)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gongshi.protocols.codes import DeviceCode
from gongshi.protocols.errors import LocalProtocolError, ProtocolError
from gongshi.protocols.sdp import (
    SessionDescription,
    Setup,
    Ssrc,
    download_offer,
    live_offer,
    playback_offer,
)
from gongshi.protocols.sip import Response
from gongshi.signalling import problems
from gongshi.signalling.calls_book import CallKind

_SETUPS: Final[dict[str, Setup | None]] = {"udp": None, "tcp_passive": "passive", "tcp_active": "active"}
_NOT_PLAYABLE: Final = frozenset({"134", "135", "137"})
_ANY: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 -- compared with, nothing is bound
ROUTE_PATH: Final = "X-RoutePath"


@dataclass(frozen=True, slots=True)
class Order:
    """What the media room asks for: one channel's stream to be sent to one place."""

    stream_id: str
    channel: str
    name: str
    online: bool
    address: str
    port: int
    ssrc: int | None
    transport: str
    kind: CallKind = "play"
    start: datetime | None = None
    """Of a recording, aware; None for a live picture."""
    end: datetime | None = None
    speed: int = 1
    """Of a download."""
    profile: int = 0
    """0 main, 1 and more sub-streams."""

    @property
    def live(self) -> bool:
        return self.kind == "play"


def playable(channel: str) -> DeviceCode:
    """The channel's code. Raises CallFailed for what is no camera."""
    try:
        code = DeviceCode.parse(channel)
    except ProtocolError:
        raise problems.channel_unknown() from None
    if code.type.startswith("2") or code.type in _NOT_PLAYABLE:
        raise problems.not_playable(channel)
    return code


def offer_of(order: Order, own_code: str, local: str, ssrc: Ssrc, *, modern: bool, plain: bool) -> SessionDescription:
    """The offer; `modern` peers hear which stream is meant, `plain` leaves out every line that is optional.

    `local` is our address as the peer sees it. Raises LocalProtocolError for an order that cannot be said.
    """
    address = local if order.address in _ANY else order.address
    setup = _SETUPS.get(order.transport)
    stream_number = order.profile if modern and not plain else None
    if order.live:
        return live_offer(
            own_code, address, order.port, ssrc, setup=setup, stream_number=stream_number, with_format=not plain
        )
    if order.start is None or order.end is None:
        raise LocalProtocolError("a recording has a start and an end")
    if order.kind == "download":
        return download_offer(
            own_code,
            address,
            order.port,
            ssrc,
            order.channel,
            order.start,
            order.end,
            speed=order.speed,
            setup=setup,
            stream_number=stream_number,
            with_format=not plain,
        )
    return playback_offer(
        own_code,
        address,
        order.port,
        ssrc,
        order.channel,
        order.start,
        order.end,
        setup=setup,
        stream_number=stream_number,
        with_format=not plain,
    )


def told(answer: SessionDescription, response: Response, peer: str) -> dict[str, Any]:
    """Of an answer, for the media room: where it sends from (or listens), codings, file size, the way it came.

    `peer` is the address that its signalling comes from, a better guess than a private one in the SDP.
    """
    media = answer.section("video")
    found: dict[str, Any] = {"remote": None, "media": {}}
    if media is not None:
        address = answer.media_address(media)
        found["remote"] = f"{address}:{media.port}"
        found["media"] = {
            "address": address,
            "port": media.port,
            "protocol": media.protocol,
            "setup": media.setup,
            "encodings": sorted({entry.encoding for entry in media.rtpmaps.values()}),
            "peer": peer,
        }
        size = (media.attribute("filesize") or "").strip()
        # -1 and 0 are said by those who do not know it.
        if size.isascii() and size.isdigit() and int(size[:18]) > 0:
            found["filesize"] = int(size[:18])
    path = response.headers.get(ROUTE_PATH)
    if path:
        found["path"] = path[:1000]
    return found


def summary(answer: SessionDescription) -> str:
    """The answer in one line."""
    media = answer.section("video")
    if media is None:
        return "200"
    return f"200 {media.protocol} {answer.media_address(media)}:{media.port}" + (
        f" y={answer.ssrc}" if answer.ssrc else ""
    )
