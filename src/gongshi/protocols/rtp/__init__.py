"""RTP for GB/T 28181 media: packets, ordering and TCP framing. Sans-IO."""

from gongshi.protocols.rtp.framing import TcpDeframer, frame_rfc4571
from gongshi.protocols.rtp.packet import CLOCK_RATE, PS_PAYLOAD_TYPE, RtpPacket, packetize, parse
from gongshi.protocols.rtp.receiver import Payload, RtpReceiver, RtpStats

__all__ = [
    "CLOCK_RATE",
    "PS_PAYLOAD_TYPE",
    "Payload",
    "RtpPacket",
    "RtpReceiver",
    "RtpStats",
    "TcpDeframer",
    "frame_rfc4571",
    "packetize",
    "parse",
]
