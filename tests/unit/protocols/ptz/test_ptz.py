"""The PTZ code both ways (GB/T 28181-2022 annex A.3; gb28181.md §8.3)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.ptz import (
    Auxiliary,
    Cruise,
    CruiseAction,
    Lens,
    Move,
    Preset,
    PresetAction,
    PtzCommand,
    Scan,
    ScanAction,
    Sign,
    Stop,
    decode,
    encode,
)

VECTORS: list[tuple[PtzCommand, str]] = [
    (Stop(), "A50F0100000000B5"),
    (Move(pan=1, pan_speed=128), "A50F010180000036"),
    (Move(pan=-1, pan_speed=128), "A50F010280000037"),
    (Move(tilt=-1, tilt_speed=128), "A50F010400800039"),
    (Move(tilt=1, tilt_speed=128), "A50F01080080003D"),
    (Move(pan=1, tilt=1, pan_speed=128, tilt_speed=128), "A50F0109808000BE"),
    (Move(zoom=1, zoom_speed=8), "A50F011000008045"),
    (Move(zoom=-1, zoom_speed=8), "A50F012000008055"),
    (Lens(focus=1, focus_speed=128), "A50F014180000076"),
    (Lens(iris=1, iris_speed=128), "A50F014400800079"),
    (Lens(), "A50F0140000000F5"),
    (Preset("set", 1), "A50F018100010037"),
    (Preset("call", 1), "A50F018200010038"),
    (Preset("delete", 1), "A50F018300010039"),
    (Cruise("add", 1, 5), "A50F01840105003F"),
    (Cruise("speed", 1, 300), "A50F0186012C1078"),
    (Cruise("start", 1), "A50F01880100003E"),
    (Scan("left", 1), "A50F018901010040"),
    (Auxiliary(True, 1), "A50F018C01000042"),
]

SIGNS: list[Sign] = [-1, 0, 1]
PRESETS: list[PresetAction] = ["set", "call", "delete"]
LONG_CRUISES: list[CruiseAction] = ["speed", "stay"]
SHORT_SCANS: list[ScanAction] = ["start", "left", "right"]

sign = st.sampled_from(SIGNS)
byte = st.integers(0, 255)
commands = st.one_of(
    st.just(Stop()),
    st.builds(Move, sign, sign, sign, byte, byte, st.integers(0, 15)).filter(lambda m: any((m.pan, m.tilt, m.zoom))),
    st.builds(Lens, sign, sign, byte, byte),
    st.builds(Preset, st.sampled_from(PRESETS), st.integers(1, 255)),
    st.builds(Cruise, st.sampled_from(LONG_CRUISES), byte, st.integers(0, 4095)),
    st.builds(lambda g, v: Cruise("add", g, v), byte, st.integers(1, 255)),
    st.builds(lambda g, v: Cruise("remove", g, v), byte, byte),
    st.builds(lambda g: Cruise("start", g), byte),
    st.builds(Scan, st.sampled_from(SHORT_SCANS), byte),
    st.builds(lambda g, v: Scan("speed", g, v), byte, st.integers(0, 4095)),
    st.builds(Auxiliary, st.booleans(), byte),
)


@pytest.mark.parametrize(("command", "text"), VECTORS)
def test_vectors_both_ways(command: PtzCommand, text: str) -> None:
    assert encode(command) == text
    assert decode(text) == command


def test_address_zero() -> None:
    assert encode(Move(tilt=1, tilt_speed=128), address=0) == "A50F00080080003C"
    assert decode("A50F00080080003C") == Move(tilt=1, tilt_speed=128)


@given(commands, st.integers(0, 0xFFF))
def test_there_and_back(command: PtzCommand, address: int) -> None:
    """Whatever we can say at any address is read back as said."""
    assert decode(encode(command, address)) == command


def test_lenient_reading() -> None:
    assert decode(" a50f0100000000b5 ") == Stop()
    # A wrong check nibble in byte 2, with the sum adjusted to it.
    assert decode("A5000100000000A6") == Stop()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A50F0100000000B6",  # wrong sum
        "A50F0100000000",  # too short
        "A50F0100000000B500",
        "B50F0100000000C5",  # wrong start
        "A50F0103000000B8",  # left and right
        "A50F010C000000C1",  # up and down
        "A50F0130000000E5",  # in and out
        "A50F0181000000" + "36",  # preset 0
        "A50F0160000000" + "15",  # undefined
        "A50F01890103004" + "2",  # undefined scan
        "A5 0F 01 00 00 00 00 B5",
        "\u0661" * 16,
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(text)


@pytest.mark.parametrize(
    "command",
    [
        Move(),
        Move(pan=1, pan_speed=256),
        Move(zoom=1, zoom_speed=16),
        Preset("call", 0),
        Preset("call", 256),
        Cruise("add", 1, 0),
        Cruise("stay", 1, 4096),
        Cruise("start", 1, 1),
        Scan("start", -1),
        Auxiliary(False, 300),
    ],
)
def test_never_sent(command: PtzCommand) -> None:
    with pytest.raises(LocalProtocolError):
        encode(command)
    with pytest.raises(LocalProtocolError):
        encode(Stop(), 0x1000)


@given(st.text(max_size=20) | st.binary(min_size=8, max_size=8).map(bytes.hex))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Any text is a command or a RemoteProtocolError, and what is read can be said again."""
    with contextlib.suppress(RemoteProtocolError):
        assert decode(encode(decode(text))) == decode(text)


@given(st.binary(min_size=5, max_size=5))
def test_any_code_with_a_right_sum(body: bytes) -> None:
    """Any eight bytes with a right sum are a command or a RemoteProtocolError."""
    data = b"\xa5\x0f" + body
    with contextlib.suppress(RemoteProtocolError):
        command = decode((data + bytes((sum(data) & 0xFF,))).hex())
        assert decode(encode(command)) == command
