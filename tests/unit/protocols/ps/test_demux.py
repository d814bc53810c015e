"""Any input, whole or in any chunks, yields frames or counted damage, never an exception."""

import random
from collections.abc import Iterable
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gongshi.protocols.ps import AudioFrame, PsDemuxer, PsMuxer, VideoFrame
from gongshi.protocols.ps.demux import MAX_FRAME
from gongshi.protocols.ps.mux import pack_header, pts_field, stream_map
from unit.media.clips import clip, packs

KEY = b"\x00\x00\x00\x01\x67\x42\x00\x1e\x00\x00\x00\x01\x68\xce\x00\x00\x00\x01\x65" + b"k" * 200
DELTA = b"\x00\x00\x00\x01\x41" + b"d" * 90


def videos(frames: Iterable[VideoFrame | AudioFrame]) -> list[VideoFrame]:
    return [frame for frame in frames if isinstance(frame, VideoFrame)]


def run(chunks: Iterable[bytes], demuxer: PsDemuxer | None = None) -> list[VideoFrame | AudioFrame]:
    demuxer = demuxer or PsDemuxer()
    out = [frame for chunk in chunks for frame in demuxer.feed(chunk)]
    return out + demuxer.feed(b"", end=True)


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("chunk", [65_000, 700])
def test_a_real_clip_comes_back_byte_for_byte(codec: Literal["h264", "h265"], chunk: int) -> None:
    frames = videos(run(packs(codec, chunk=chunk)))
    assert [(f.codec, f.pts, f.data) for f in frames] == [(codec, u.pts, u.data) for u in clip(codec)]


@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_cut_at_every_byte_it_gives_the_same(codec: Literal["h264", "h265"]) -> None:
    whole = b"".join(packs(codec, audio=True, frames=14))
    expected = run([whole])
    assert len(videos(expected)) == 14
    assert run(whole[i : i + 1] for i in range(len(whole))) == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=60), st.integers(0, 2**32))
def test_cut_at_random_it_gives_the_same(sizes: list[int], seed: int) -> None:
    whole = b"".join(packs("h264", audio=True, frames=14))
    order = random.Random(seed)
    chunks: list[bytes] = []
    at = 0
    while at < len(whole):
        size = order.choice(sizes)
        chunks.append(whole[at : at + size])
        at += size
    assert run(chunks) == run([whole])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=12), st.booleans())
def test_random_bytes_never_raise(chunks: list[bytes], end: bool) -> None:
    demuxer = PsDemuxer()
    for chunk in chunks:
        demuxer.feed(chunk, 5, end=end)
        demuxer.lost()


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_clip_never_raises_and_the_reader_recovers(data: st.DataObject) -> None:
    bad = bytearray(b"".join(packs("h264", frames=14)))
    for _ in range(data.draw(st.integers(1, 30))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    demuxer = PsDemuxer()
    run([bytes(bad)], demuxer)
    demuxer.lost()
    muxer = PsMuxer("h264")
    good = [muxer.frame(KEY if i == 0 else DELTA, 10**7 + i * 3600, i == 0) for i in range(4)]
    assert [f.data for f in videos(run(good, demuxer))][-3:] == [DELTA] * 3


def test_the_marker_gives_a_frame_out_at_once() -> None:
    demuxer = PsDemuxer()
    frames = demuxer.feed(PsMuxer("h264").frame(KEY, 9000, key=True), 9000, end=True)
    assert [f.data for f in videos(frames)] == [KEY]


def test_a_marker_inside_a_frame_is_believed_only_once() -> None:
    demuxer = PsDemuxer()
    muxer = PsMuxer("h264", chunk=60)
    got: list[VideoFrame] = []
    for index in range(4):
        pack = muxer.frame(KEY, index * 3600, key=True)
        for piece in pack.split(b"\x00\x00\x01\xe0")[1:]:
            got += videos(demuxer.feed(b"\x00\x00\x01\xe0" + piece, index * 3600, end=True))
        got += videos(demuxer.feed(b"", index * 3600))
    got += videos(run([muxer.frame(DELTA, 20_000, key=False)], demuxer))
    assert [f.data for f in got].count(KEY) == 3


def test_a_pes_without_length_runs_to_the_next_start_code() -> None:
    def pack(data: bytes, pts: int) -> bytes:
        return pack_header(pts, 20_000) + b"\x00\x00\x01\xe0\x00\x00\x80\x80\x05" + pts_field(pts) + data

    frames = videos(run([pack(KEY, 0), pack(DELTA, 3600), pack(DELTA, 7200)]))
    assert [f.data for f in frames] == [KEY, DELTA, DELTA]
    at_marker = PsDemuxer().feed(pack(KEY, 0), end=True)
    assert [f.data for f in videos(at_marker)] == [KEY]


def test_without_a_stream_map_the_codec_is_sniffed() -> None:
    for codec in ("h264", "h265"):
        bare = [pack.replace(stream_map(codec, None), b"") for pack in packs(codec)]
        frames = videos(run(bare))
        assert len(frames) == len(clip(codec))
        assert {f.codec for f in frames} == {codec}


def test_q35_a_wrong_map_checksum_is_ignored() -> None:
    good = stream_map("h264", "g711a")
    demuxer = PsDemuxer()
    run([PsMuxer("h264", "g711a").frame(KEY, 0, key=True).replace(good, good[:-4] + b"\xde\xad\xbe\xef")], demuxer)
    assert (demuxer.codec, demuxer.audio_codec) == ("h264", "g711a")


def test_a_map_that_lies_about_the_codec_is_overruled_by_the_content() -> None:
    lying = [pack.replace(stream_map("h265", None), stream_map("h264", None)) for pack in packs("h265")]
    assert {f.codec for f in videos(run(lying))} == {"h265"}


def test_times_come_from_rtp_when_the_pes_has_none() -> None:
    def pack(data: bytes) -> bytes:
        return pack_header(0, 1) + b"\x00\x00\x01\xe0" + (len(data) + 3).to_bytes(2, "big") + b"\x80\x00\x00" + data

    demuxer = PsDemuxer()
    frames = demuxer.feed(pack(KEY), 111, end=True) + demuxer.feed(pack(DELTA), 3711, end=True)
    assert [(f.pts, f.data) for f in frames] == [(111, KEY), (3711, DELTA)]


def test_a_gap_drops_the_damaged_frame_only() -> None:
    muxer = PsMuxer("h264")
    demuxer = PsDemuxer()
    whole = muxer.frame(KEY, 0, key=True)
    out = demuxer.feed(whole[:-50], 0)
    demuxer.lost()
    out += demuxer.feed(muxer.frame(DELTA, 3600, key=False), 3600, end=True)
    out += demuxer.feed(muxer.frame(KEY, 7200, key=True), 7200, end=True)
    assert [f.data for f in out] == [DELTA, KEY]
    assert demuxer.stats.damaged == 1


def test_before_any_map_or_parameter_set_a_frame_cannot_be_used() -> None:
    muxer = PsMuxer("h264")
    demuxer = PsDemuxer()
    assert demuxer.feed(muxer.frame(DELTA, 0, key=False), end=True) == []
    assert [f.data for f in videos(run([muxer.frame(KEY, 3600, key=True)], demuxer))] == [KEY]
    assert demuxer.stats.unidentified == 1


def test_private_streams_and_padding_are_skipped_by_length() -> None:
    private = b"\x00\x00\x01\xbd\x00\x08\x00\x00\x01\xe0junk" + b"\x00\x00\x01\xbe\x00\x02\xff\xff"
    muxer = PsMuxer("h264")
    frames = videos(run([muxer.frame(KEY, 0, key=True) + private, private + muxer.frame(DELTA, 1, key=False)]))
    assert [f.data for f in frames] == [KEY, DELTA]


def test_audio_kinds_come_from_the_map() -> None:
    for kind in ("g711a", "g711u", "aac"):
        muxer = PsMuxer("h264", kind)
        frames = run([muxer.frame(KEY, 0, key=True), muxer.audio_frame(b"a" * 320, 40)])
        assert AudioFrame(kind, 40, b"a" * 320) in frames


def test_an_endless_frame_is_cut_off() -> None:
    demuxer = PsDemuxer()
    demuxer.feed(pack_header(0, 1) + b"\x00\x00\x01\xe0\x00\x00\x80\x80\x05" + pts_field(0))
    for _ in range(MAX_FRAME // 65_536 + 3):
        assert demuxer.feed(b"\x55" * 65_536) == []
    held = sum(map(len, demuxer._parts)) + len(demuxer._tail)
    assert held <= MAX_FRAME
    assert demuxer.stats.oversized == 1
