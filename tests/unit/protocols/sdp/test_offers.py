"""Offers and answers of playback, download and voice (gb28181.md §11, §12)."""

from datetime import UTC, datetime, timedelta

import pytest

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sdp import (
    SessionDescription,
    Ssrc,
    answer_offer,
    audio_answer,
    audio_offer,
    download_offer,
    live_offer,
    playback_offer,
    talk_offer,
)

PLATFORM, CAMERA = "34150000002000000001", "34150200001310000007"
EIGHT = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)
NINE = EIGHT + timedelta(hours=1)
HISTORY, LIVE = Ssrc(1500000001), Ssrc(500000001)


def again(session: SessionDescription) -> SessionDescription:
    read = SessionDescription.parse(session.to_bytes())
    assert read == session
    return read


def test_playback_states_source_time_and_history() -> None:
    offer = again(playback_offer(PLATFORM, "10.1.1.20", 30012, HISTORY, CAMERA, EIGHT, NINE, setup="passive"))
    text = offer.to_bytes().decode()
    assert "s=Playback\r\nu=34150200001310000007:0\r\n" in text
    assert "t=1772323200 1772326800\r\n" in text
    assert offer.source == (CAMERA, 0)
    assert text.endswith("y=1500000001\r\nf=v/////a///\r\n")


def test_download_states_its_speed_and_the_answer_its_size() -> None:
    offer = again(download_offer(PLATFORM, "10.1.1.20", 30012, HISTORY, CAMERA, EIGHT, NINE, speed=4, record_type=3))
    assert (offer.name, offer.media[0].download_speed, offer.source) == ("Download", 4, (CAMERA, 3))
    answer = again(answer_offer(offer, CAMERA, "10.5.2.31", 15060, file_size=123_456))
    assert answer.media[0].file_size == 123_456
    assert (answer.start, answer.end) == (offer.start, offer.end)


@pytest.mark.parametrize("size", ["-1", "0", "", "many", "1" * 30])
def test_q13_a_size_that_says_nothing(size: str) -> None:
    text = f"v=0\ns=Download\nc=IN IP4 10.1.1.1\nm=video 6000 RTP/AVP 96\na=filesize:{size}\n"
    assert SessionDescription.parse(text.encode()).media[0].file_size is None


@pytest.mark.parametrize("uri", [None, "http://x/file", "abc", "1:2:3"])
def test_sources_that_are_no_code(uri: str | None) -> None:
    assert SessionDescription(uri=uri).source is None


def test_wrong_offers_are_never_made() -> None:
    with pytest.raises(LocalProtocolError):
        playback_offer(PLATFORM, "10.1.1.20", 30012, HISTORY, CAMERA, NINE, EIGHT)
    with pytest.raises(LocalProtocolError):
        playback_offer(PLATFORM, "10.1.1.20", 30012, LIVE, CAMERA, EIGHT, NINE)
    with pytest.raises(LocalProtocolError):
        download_offer(PLATFORM, "10.1.1.20", 30012, HISTORY, CAMERA, EIGHT, NINE, speed=0)


def test_broadcast_offer_and_answer() -> None:
    offer = again(audio_offer(CAMERA, "10.5.2.31", 15060, LIVE, setup="active"))
    answer = again(audio_answer(offer, PLATFORM, "10.1.1.20", 30014))
    assert (answer.media[0].direction, answer.media[0].setup) == ("sendonly", "passive")
    assert b"f=v/////a/1/8/1\r\n" in answer.to_bytes()
    assert answer.ssrc == LIVE


def test_talk_is_both_ways() -> None:
    offer = again(talk_offer(PLATFORM, "10.1.1.20", 30014, LIVE))
    assert (offer.name, offer.media[0].direction) == ("Talk", "sendrecv")
    assert audio_answer(offer, CAMERA, "10.5.2.31", 15060).media[0].direction == "sendrecv"


def test_q52_audio_without_rtpmap_and_final_line_end_is_a_law() -> None:
    offer = SessionDescription.parse(
        b"v=0\no=x 0 0 IN IP4 10.5.2.31\ns=Play\nc=IN IP4 10.5.2.31\nm=audio 15060 RTP/AVP 8"
    )
    assert audio_answer(offer, PLATFORM, "10.1.1.20", 30014).media[0].direction == "sendonly"


@pytest.mark.parametrize(
    "text",
    [
        "v=0\nc=IN IP4 10.5.2.31\nm=video 15060 RTP/AVP 96\n",
        "v=0\nc=IN IP4 10.5.2.31\nm=audio 0 RTP/AVP 8\n",
        "v=0\nc=IN IP4 0.0.0.0\nm=audio 15060 RTP/AVP 8\n",
        "v=0\nc=IN IP4 10.5.2.31\nm=audio 15060 RTP/AVP 9\n",
    ],
)
def test_voice_that_cannot_be_answered(text: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        audio_answer(SessionDescription.parse(text.encode()), PLATFORM, "10.1.1.20", 30014)
    assert caught.value.hint_status == 488


def test_video_answers_need_video() -> None:
    with pytest.raises(RemoteProtocolError):
        answer_offer(audio_offer(CAMERA, "10.5.2.31", 15060, LIVE), CAMERA, "10.5.2.31", 15060)
    assert answer_offer(live_offer(PLATFORM, "10.1.1.20", 1, LIVE), CAMERA, "10.5.2.31", 15060).ssrc == LIVE
