"""Keepalive, device information and status, queries, times (gb28181.md §3.4, §5, §7.6)."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import (
    CatalogQuery,
    DeviceInfo,
    DeviceStatus,
    Keepalive,
    build_query,
    fast_keepalive,
    format_sip_date,
    format_time,
    parse,
    parse_time,
    version_edition,
)

PEER = "34150200001180000001"
EIGHT = datetime(2026, 3, 1, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize("faulty", [(), ("34150200001310000007", "34150200001310000008")])
@pytest.mark.parametrize("ok", [True, False])
def test_keepalive_there_and_back(ok: bool, faulty: tuple[str, ...]) -> None:
    keepalive = Keepalive(PEER, 43, ok, faulty)
    body = keepalive.build(Edition.E2022)
    assert Keepalive.parse(parse(body)) == keepalive
    assert fast_keepalive(body) == (None if faulty else keepalive)


def test_fast_path_takes_only_what_the_parser_reads_alike() -> None:
    plain = (
        b'<?xml version="1.0" encoding="GB2312"?>\n<Notify>\n<CmdType>Keepalive</CmdType>\n<SN>43</SN>\n'
        b"<DeviceID>34150200001180000001</DeviceID>\n<Status>OK</Status>\n<Info>\n</Info>\n</Notify>\n"
    )
    assert fast_keepalive(plain) == Keepalive(PEER, 43)
    for odd in (
        plain.replace(b"Keepalive", b"Catalog"),
        plain.replace(b"<SN>43</SN>", b""),
        plain.replace(b"34150200001180000001", b"341502"),
        plain + b"<Notify/>",
        plain.replace(b"OK", b"ok"),
        b"x" + plain,
    ):
        assert fast_keepalive(odd) is None


@given(st.integers(0, 200), st.integers(0, 10), st.binary(max_size=6))
def test_fast_path_agrees_with_the_parser(at: int, cut: int, insert: bytes) -> None:
    """Whatever the fast path accepts, the full parser reads to the same value."""
    body = Keepalive(PEER, 43).build()
    body = body[:at] + insert + body[at + cut :]
    fast = fast_keepalive(body)
    if fast is not None:
        assert Keepalive.parse(parse(body)) == fast


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T08:00:00",
        " 2026-03-01 08:00:00 ",
        "2026-03-01T08:00",
        "2026-03-01T08:00:00.000",
        "2026-03-01T00:00:00Z",
        "2026-03-01T08:00:00+08:00",
        "2026-03-01T00:00:00+0000",
        "2026-3-1T8:0:0",
    ],
)
def test_times_in_every_dress(text: str) -> None:
    assert parse_time(text) == EIGHT


@pytest.mark.parametrize(
    "text", [None, "", "null", "yesterday", "2026-13-01T00:00:00", "2026-02-30T00:00:00", "0001-01-01T00:00:00"]
)
def test_unreadable_times_are_absent(text: str | None) -> None:
    assert parse_time(text) is None


@given(st.text(max_size=40))
def test_any_time_text_is_survived(text: str) -> None:
    """Any text gives a time or None, never an exception."""
    parse_time(text)
    parse_time(f"2026-03-01T08:00:00{text}")


def test_q37_times_are_written_in_beijing_without_a_zone() -> None:
    assert format_time(EIGHT) == "2026-03-01T08:00:00"
    assert format_sip_date(EIGHT.replace(microsecond=123456)) == "2026-03-01T08:00:00.123"


@pytest.mark.parametrize(
    ("version", "edition"),
    [(None, "2016"), ("", "2016"), ("2.0", "2016"), ("3.0", "2022"), ("4.1", "2022"), ("1.1", "2011"), ("x", "2016")],
)
def test_version_header_decides_the_edition(version: str | None, edition: str) -> None:
    assert version_edition(version) == edition


def test_catalog_query() -> None:
    query = CatalogQuery(PEER, 17430, EIGHT, EIGHT)
    assert CatalogQuery.parse(parse(query.build())) == query
    plain = CatalogQuery(PEER, 1).build()
    assert b"StartTime" not in plain
    assert CatalogQuery.parse(parse(plain)) == CatalogQuery(PEER, 1)
    with pytest.raises(RemoteProtocolError):
        CatalogQuery.parse(parse(b"<Query><CmdType>Catalog</CmdType><SN></SN></Query>"))


def test_device_info_and_vendor_spellings() -> None:
    info = DeviceInfo(PEER, 3, "录像机", True, "V", "M1", "1.0", 16)
    assert DeviceInfo.parse(parse(info.build())) == info
    body = f"<Response><CmdType>DeviceInfo</CmdType><SN>3</SN><DeviceID>{PEER}</DeviceID><Result>Error</Result><MaxCamera>8</MaxCamera></Response>"
    parsed = DeviceInfo.parse(parse(body.encode()))
    assert (parsed.result, parsed.channels) == (False, 8)


def test_device_status() -> None:
    status = DeviceStatus(PEER, 4, True, True, False, "disk", True, False, EIGHT, (("34150200001340000001", "ONDUTY"),))
    assert DeviceStatus.parse(parse(status.build())) == status
    bare = DeviceStatus.parse(parse(build_query("DeviceStatus", PEER, 9)))
    assert (bare.online, bare.ok, bare.encode, bare.alarms) == (True, True, None, ())
