"""Settings of a device, read and written (annex A.2.3.2; gb28181.md §8.2, §16)."""

import contextlib
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import (
    AlarmReport,
    BasicParam,
    ConfigDownload,
    DayPlan,
    DeviceConfig,
    FrameMirror,
    MaskRegion,
    OsdConfig,
    OsdText,
    PictureMask,
    RawSetting,
    Setting,
    SnapShotConfig,
    VideoAlarmRecord,
    VideoAttribute,
    VideoParamAttribute,
    VideoParamOpt,
    VideoRecordPlan,
    parse,
    setting_name,
)
from unit.protocols.manscdp.words import CAMERA

MORNING = (time(8, 0, 0), time(12, 30, 59))
OLD: list[Setting] = [
    BasicParam("东门", 86_400, 60, 3),
    BasicParam("x", 3600, 60, 3, 1, 116.5, 31.75),
    VideoParamOpt("1/2/4", "5/6"),
]
NEW: list[Setting] = [
    VideoParamAttribute((VideoAttribute(0, "2", "6", "25", "1", "4096"), VideoAttribute(1, "5"))),
    VideoRecordPlan(True, (DayPlan(1, (MORNING, (time(13), time(18)))), DayPlan(7)), 1),
    VideoRecordPlan(False),
    VideoAlarmRecord(True, 30, 5, 0),
    PictureMask(True, (MaskRegion(1, (0, 0, 100, 80)), MaskRegion(4, (5, 6, 7, 8)))),
    PictureMask(False),
    FrameMirror(3),
    AlarmReport(True, False),
    OsdConfig(704, 576, 10, 20, True, 1, False, (OsdText("东门 A&B", 1, 2), OsdText("", 3, 4))),
    SnapShotConfig(3, 1, "http://10.1.1.9/up?t=1&n=2", "a" * 32),
]


@pytest.mark.parametrize("setting", OLD + NEW, ids=setting_name)
def test_there_and_back(setting: Setting) -> None:
    answer = ConfigDownload(CAMERA, 3, True, (setting,))
    assert ConfigDownload.parse(parse(answer.to_bytes(Edition.E2022))) == answer
    if not isinstance(setting, VideoParamOpt):
        control = DeviceConfig(CAMERA, 4, (setting,))
        assert DeviceConfig.parse(parse(control.to_bytes(Edition.E2022, "utf-8"))) == control


@pytest.mark.parametrize("setting", NEW, ids=setting_name)
def test_2022_settings_never_go_to_2016(setting: Setting) -> None:
    for message in (DeviceConfig(CAMERA, 4, (setting,)), ConfigDownload(CAMERA, 4, True, (setting,))):
        with pytest.raises(LocalProtocolError):
            message.to_bytes(Edition.E2016)


@pytest.mark.parametrize("setting", OLD, ids=setting_name)
def test_2016_settings_go_to_2016(setting: Setting) -> None:
    answer = ConfigDownload(CAMERA, 3, True, (setting,))
    assert ConfigDownload.parse(parse(answer.to_bytes(Edition.E2016))) == answer


def test_s16_the_snapshot_answer_names_its_element_otherwise() -> None:
    order = SnapShotConfig(1, 1, "http://x/y", "b" * 32)
    body = ConfigDownload(CAMERA, 3, True, (order,)).to_bytes(Edition.E2022)
    body = body.replace(b"SnapShotConfig", b"SnapShot")
    assert ConfigDownload.parse(parse(body)).settings == (order,)


def test_q27_unknown_and_damaged_settings_are_kept_raw() -> None:
    body = (
        b"<Response><CmdType>ConfigDownload</CmdType><SN>3</SN><DeviceID>1</DeviceID><Result>OK</Result>"
        b"<VendorParam><A>1</A></VendorParam><FrameMirror>9</FrameMirror><SVACEncodeConfig><ROI/></SVACEncodeConfig>"
        b"<Empty/></Response>"
    )
    answer = ConfigDownload.parse(parse(body))
    assert [setting_name(s) for s in answer.settings] == ["VendorParam", "FrameMirror", "SVACEncodeConfig"]
    assert all(isinstance(s, RawSetting) for s in answer.settings)
    again = ConfigDownload.parse(parse(answer.to_bytes(Edition.E2022)))
    assert again.settings == answer.settings


@pytest.mark.parametrize(
    ("interval", "count", "expected"),
    [
        (b"30", b"5", (30, 5)),
        (b"0", b"0", (60, 3)),
        (b"", b"", (60, 3)),
        (b"null", b"null", (60, 3)),
        (b"-1", b"-1", (60, 3)),
        (b"1", b"1", (5, 1)),
        (b"99999999", b"9999", (3600, 20)),
    ],
)
def test_q30_absurd_heartbeats_are_clamped(interval: bytes, count: bytes, expected: tuple[int, int]) -> None:
    body = ConfigDownload(CAMERA, 3, True, (BasicParam("x", 3600, 77, 66),)).to_bytes()
    body = body.replace(b">77<", b">" + interval + b"<").replace(b">66<", b">" + count + b"<")
    (basic,) = ConfigDownload.parse(parse(body)).settings
    assert isinstance(basic, BasicParam)
    assert basic.keepalive(60, 3) == expected


def test_a_day_that_ends_at_24() -> None:
    plan = VideoRecordPlan(True, (DayPlan(1, ((time(0), time(23, 59, 59)),)),))
    element = plan.to_element()
    (day,) = element.all("RecordSchedule")
    (segment,) = day.all("TimeSegment")
    values = {child.name: child for child in segment.children}
    values["StopHour"].text, values["StopMin"].text, values["StopSec"].text = "24", "0", "0"
    assert VideoRecordPlan.parse(element) == plan


@pytest.mark.parametrize(
    "setting",
    [
        VideoParamOpt("1", ""),
        VideoRecordPlan(True, (DayPlan(8),)),
        VideoRecordPlan(True, (DayPlan(1, (MORNING,) * 9),)),
        PictureMask(True, (MaskRegion(5, (0, 0, 1, 1)),)),
        FrameMirror(4),
        OsdConfig(1, 1, texts=(OsdText("x" * 33, 0, 0),)),
        OsdConfig(1, 1, texts=(OsdText("x", 0, 0),) * 9),
        SnapShotConfig(11, 1, "http://x", "a" * 32),
        SnapShotConfig(1, 0, "http://x", "a" * 32),
        SnapShotConfig(1, 1, "http://x", "short"),
    ],
    ids=setting_name,
)
def test_never_sent(setting: Setting) -> None:
    with pytest.raises(LocalProtocolError):
        DeviceConfig(CAMERA, 1, (setting,)).to_bytes(Edition.E2022)


def test_nothing_to_set_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        DeviceConfig.parse(parse(b"<Control><CmdType>DeviceConfig</CmdType><SN>1</SN><DeviceID>1</DeviceID></Control>"))
    with pytest.raises(LocalProtocolError):
        DeviceConfig(CAMERA, 1, ()).to_bytes()


@given(st.sampled_from(OLD + NEW), st.integers(0, 900), st.integers(0, 30), st.binary(max_size=20))
def test_damaged_settings_are_read_or_refused(setting: Setting, at: int, cut: int, noise: bytes) -> None:
    """Any damage gives settings or a RemoteProtocolError."""
    body = ConfigDownload(CAMERA, 3, True, (setting,)).to_bytes(Edition.E2022)
    with contextlib.suppress(RemoteProtocolError):
        ConfigDownload.parse(parse(body[:at] + noise + body[at + cut :]))
