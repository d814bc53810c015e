"""Queries and their answers (annex A.2.4, A.2.6; gb28181.md §7.6, §16)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import (
    AlarmQuery,
    ConfigDownloadQuery,
    CruisePoint,
    CruiseTrack,
    CruiseTrackEntry,
    CruiseTrackList,
    CruiseTrackListQuery,
    CruiseTrackQuery,
    DeviceInfoQuery,
    DeviceStatusQuery,
    HomePosition,
    HomePositionAnswer,
    HomePositionQuery,
    MobilePositionQuery,
    PresetItem,
    PresetList,
    PresetQuery,
    PtzPosition,
    PtzPositionQuery,
    Result,
    SdCard,
    SdCardStatus,
    SdCardStatusQuery,
    join_codes,
    parse,
    split_codes,
)
from unit.protocols.manscdp.words import CAMERA, EIGHT, HOUR, texts

OLD = [
    DeviceInfoQuery(CAMERA, 1),
    DeviceStatusQuery(CAMERA, 2),
    PresetQuery(CAMERA, 3),
    MobilePositionQuery(CAMERA, 4, 30),
    AlarmQuery(CAMERA, 5, 1, 4, (2, 5), (), EIGHT, EIGHT + HOUR),
    ConfigDownloadQuery(CAMERA, 6, ("BasicParam", "VideoParamOpt")),
    PresetList(CAMERA, 7, (PresetItem(1, "东门"), PresetItem(255))),
    Result("DeviceControl", CAMERA, 8, ok=False),
]
NEW = [
    HomePositionQuery(CAMERA, 1),
    CruiseTrackListQuery(CAMERA, 2),
    CruiseTrackQuery(CAMERA, 3, 0),
    PtzPositionQuery(CAMERA, 4),
    SdCardStatusQuery(CAMERA, 5),
    HomePositionAnswer(CAMERA, 6),
    HomePositionAnswer(CAMERA, 6, HomePosition(True, 60, 0)),
    CruiseTrackList(CAMERA, 7, (CruiseTrackEntry(0, "巡航"), CruiseTrackEntry(1)), 2),
    CruiseTrackList(CAMERA, 7, (), 0),
    CruiseTrack(CAMERA, 8, 1, "x", (CruisePoint(1, 10, 15), CruisePoint(2)), 2),
    PtzPosition(CAMERA, 9, 12.5, -30.0, 1.0, 60.0, 33.75, 300.0),
    PtzPosition(CAMERA, 9),
    SdCardStatus(CAMERA, 10, (SdCard(1, "sd", "formatting", 40, 128_000, 100),), 1),
]


def named(message: object) -> str:
    return type(message).__name__


@pytest.mark.parametrize("message", OLD, ids=named)
def test_2016_messages_there_and_back(message: Any) -> None:
    for edition in (Edition.E2016, Edition.E2022):
        again = type(message).parse(parse(message.to_bytes(edition)))
        assert again == message or edition == Edition.E2022  # SumNum of PresetList is 2022's
    assert type(message).parse(parse(message.to_bytes(Edition.E2016, "utf-8"))) == message


@pytest.mark.parametrize("message", NEW, ids=named)
def test_2022_messages_there_and_back_and_never_to_2016(message: Any) -> None:
    assert type(message).parse(parse(message.to_bytes(Edition.E2022))) == message
    for old in (Edition.E2011, Edition.E2016):
        with pytest.raises(LocalProtocolError):
            message.to_bytes(old)


def test_config_types_of_2022_never_go_to_2016() -> None:
    query = ConfigDownloadQuery(CAMERA, 6, ("BasicParam", "OSDConfig"))
    assert b"BasicParam/OSDConfig" in query.to_bytes(Edition.E2022)
    with pytest.raises(LocalProtocolError):
        query.to_bytes(Edition.E2016)
    with pytest.raises(LocalProtocolError):
        ConfigDownloadQuery(CAMERA, 6, ()).to_bytes(Edition.E2022)


def test_config_types_in_any_spelling() -> None:
    body = (
        b"<Query><CmdType>ConfigDownload</CmdType><SN>1</SN><ConfigType>basicparam/SnapShot//X/X</ConfigType></Query>"
    )
    assert ConfigDownloadQuery.parse(parse(body)).types == ("BasicParam", "SnapShotConfig", "X")
    with pytest.raises(RemoteProtocolError):
        ConfigDownloadQuery.parse(parse(body.replace(b"ConfigType", b"Other")))


def test_alarm_combinations_by_edition() -> None:
    query = AlarmQuery(CAMERA, 5, methods=(1, 2), types=(13,))
    assert b"<AlarmMethod>12</AlarmMethod>" in query.to_bytes(Edition.E2016)
    assert b"AlarmType" not in query.to_bytes(Edition.E2016)
    assert b"<AlarmMethod>1/2</AlarmMethod>" in query.to_bytes(Edition.E2022)
    assert b"<AlarmType>13</AlarmType>" in query.to_bytes(Edition.E2022)
    assert b"<AlarmMethod>0</AlarmMethod>" in AlarmQuery(CAMERA, 5).to_bytes()
    with pytest.raises(LocalProtocolError):
        join_codes((1, 13), Edition.E2016)


@given(st.lists(st.integers(1, 9), unique=True), st.sampled_from([Edition.E2016, Edition.E2022]))
def test_combinations_there_and_back(codes: list[int], edition: Edition) -> None:
    """A combination of methods is read as said, whatever the edition."""
    assert split_codes(join_codes(codes, edition)) == tuple(codes)


@given(st.text(max_size=12))
def test_any_combination_is_survived(text: str) -> None:
    """Any text is a combination, at worst of nothing."""
    assert 0 not in split_codes(text)


def test_what_an_alarm_subscription_wants() -> None:
    query = AlarmQuery(CAMERA, 5, 1, 2, (5,), (6,))
    assert query.wants(1, 5, 6)
    assert query.wants(None, None)
    assert not query.wants(3, 5, 6)
    assert not query.wants(1, 2, 6)
    assert not query.wants(1, 5, 2)
    assert AlarmQuery(CAMERA, 5).wants(4, 7, 1)


def test_sample_spelling_of_alarm_times() -> None:
    body = AlarmQuery(CAMERA, 5, start=EIGHT, end=EIGHT).to_bytes()
    body = body.replace(b"StartAlarmTime", b"StartTime").replace(b"EndAlarmTime", b"EndTime")
    assert AlarmQuery.parse(parse(body)) == AlarmQuery(CAMERA, 5, start=EIGHT, end=EIGHT)


@pytest.mark.parametrize("interval", [b"", b"null", b"0", b"-5", b"99999999"])
def test_q30_absurd_intervals_are_the_default(interval: bytes) -> None:
    body = MobilePositionQuery(CAMERA, 4, 30).to_bytes().replace(b"30</Interval>", interval + b"</Interval>")
    assert MobilePositionQuery.parse(parse(body)).interval == 5


def test_preset_lists_of_devices() -> None:
    body = (
        b"<Response><CmdType>PresetQuery</CmdType><SN>7</SN><DeviceID>1</DeviceID><PresetList Num=2>"
        b"<Item><PresetID>1</PresetID><PresetName>A&B</PresetName></Item><Item><PresetID>x</PresetID></Item>"
        b"<Item PresetID='3'/></PresetList></Response>"
    )
    assert PresetList.parse(parse(body)).presets == (PresetItem(1, "A&B"), PresetItem(3))


@given(st.integers(1, 2**31 - 2), st.lists(st.builds(PresetItem, st.integers(0, 255), texts), max_size=5))
def test_presets_there_and_back(sn: int, presets: list[PresetItem]) -> None:
    """Numbers and names survive the wire."""
    answer = PresetList(CAMERA, sn, tuple(presets), len(presets))
    assert PresetList.parse(parse(answer.to_bytes(Edition.E2022))) == answer
