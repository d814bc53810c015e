"""SDP as GB/T 28181 bends it (annex F of 2016, G of 2022): values, offers and answers (gb28181.md §10-12)."""

from gongshi.protocols.sdp.offers import (
    answer_offer,
    audio_answer,
    audio_offer,
    download_offer,
    live_offer,
    playback_offer,
    talk_offer,
)
from gongshi.protocols.sdp.session import (
    MAX_LINES,
    MAX_SDP,
    Direction,
    Media,
    MediaFormat,
    RtpMap,
    SessionDescription,
    Setup,
    Ssrc,
    SsrcAllocator,
)

__all__ = [
    "MAX_LINES",
    "MAX_SDP",
    "Direction",
    "Media",
    "MediaFormat",
    "RtpMap",
    "SessionDescription",
    "Setup",
    "Ssrc",
    "SsrcAllocator",
    "answer_offer",
    "audio_answer",
    "audio_offer",
    "download_offer",
    "live_offer",
    "playback_offer",
    "talk_offer",
]
