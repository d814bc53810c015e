"""What we mux, FFmpeg reads back: same pictures, same times, right size."""

import io
from collections.abc import Callable

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gongshi.media.embedded import flv, fmp4
from gongshi.media.embedded.parameter_sets import h264_config, h265_config
from gongshi.media.embedded.track import Sample, Timeline, VideoTrack
from gongshi.protocols.ps import PsDemuxer, VideoFrame
from unit.media.clips import TICKS, Codec, clip, packs


def samples(codec: Codec, frames: int = 30) -> list[Sample]:
    demuxer = PsDemuxer()
    track = VideoTrack()
    out = [f for pack in packs(codec, frames=frames) for f in demuxer.feed(pack, end=True)]
    taken = [track.sample(frame) for frame in out if isinstance(frame, VideoFrame)]
    return [sample for sample in taken if sample is not None]


def as_flv(pictures: list[Sample]) -> bytes:
    return flv.header(pictures[0].config) + b"".join(map(flv.video, pictures))


def as_fmp4(pictures: list[Sample]) -> bytes:
    return fmp4.init(pictures[0].config) + b"".join(map(fmp4.fragment, pictures))


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("form", [as_flv, as_fmp4])
def test_ffmpeg_reads_every_picture_back(codec: Codec, form: Callable[[list[Sample]], bytes]) -> None:
    pictures = samples(codec)
    with av.open(io.BytesIO(form(pictures)), "r") as container:
        stream = container.streams.video[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        assert stream.codec_context.name == {"h264": "h264", "h265": "hevc"}[codec]
        assert (stream.codec_context.width, stream.codec_context.height) == (320, 240)
        base = stream.time_base
        assert base is not None
        assert [round(p.pts * base * 1000) for p in packets if p.pts is not None] == [40 * i for i in range(30)]
        assert [bytes(p) for p in packets] == [s.data for s in pictures]
        assert [p.is_keyframe for p in packets] == [u.key for u in clip(codec, 30)]
    with av.open(io.BytesIO(form(pictures)), "r") as container:
        assert len(list(container.decode(video=0))) == 30


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_size_and_codec_string_come_from_the_parameter_sets(codec: Codec) -> None:
    config = samples(codec, 1)[0].config
    assert (config.width, config.height) == (320, 240)
    assert config.codec_string.startswith({"h264": "avc1.42c0", "h265": "hvc1.1.6.L"}[codec])
    assert fmp4.content_type(config) == f'video/mp4; codecs="{config.codec_string}"'


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (704, 576), (358, 202)])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_cropped_sizes_are_read(codec: Codec, width: int, height: int) -> None:
    track = VideoTrack()
    unit = clip(codec, 1, width=width, height=height)[0]
    sample = track.sample(VideoFrame(codec, 0, 0, unit.data))
    assert sample is not None
    assert (sample.config.width, sample.config.height) == (width, height)


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_a_key_frame_alone_decodes_from_its_annexb_form(codec: Codec) -> None:
    key = next(s for s in reversed(samples(codec)) if s.key)
    decoder = av.CodecContext.create({"h264": "h264", "h265": "hevc"}[codec], "r")
    assert isinstance(decoder, av.VideoCodecContext)
    frames = decoder.decode(av.Packet(key.annexb())) + decoder.decode(None)
    assert [(f.width, f.height) for f in frames] == [(320, 240)]


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_every_irap_is_a_key_frame(codec: Codec) -> None:
    """x265 with open GOPs sends CRA, never a second IDR; a cache that waits for IDR grows without end."""
    assert [i for i, s in enumerate(samples(codec)) if s.key] == [0, 12, 24]


def test_frames_before_the_first_key_frame_are_not_shown() -> None:
    track = VideoTrack()
    units = clip("h264", 30)
    taken = [track.sample(VideoFrame("h264", u.pts, u.pts, u.data)) for u in units[5:]]
    assert [s is None for s in taken[:7]] == [True] * 7
    assert taken[7] is not None
    assert taken[7].key
    assert track.waiting == 7


def test_a_changed_picture_size_gives_a_new_configuration() -> None:
    track = VideoTrack()
    small = clip("h264", 1)[0]
    large = clip("h264", 1, width=640, height=480)[0]
    configs = [
        sample.config
        for index, unit in enumerate([small, small, large])
        if (sample := track.sample(VideoFrame("h264", index * TICKS, index * TICKS, unit.data)))
    ]
    assert configs[0] is configs[1]
    assert [c.width for c in configs] == [320, 320, 640]


def test_times_survive_wraps_jumps_and_standstill() -> None:
    line = Timeline()
    start = (1 << 33) - 3600
    sent = [start, start + 3600, 3600, 3600, 7200, 10**9, 10**9 + 3600]
    assert [line.map(t % (1 << 33))[0] for t in sent] == [0, 3600, 7200, 10_800, 14_400, 18_000, 21_600]


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=80), st.sampled_from(["h264", "h265"]))
def test_hostile_parameter_sets_never_raise(data: bytes, codec: Codec) -> None:
    if codec == "h264":
        h264_config([b"\x67" + data], [b"\x68"])
    else:
        h265_config([b"\x40\x01"], [b"\x42\x01" + data], [b"\x44\x01"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=6), st.sampled_from(["h264", "h265"]))
def test_hostile_access_units_never_raise(parts: list[bytes], codec: Codec) -> None:
    track = VideoTrack()
    good = clip(codec, 1)[0].data
    for data in (b"\x00\x00\x01".join(parts), good, b"\x00\x00\x01".join(parts), good + b"\x00\x00\x01\x67"):
        sample = track.sample(VideoFrame(codec, 0, 0, data))
        if sample is not None:
            flv.video(sample)
            fmp4.fragment(sample)
            fmp4.init(sample.config)
            sample.annexb()
