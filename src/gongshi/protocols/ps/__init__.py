"""MPEG program streams as GB/T 28181 carries them: writer and tolerant reader. Sans-IO."""

from gongshi.protocols.ps.mux import AudioCodec, PsMuxer, VideoCodec

__all__ = ["AudioCodec", "PsMuxer", "VideoCodec"]
