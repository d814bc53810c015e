"""The PS writer against the byte vectors of the GB/T 28181 reference §15.1."""

from gongshi.protocols.ps import PsMuxer
from gongshi.protocols.ps.mux import crc32_mpeg2, pack_header, pts_field, stream_map


def test_stream_map_with_audio_is_the_reference_vector() -> None:
    assert stream_map("h264", "g711a").hex() == "000001bc0012e0ff000000081be0000090c00000fedfb1d7"


def test_stream_map_of_h265_is_the_reference_vector() -> None:
    assert stream_map("h265", None).hex() == "000001bc000ee0ff0000000424e000000c49b076"


def test_pack_header_is_the_reference_vector() -> None:
    assert pack_header(900_000, 20_000).hex() == "000001ba4400dddd0401013883f8"


def test_pts_is_the_reference_vector_and_wraps_at_33_bits() -> None:
    assert pts_field(900_000).hex() == "2100377741"
    assert pts_field((1 << 33) + 900_000) == pts_field(900_000)


def test_crc_of_the_standard_check_string() -> None:
    assert crc32_mpeg2(b"123456789") == 0x0376E6E7


def test_only_key_frames_carry_the_tables() -> None:
    muxer = PsMuxer("h264")
    assert b"\x00\x00\x01\xbc" in muxer.frame(b"\x00\x00\x00\x01\x65abc", 0, key=True)
    assert b"\x00\x00\x01\xbc" not in muxer.frame(b"\x00\x00\x00\x01\x41abc", 3600, key=False)
