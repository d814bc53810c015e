"""MPEG program streams as GB/T 28181 carries them: writer and tolerant reader. Sans-IO."""

from gongshi.protocols.ps.demux import AudioFrame, AudioKind, PsDemuxer, PsStats, VideoFrame
from gongshi.protocols.ps.mux import AudioCodec, PsMuxer
from gongshi.protocols.ps.nal import VideoCodec

__all__ = [
    "AudioCodec",
    "AudioFrame",
    "AudioKind",
    "PsDemuxer",
    "PsMuxer",
    "PsStats",
    "VideoCodec",
    "VideoFrame",
]
