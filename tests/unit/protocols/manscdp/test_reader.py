"""Every message of annex A is found by its root and CmdType, and nothing breaks the reader."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import (
    AlarmQuery,
    Broadcast,
    CatalogQuery,
    DeviceInfo,
    DeviceStatus,
    Keepalive,
    MediaStatus,
    Result,
    Root,
    parse,
    read,
)
from gongshi.protocols.manscdp.reader import _READERS
from unit.protocols.manscdp.words import CAMERA, EIGHT

TABLE: dict[Root, set[str]] = {
    "Control": {"DeviceControl", "DeviceConfig"},
    "Query": {
        *("DeviceStatus", "Catalog", "DeviceInfo", "RecordInfo", "ConfigDownload", "PresetQuery", "Alarm"),
        *("MobilePosition", "HomePositionQuery", "CruiseTrackListQuery", "CruiseTrackQuery", "PTZPosition"),
        "SDCardStatus",
    },
    "Notify": {
        *("Keepalive", "MediaStatus", "Alarm", "Broadcast", "Catalog", "MobilePosition", "PTZPosition"),
        *("UploadSnapShotFinished", "VideoUploadNotify", "DeviceUpgradeResult"),
    },
    "Response": {
        *("DeviceStatus", "Catalog", "DeviceInfo", "RecordInfo", "ConfigDownload", "PresetQuery", "HomePositionQuery"),
        *("CruiseTrackListQuery", "CruiseTrackQuery", "PTZPosition", "SDCardStatus", "DeviceControl", "DeviceConfig"),
        *("Alarm", "Broadcast"),
    },
}
"""gb28181.md §6."""


def test_the_table_of_the_standard_is_complete() -> None:
    assert set(_READERS) == {(root, name.lower()) for root, names in TABLE.items() for name in names}


@pytest.mark.parametrize(
    "message",
    [
        Keepalive(CAMERA, 1),
        CatalogQuery(CAMERA, 2, EIGHT),
        DeviceInfo(CAMERA, 3, "x"),
        DeviceStatus(CAMERA, 4),
        MediaStatus(CAMERA, 5),
        Broadcast(CAMERA, CAMERA, 6),
        AlarmQuery(CAMERA, 7),
        Result("Alarm", CAMERA, 8),
    ],
)
def test_read_finds_it(
    message: "Keepalive | CatalogQuery | DeviceInfo | DeviceStatus | MediaStatus | Broadcast | AlarmQuery | Result",
) -> None:
    assert read(parse(message.to_bytes(Edition.E2016, "utf-8"))) == message


def test_q51_a_command_of_a_vendor_is_none() -> None:
    body = b"<Query><CmdType>SensorCatalog</CmdType><SN>1</SN><DeviceID>1</DeviceID></Query>"
    assert read(parse(body)) is None


KEYS = sorted(_READERS)
LEAVES = [b"SN", b"DeviceID", b"SumNum", b"Item", b"DeviceList", b"RecordList", b"StartTime", b"Info", b"PresetList"]
LEAVES += [b"HomePosition", b"FrameMirror", b"Status", b"Alarmstatus", b"Longitude", b"PTZCmd", b"SnapShotList"]


@given(
    st.sampled_from(KEYS),
    st.lists(st.tuples(st.sampled_from(LEAVES), st.text(max_size=8), st.booleans()), max_size=8),
)
def test_any_content_of_a_known_message_is_read_or_refused(
    key: tuple[Root, str], content: list[tuple[bytes, str, bool]]
) -> None:
    """Whatever stands under a known CmdType is read or refused, never anything else."""
    inner = b""
    for name, text, nested in content:
        plain = text.replace("<", "").replace("&", "").encode("gb18030", "replace")
        inner = b"<%s>%s</%s>" % (name, inner + plain, name) if nested else inner + b"<%s>%s</%s>" % (name, plain, name)
    body = b"<%s><CmdType>%s</CmdType>%s</%s>" % (key[0].encode(), key[1].encode(), inner, key[0].encode())
    with contextlib.suppress(RemoteProtocolError):
        read(parse(body))
