"""No picture without a reason: each way to fail names what to check, in both languages."""

import pytest

from gongshi.kit.errors import Unavailable
from gongshi.kit.i18n import Text
from gongshi.media.embedded.admission import Admission
from gongshi.media.reasons import END_TEXTS, ENGINE_REASONS, device_failure, end_text, media_failure


@pytest.mark.parametrize(
    ("reason", "detail", "transport", "code", "which"),
    [
        ("no_packets", {}, "udp", "no_media", {"address", "port", "firewall"}),
        ("no_packets", {"foreign": 9}, "udp", "foreign_media", {"ssrc", "address"}),
        ("no_packets", {"malformed": 9}, "udp", "not_rtp", {"codec", "port"}),
        ("no_packets", {"connections": 0}, "tcp_passive", "not_connected", {"port", "firewall", "address"}),
        ("no_packets", {"connections": 1}, "tcp_passive", "no_media", {"address", "port", "firewall"}),
        ("no_frames", {"foreign_codec": "svac"}, "udp", "unsupported_codec", {"codec"}),
        ("no_frames", {"foreign_codec": None}, "udp", "no_video", {"codec"}),
    ],
)
def test_silence_is_told_by_what_did_arrive(reason, detail, transport, code, which):
    failed = media_failure(reason, detail, address="10.1.2.3", port=30002, transport=transport)
    assert (failed.code, set(failed.which)) == (code, which)
    if reason == "no_packets":
        assert "10.1.2.3:30002" in failed.detail.zh
        assert "10.1.2.3:30002" in failed.detail.en


def test_a_device_speaks_for_itself():
    failed = device_failure(Unavailable(Text("对方应答 488", "Answered 488"), code="refused_488"))
    assert (failed.code, failed.which, failed.detail.zh) == ("refused_488", ("codec",), "对方应答 488")
    assert device_failure(Unavailable(code="busy")).which == ("device",)


def test_every_end_has_words_in_both_languages():
    for code in {*END_TEXTS, *ENGINE_REASONS.values()}:
        text = end_text(code)
        assert text.zh != code
        assert text.en != code


def test_every_reason_of_the_engine_is_known():
    """What a worker ends sessions with by itself must be an end that a person understands."""
    ended: list[str] = []
    admission = Admission(lambda session, reason, now: ended.append(reason), reconnect=1, connect=1)
    admission.admit("a", "s", None, 5, 0)
    admission.admit("b", "s", 1, 15, 0)
    admission.admit("c", "s", None, 15, 0)
    admission.sweep(0.5, 2)
    admission.sweep(4, 2)
    admission.end_stream("s", "stream_closed", 4)
    assert set(ended) <= set(ENGINE_REASONS)
