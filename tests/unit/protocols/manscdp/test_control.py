"""DeviceControl: every command there and back (annex A.2.3.1; gb28181.md §8.1, §16)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import (
    AlarmReset,
    Command,
    DeviceControl,
    DragZoom,
    FormatCard,
    Guard,
    HomePosition,
    KeyFrame,
    PrecisePtz,
    PtzControl,
    Record,
    SetHomePosition,
    TargetTrack,
    TeleBoot,
    Upgrade,
    parse,
)
from gongshi.protocols.ptz import Move, encode
from unit.protocols.manscdp.words import CAMERA

RIGHT = encode(Move(pan=1, pan_speed=128))
OLD: list[tuple[Command, bool]] = [
    (PtzControl(RIGHT), False),
    (PtzControl(RIGHT, priority=5), False),
    (TeleBoot(), False),
    (Record(True), True),
    (Record(False), True),
    (Guard(True), True),
    (Guard(False), True),
    (AlarmReset(), True),
    (AlarmReset((2, 5), 1), True),
    (KeyFrame(), False),
    (DragZoom(True, 704, 576, 352, 288, 100, 80), False),
    (DragZoom(False, 704, 576, 352, 288, 100, 80), False),
    (SetHomePosition(HomePosition(True, 60, 1)), True),
    (SetHomePosition(HomePosition(False)), True),
]
NEW: list[tuple[Command, bool]] = [
    (PrecisePtz(12.5, -30.0, 1.0), False),
    (PrecisePtz(tilt=90.0), False),
    (Upgrade("v2", "http://10.1.1.9/f.bin", "V", "a" * 32), True),
    (FormatCard(0), False),
    (FormatCard(1), False),
]


@pytest.mark.parametrize(("command", "answered"), OLD + NEW)
def test_there_and_back(command: Command, answered: bool) -> None:
    control = DeviceControl(CAMERA, 11, command)
    assert control.answered is answered
    assert DeviceControl.parse(parse(control.to_bytes(Edition.E2022))) == control
    assert DeviceControl.parse(parse(control.to_bytes(Edition.E2022, "utf-8"))) == control


@pytest.mark.parametrize("command", [command for command, _ in OLD])
def test_2016_reads_what_it_knows(command: Command) -> None:
    control = DeviceControl(CAMERA, 11, command)
    assert DeviceControl.parse(parse(control.to_bytes(Edition.E2016))) == control


@pytest.mark.parametrize("command", [command for command, _ in NEW])
def test_2022_commands_never_go_to_2016(command: Command) -> None:
    with pytest.raises(LocalProtocolError):
        DeviceControl(CAMERA, 11, command).to_bytes(Edition.E2016)


def test_key_frame_is_spelt_by_edition_and_read_in_both() -> None:
    control = DeviceControl(CAMERA, 11, KeyFrame())
    assert b"<IFameCmd>Send" in control.to_bytes(Edition.E2016)
    assert b"<IFrameCmd>Send" in control.to_bytes(Edition.E2022)
    assert DeviceControl.parse(parse(control.to_bytes(Edition.E2016))) == control


def test_parameters_of_2022_stay_away_from_2016() -> None:
    named = DeviceControl(CAMERA, 1, PtzControl(RIGHT, preset_name="大门"))
    assert DeviceControl.parse(parse(named.to_bytes(Edition.E2022))) == named
    assert b"PTZCmdParams" not in named.to_bytes(Edition.E2016)
    recording = DeviceControl(CAMERA, 1, Record(True, 1))
    assert b"StreamNumber" in recording.to_bytes(Edition.E2022)
    assert b"StreamNumber" not in recording.to_bytes(Edition.E2016)


def test_a_command_may_be_given_as_value() -> None:
    control = DeviceControl(CAMERA, 1, PtzControl(Move(pan=1, pan_speed=128)))
    again = DeviceControl.parse(parse(control.to_bytes()))
    assert isinstance(again.command, PtzControl)
    assert again.command.code == RIGHT
    assert again.command.command == Move(pan=1, pan_speed=128)


@pytest.mark.parametrize("edition", list(Edition))
def test_target_track_is_read_and_never_sent(edition: Edition) -> None:
    body = (
        b"<Control><CmdType>DeviceControl</CmdType><SN>1</SN><DeviceID>1</DeviceID>"
        b"<TargetTrack>Auto</TargetTrack><DeviceID2>2</DeviceID2></Control>"
    )
    control = DeviceControl.parse(parse(body))
    assert (control.command, control.answered) == (TargetTrack("Auto"), False)
    with pytest.raises(LocalProtocolError):
        control.to_bytes(edition)


@pytest.mark.parametrize(
    "inner",
    [
        b"",
        b"<PTZCmd>A50F0100000000B6</PTZCmd>",
        b"<PTZCmd>A50F</PTZCmd>",
        b"<RecordCmd>Maybe</RecordCmd>",
        b"<GuardCmd>1</GuardCmd>",
        b"<DragZoomIn><Length>1</Length></DragZoomIn>",
        b"<HomePosition><ResetTime>5</ResetTime></HomePosition>",
        b"<FormatSDCard>all</FormatSDCard>",
        b"<Unknown>1</Unknown>",
    ],
)
def test_refused(inner: bytes) -> None:
    body = b"<Control><CmdType>DeviceControl</CmdType><SN>1</SN><DeviceID>1</DeviceID>%s</Control>" % inner
    with pytest.raises(RemoteProtocolError):
        DeviceControl.parse(parse(body))


@pytest.mark.parametrize(
    "command",
    [
        PtzControl("A50F0100000000B6"),
        PtzControl(RIGHT, preset_name="很长的名称" * 4),
        DragZoom(True, -1, 0, 0, 0, 0, 0),
        SetHomePosition(HomePosition(True, 1, 256)),
        PrecisePtz(),
        PrecisePtz(pan=361.0),
        PrecisePtz(tilt=-31.0),
        PrecisePtz(zoom=0.5),
        Upgrade("v", "u", "m", "short"),
        FormatCard(-1),
    ],
)
def test_never_sent(command: Command) -> None:
    with pytest.raises(LocalProtocolError):
        DeviceControl(CAMERA, 1, command).to_bytes(Edition.E2022)


NAMES = ["PTZCmd", "TeleBoot", "RecordCmd", "GuardCmd", "AlarmCmd", "IFameCmd", "DragZoomIn", "HomePosition"]
NAMES += ["PTZPreciseCtrl", "DeviceUpgrade", "FormatSDCard", "TargetTrack", "Info", "Length", "Enabled", "Pan"]


@given(st.recursive(st.text(max_size=12), lambda inner: st.lists(st.tuples(st.sampled_from(NAMES), inner), max_size=4)))
def test_any_tree_is_read_or_refused(tree: object) -> None:
    """Any tree of known names is a command or a RemoteProtocolError, and what is read can be named."""

    def text(node: object) -> str:
        if isinstance(node, str):
            return node.replace("&", "").replace("<", "")
        assert isinstance(node, list)
        return "".join(f"<{name}>{text(inner)}</{name}>" for name, inner in node)

    body = f"<Control><CmdType>DeviceControl</CmdType><SN>1</SN>{text(tree)}</Control>"
    with contextlib.suppress(RemoteProtocolError):
        assert DeviceControl.parse(parse(body.encode())).group
