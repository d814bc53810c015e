"""What is offered and answered: live, playback, download and voice (gb28181.md §10.3, §11, §12)."""

from datetime import datetime

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sdp.session import Direction, Media, MediaFormat, SessionDescription, Setup, Ssrc

VOICE = MediaFormat(audio=("1", "8", "1"))
"""G.711 at 64 kbit/s, 8 kHz."""

_COMPLEMENT: dict[Setup, Setup] = {"active": "passive", "passive": "active"}
_MIRROR: dict[Direction, Direction] = {
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "sendrecv": "sendrecv",
    "inactive": "inactive",
}
_VIDEO_MAPS = (("rtpmap", "96 PS/90000"), ("rtpmap", "98 H264/90000"), ("rtpmap", "97 MPEG4/90000"))
_VOICE_MAP = ("rtpmap", "8 PCMA/8000")


def _connection(setup: Setup | None) -> list[tuple[str, str]]:
    return [("setup", setup), ("connection", "new")] if setup is not None else []


def _protocol(setup: Setup | None) -> str:
    return "TCP/RTP/AVP" if setup else "RTP/AVP"


def _receive(
    port: int, setup: Setup | None, stream_number: int | None, extra: tuple[tuple[str, str], ...] = ()
) -> tuple[Media, ...]:
    """Video to us: PS first (Q-08)."""
    attributes: list[tuple[str, str]] = [("recvonly", ""), *_VIDEO_MAPS, *extra]
    if stream_number is not None:
        attributes.append(("streamnumber", str(stream_number)))
    return (Media("video", port, _protocol(setup), (96, 98, 97), (*attributes, *_connection(setup))),)


def live_offer(
    code: str,
    address: str,
    port: int,
    ssrc: Ssrc,
    *,
    setup: Setup | None = None,
    stream_number: int | None = None,
    with_format: bool = True,
) -> SessionDescription:
    """The offer of a receiver for live video (gb28181.md §10.3): PS first (Q-08), y after the attributes (Q-18).

    `setup` None is UDP; passive (we listen) or active is TCP. `stream_number` only to 3.0 peers.
    """
    media = _receive(port, setup, stream_number)
    shape = MediaFormat() if with_format else None
    return SessionDescription(str(code), address, "Play", media=media, ssrc=ssrc, format=shape)


def playback_offer(
    code: str,
    address: str,
    port: int,
    ssrc: Ssrc,
    channel: str,
    start: datetime,
    end: datetime,
    *,
    record_type: int = 0,
    setup: Setup | None = None,
    stream_number: int | None = None,
    with_format: bool = True,
    name: str = "Playback",
    extra: tuple[tuple[str, str], ...] = (),
) -> SessionDescription:
    """The offer of a receiver for a recording of `channel` (§11.1); `record_type` 0 all, 1 manual, 2 alarm, 3 time.

    Raises LocalProtocolError for an interval that is none and for a live SSRC (S-03).
    """
    first, last = int(start.timestamp()), int(end.timestamp())
    if not 0 < first < last:
        raise LocalProtocolError("a recording has a start before its end")
    if not ssrc.history:
        raise LocalProtocolError("the SSRC of a recording starts with 1")
    return SessionDescription(
        str(code),
        address,
        name,
        first,
        last,
        f"{channel}:{record_type}",
        _receive(port, setup, stream_number, extra),
        ssrc,
        MediaFormat() if with_format else None,
    )


def download_offer(
    code: str,
    address: str,
    port: int,
    ssrc: Ssrc,
    channel: str,
    start: datetime,
    end: datetime,
    *,
    speed: int = 1,
    record_type: int = 0,
    setup: Setup | None = None,
    stream_number: int | None = None,
    with_format: bool = True,
) -> SessionDescription:
    """The offer of a receiver that takes a recording as a file, `speed` times as fast (§11.3)."""
    if not 1 <= speed <= 64:
        raise LocalProtocolError("a download runs at 1 to 64 times the speed")
    return playback_offer(
        code,
        address,
        port,
        ssrc,
        channel,
        start,
        end,
        record_type=record_type,
        setup=setup,
        stream_number=stream_number,
        with_format=with_format,
        name="Download",
        extra=(("downloadspeed", str(speed)),),
    )


def answer_offer(
    offer: SessionDescription,
    code: str,
    address: str,
    port: int,
    *,
    ssrc: Ssrc | None = None,
    file_size: int | None = None,
) -> SessionDescription:
    """The answer of a sender of PS video: same transport, the complementary setup, y as given or as offered.

    `file_size` in bytes answers a download. Raises RemoteProtocolError (488) when the offer has no video section that
    PS can be sent to.
    """
    wanted = _placed(offer, "video")
    attributes: list[tuple[str, str]] = [("sendonly", ""), ("rtpmap", "96 PS/90000")]
    if file_size is not None:
        attributes.append(("filesize", str(file_size)))
    setup = _COMPLEMENT[wanted.setup or "passive"] if wanted.tcp else None
    media = Media("video", port, _protocol(setup), (96,), (*attributes, *_connection(setup)))
    return SessionDescription(
        str(code), address, offer.name or "Play", offer.start, offer.end, offer.uri, (media,), ssrc or offer.ssrc
    )


def audio_offer(
    code: str, address: str, port: int, ssrc: Ssrc | None, *, setup: Setup | None = None, name: str = "Play"
) -> SessionDescription:
    """The offer of a device that was asked by Broadcast and wants to hear (§12 step 3)."""
    return _voice(code, address, port, ssrc, "recvonly", setup, name)


def talk_offer(code: str, address: str, port: int, ssrc: Ssrc, *, setup: Setup | None = None) -> SessionDescription:
    """s=Talk: both ways in one session, as 2016 lists it and vendors still take it (§12); never to a 3.0 peer."""
    return _voice(code, address, port, ssrc, "sendrecv", setup, "Talk")


def audio_answer(
    offer: SessionDescription, code: str, address: str, port: int, *, ssrc: Ssrc | None = None
) -> SessionDescription:
    """The answer to an offer of voice: its direction mirrored, G.711 A-law (§12 step 4, Q-52).

    Raises RemoteProtocolError (488) when the offer names no place for audio or no PCMA.
    """
    wanted = _placed(offer, "audio")
    if not any(entry.encoding == "PCMA" for entry in wanted.rtpmaps.values()):
        raise RemoteProtocolError("the offer takes no G.711 A-law", 488)
    setup = _COMPLEMENT[wanted.setup or "passive"] if wanted.tcp else None
    direction = _MIRROR[wanted.direction or "recvonly"]
    return _voice(code, address, port, ssrc or offer.ssrc, direction, setup, offer.name or "Play")


def _voice(
    code: str, address: str, port: int, ssrc: Ssrc | None, direction: Direction, setup: Setup | None, name: str
) -> SessionDescription:
    attributes = ((direction, ""), _VOICE_MAP, *_connection(setup))
    media = Media("audio", port, _protocol(setup), (8,), attributes)
    return SessionDescription(str(code), address, name, media=(media,), ssrc=ssrc, format=VOICE)


def _placed(offer: SessionDescription, kind: str) -> Media:
    wanted = offer.section(kind)
    if wanted is None or not wanted.port or offer.media_address(wanted) in {"", "0.0.0.0", "::"}:  # noqa: S104 -- compared with, nothing is bound
        raise RemoteProtocolError(f"the offer names no place for {kind}", 488)
    return wanted
