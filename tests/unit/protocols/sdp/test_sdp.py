"""SDP of GB/T 28181: lines, samples' and devices' oddities, SSRC values (gb28181.md §10)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gongshi.protocols.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from gongshi.protocols.sdp import (
    Media,
    MediaFormat,
    SessionDescription,
    Ssrc,
    SsrcAllocator,
    answer_offer,
    live_offer,
)

PLATFORM, CAMERA = "34150000002000000001", "34150200001310000007"
OFFER = live_offer(PLATFORM, "10.1.1.20", 30012, Ssrc(500000001), setup="passive")


def parse(text: str) -> SessionDescription:
    return SessionDescription.parse(text.encode())


def test_live_offer_over_tcp_is_the_reference_text() -> None:
    assert OFFER.to_bytes().decode() == (
        "v=0\r\no=34150000002000000001 0 0 IN IP4 10.1.1.20\r\ns=Play\r\nc=IN IP4 10.1.1.20\r\nt=0 0\r\n"
        "m=video 30012 TCP/RTP/AVP 96 98 97\r\na=recvonly\r\na=rtpmap:96 PS/90000\r\na=rtpmap:98 H264/90000\r\n"
        "a=rtpmap:97 MPEG4/90000\r\na=setup:passive\r\na=connection:new\r\ny=0500000001\r\nf=v/////a///\r\n"
    )
    assert SessionDescription.parse(OFFER.to_bytes()) == OFFER


def test_udp_offer_says_nothing_of_tcp() -> None:
    text = live_offer(PLATFORM, "10.1.1.20", 30012, Ssrc(500000001), with_format=False).to_bytes()
    assert b"m=video 30012 RTP/AVP 96 98 97\r\n" in text
    assert b"setup" not in text
    assert b"f=" not in text


@pytest.mark.parametrize(("offered", "answered"), [("passive", "active"), ("active", "passive"), (None, None)])
def test_answer_complements_the_offer(offered: str | None, answered: str | None) -> None:
    setup = "passive" if offered == "passive" else "active" if offered == "active" else None
    offer = live_offer(PLATFORM, "10.1.1.20", 30012, Ssrc(500000001), setup=setup)
    answer = SessionDescription.parse(answer_offer(offer, CAMERA, "10.5.2.31", 15060).to_bytes())
    (media,) = answer.media
    assert (media.setup, media.direction, media.port, media.tcp) == (answered, "sendonly", 15060, offered is not None)
    assert answer.ssrc == offer.ssrc


def test_history_lines() -> None:
    text = "v=0\no=x 0 0 IN IP4 1.2.3.4\ns=Playback\nu=34150200001310000007:0\nt=1700000000 1700003600\nm=video 6000 RTP/AVP 96\ny=1500000001\n"
    session = parse(text)
    assert (session.name, session.uri) == ("Playback", "34150200001310000007:0")
    assert (session.start, session.end) == (1700000000, 1700003600)
    assert session.ssrc is not None
    assert session.ssrc.history


def test_s02_ssrc_with_its_zero_lost_is_the_same_number() -> None:
    assert Ssrc.parse("100000001") == Ssrc.parse("0100000001")
    assert str(Ssrc.parse("100000001")) == "0100000001"


def test_s03_history_with_a_live_ssrc_is_read_as_stated() -> None:
    session = parse("v=0\ns=Playback\nt=1 2\nm=video 6000 RTP/AVP 96\ny=0500000001\n")
    assert session.name == "Playback"
    assert session.ssrc == Ssrc(500000001)


def test_s13_repeated_rtpmap_and_free_text_name() -> None:
    session = parse("v=0\ns=Embedded Net DVR\nm=video 6000 RTP/AVP 96\na=rtpmap:96 PS/90000\na=rtpmap:96 H264/90000\n")
    assert session.media[0].rtpmaps[96].encoding == "PS"


def test_q08_ps_is_offered_first() -> None:
    assert OFFER.media[0].formats[0] == 96
    assert OFFER.media[0].attribute("rtpmap") == "96 PS/90000"


def test_q13_answer_with_its_own_ssrc_and_a_negative_filesize() -> None:
    session = parse("v=0\ns=x\nm=video 6000 RTP/AVP 96\na=filesize:-1\ny=0999999999\n")
    assert session.ssrc != OFFER.ssrc
    assert session.media[0].attribute("filesize") == "-1"


def test_q15_offer_without_y_or_with_null() -> None:
    for line in ("", "y=\n", "y=null\n"):
        assert parse(f"v=0\ns=Play\nm=video 6000 RTP/AVP 96\n{line}").ssrc is None


def test_q17_port_zero_is_never_sent_and_refused_with_488() -> None:
    with pytest.raises(LocalProtocolError):
        live_offer(PLATFORM, "10.1.1.20", 0, Ssrc(1)).to_bytes()
    for text in (
        "c=IN IP4 1.2.3.4\nm=video 0 RTP/AVP 96\n",
        "c=IN IP4 0.0.0.0\nm=video 6000 RTP/AVP 96\n",
        "c=IN IP4 1.2.3.4\nm=audio 6000 RTP/AVP 8\n",
    ):
        with pytest.raises(RemoteProtocolError) as caught:
            answer_offer(parse(f"v=0\n{text}"), CAMERA, "10.5.2.31", 6000)
        assert caught.value.hint_status == 488


def test_q18_y_and_f_come_after_every_attribute() -> None:
    lines = OFFER.to_bytes().decode().split("\r\n")
    assert [line[:2] for line in lines if line][-2:] == ["y=", "f="]


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("a=streamnumber:1", 1),
        ("a=stream:0", 0),
        ("a=streamprofile:1", 1),
        ("a=streamMode:SUB", 1),
        ("a=streamMode:MAIN", 0),
        ("a=x", None),
    ],
)
def test_q39_sub_stream_in_every_vendors_words(line: str, number: int | None) -> None:
    assert parse(f"v=0\nm=video 6000 RTP/AVP 96\n{line}\n").media[0].stream_number == number


def test_q52_audio_without_rtpmap_and_without_final_line_end() -> None:
    session = parse("v=0\ns=Play\nc=IN IP4 1.2.3.4\nm=audio 6000 RTP/AVP 8")
    audio = session.section("audio")
    assert audio is not None
    assert (audio.rtpmaps[8].encoding, audio.rtpmaps[8].clock) == ("PCMA", 8000)


def test_sloppy_lines() -> None:
    session = parse(
        "\r\nV = 0\no= x\ns =  Play \nc= IN IP4 10.0.0.1\nm= video 6000 tcp/rtp/avp 96 x\nc=IN IP4 10.0.0.2/127\na= setup:ACTIVE\nzzz\n"
    )
    (media,) = session.media
    assert session.name == "Play"
    assert (media.protocol, media.formats, media.setup) == ("TCP/RTP/AVP", (96,), "active")
    assert session.media_address(media) == "10.0.0.2"
    assert (session.start, session.end) == (0, 0)


def test_origin_address_stands_in_for_a_missing_connection() -> None:
    session = parse("v=0\no=x 0 0 IN IP4 10.0.0.9\nm=video 6000 RTP/AVP 96\n")
    assert session.media_address(session.media[0]) == "10.0.0.9"


@pytest.mark.parametrize(
    "text", ["v/2/6/25/1/4096a///", "v/////a/1/8/1", "v/////a///", "v/5/1920x1080/25/2/4096a/6/8/1"]
)
def test_format_line_there_and_back(text: str) -> None:
    assert str(MediaFormat.parse(text)) == text


def test_format_line_with_missing_parts() -> None:
    assert MediaFormat.parse("v/2/6").video == ("2", "6", "", "", "")
    assert MediaFormat.parse("").audio == ("", "", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "m=video 6000",
        "m=video x RTP/AVP 96",
        "m=video 70000 RTP/AVP 96",
        "v=0\ny=abc",
        "y=99999999999",
        "y=9999999999",
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse(text)


def test_too_long_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        SessionDescription.parse(b"a=x\n" * 600)
    with pytest.raises(RemoteProtocolError):
        SessionDescription.parse(b"a=" + b"x" * 70_000)


def test_line_breaks_are_never_written() -> None:
    for bad in (
        SessionDescription(name="a\r\nm=video 1"),
        SessionDescription(media=(Media("video", 1, attributes=(("a", "b\nc"),)),)),
    ):
        with pytest.raises(LocalProtocolError):
            bad.to_bytes()


def test_ssrc_of_a_domain_and_its_bytes() -> None:
    allocator = SsrcAllocator(PLATFORM)
    first = allocator.allocate(0.0)
    assert str(first).startswith("050000")
    assert Ssrc.parse("0500000001").number.to_bytes(4, "big").hex() == "1dcd6501"
    assert str(allocator.allocate(0.0, history=True)).startswith("150000")


def test_allocator_gives_each_value_once_and_again_only_after_the_rest() -> None:
    allocator = SsrcAllocator("34000000002000000001")
    given_out = [allocator.allocate(0.0) for _ in range(9_999)]
    # Digits 4-8 are zero here, so serial 0000 would be SSRC 0, which means "none" to several stacks.
    assert len(set(given_out)) == 9_999
    assert Ssrc(0) not in given_out
    with pytest.raises(LocalProtocolError):
        allocator.allocate(0.0)
    allocator.release(given_out[5], 1.0)
    allocator.release(given_out[5], 1.0)
    with pytest.raises(LocalProtocolError):
        allocator.allocate(32.9)
    assert allocator.allocate(33.0) == given_out[5]
    assert allocator.in_use == 9_999
    with pytest.raises(LocalProtocolError):
        SsrcAllocator("123")


LINES = ["v=0", "o=x 0 0 IN IP4 1.2.3.4", "s=Play", "c=IN IP4 1.2.3.4", "t=0 0", "m=video 6000 RTP/AVP 96", "a=rtpmap:96 PS/90000", "a=setup:active", "y=0500000001", "f=v/////a///", "u=x:0"]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=30)), max_size=20), st.binary(max_size=10))
def test_any_body_parses_or_raises_protocol_error(lines: list[str], noise: bytes) -> None:
    """Any input parses or raises ProtocolError; what parses can be looked at without an exception."""
    body = "\n".join(lines).encode("utf-8", "surrogatepass") + noise
    try:
        session = SessionDescription.parse(body)
    except ProtocolError:
        return
    for media in session.media:
        assert media.rtpmaps is not None
        assert media.stream_number is None or media.stream_number >= 0
        assert session.media_address(media) is not None
    try:
        answer = answer_offer(session, CAMERA, "10.0.0.1", 6000)
    except RemoteProtocolError:
        return
    assert SessionDescription.parse(answer.to_bytes()).media
