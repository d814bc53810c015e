"""Reading an upper's INVITE: which camera, what of it, where to (gb28181.md §10, §13.3). Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gongshi.access.actions import Action
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sdp import SessionDescription
from gongshi.protocols.sip import Request
from gongshi.signalling.uppers.ports import Kind, RelayTransport

_KINDS: Final[dict[str, Kind]] = {"play": "play", "playback": "playback", "download": "download"}
_ACTIONS: Final[dict[Kind, Action]] = {
    "play": Action.LIVE,
    "playback": Action.PLAYBACK,
    "download": Action.DOWNLOAD,
}
_NOWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 -- compared with, nothing is bound
_LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What an INVITE asks for."""

    device: str
    """The code that the upper used."""
    kind: Kind
    host: str
    port: int
    transport: RelayTransport
    ssrc: int | None
    """None: it left the choice to us (Q-15)."""
    interval: tuple[datetime, datetime] | None
    speed: int | None
    sdp: SessionDescription

    @property
    def action(self) -> Action:
        return _ACTIONS[self.kind]

    @classmethod
    def read(cls, invite: Request, own_code: str) -> "Offer":
        """From an INVITE. Raises RemoteProtocolError, 488 for what cannot be met.

        The answer to an offer without media, a port 0 or no address is 488, since nothing could be sent there.
        """
        sdp = SessionDescription.parse(invite.body)
        video = sdp.section("video")
        if video is None or not video.port or sdp.media_address(video) in _NOWHERE:
            raise RemoteProtocolError("the offer names no place for video", 488)
        kind = _KINDS.get(sdp.name.strip().lower() or "play")
        if kind is None:
            raise RemoteProtocolError("only Play, Playback and Download are offered", 488)
        transport: RelayTransport = "udp"
        if video.tcp:
            # Between platforms the receiver is the server unless it says otherwise (§15.2).
            transport = "tcp_passive" if video.setup == "active" else "tcp_active"
        ssrc = sdp.ssrc.number if sdp.ssrc is not None and sdp.ssrc.number else None
        interval = None if kind == "play" else _interval(sdp)
        host = sdp.media_address(video)
        said = (video.attribute("downloadspeed") or "").strip()
        speed = int(said) if kind == "download" and said.isascii() and said.isdigit() and len(said) < 4 else None
        return cls(_device(invite, sdp, own_code), kind, host, video.port, transport, ssrc, interval, speed, sdp)


def _device(invite: Request, sdp: SessionDescription, own_code: str) -> str:
    """The camera: Request-URI and To name it; a search in centre storage names us, and u= the camera (§11.1)."""
    device = invite.target.user or invite.to.user
    if device == own_code and sdp.uri:
        device = sdp.uri.partition(":")[0].strip()
    if not (device.isascii() and device.isdigit() and len(device) == 20):
        raise RemoteProtocolError("the INVITE names no device", 404)
    return device


def _interval(sdp: SessionDescription) -> tuple[datetime, datetime]:
    if not 0 < sdp.start < sdp.end <= _LATEST:
        raise RemoteProtocolError("t= names no time span", 488)
    return datetime.fromtimestamp(sdp.start, UTC), datetime.fromtimestamp(sdp.end, UTC)


CallKey = tuple[int, str, str]
"""(upper, what is sent, by which number): equal for an INVITE that replaces another (§10.4)."""


def call_key(upper_id: int, invite: Request, offer: Offer) -> CallKey:
    """The same `senderID:senderSeq` replaces; uppers that send none (`0` or empty) are told apart by the receiver."""
    subject = invite.subject
    if subject.sender_sequence.strip("0"):
        return (upper_id, f"{offer.device}/{offer.kind}", f"s{subject.sender_sequence}")
    receiver = f"{subject.receiver}:{subject.receiver_sequence}"
    return (upper_id, f"{offer.device}/{offer.kind}", f"r{receiver}")
