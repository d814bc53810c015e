"""Small parts of the signalling server: floods, traces, the time line, rows of a catalogue."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.manscdp import CatalogItem
from gongshi.protocols.sip import Flow
from gongshi.signalling.channels import channel_row
from gongshi.signalling.limits import Buckets, Sparse
from gongshi.signalling.peers import Peers, PeerState
from gongshi.signalling.service import new_password
from gongshi.signalling.trace import STRANGERS, Trace, redacted, shown
from gongshi.signalling.writer import clean


def peer(number: int, interval: int = 60) -> PeerState:
    return PeerState(
        id=number,
        code=f"34150200002000{number:06d}",
        name=f"平台{number}",
        organisation_id=1,
        organisation_name="单位",
        ha1="0" * 32,
        interval=interval,
        misses=3,
    )


def udp(port: int, host: str = "10.0.0.1") -> Flow:
    return Flow("UDP", host, port)


# --- limits -----------------------------------------------------------------------------------------------------------


def test_a_bucket_empties_and_fills_again() -> None:
    buckets = Buckets(rate=2.0, burst=3.0)
    assert [buckets.take("a", 0.0) for _ in range(5)] == [True, True, True, False, False]
    assert buckets.take("b", 0.0), "each source has its own"
    assert buckets.take("a", 0.5)
    assert not buckets.take("a", 0.5)


def test_a_flood_of_sources_costs_bounded_memory() -> None:
    buckets = Buckets(rate=1.0, burst=1.0, limit=100)
    for number in range(10_000):
        buckets.take(number, 0.0)
    assert len(buckets) <= 200


@given(st.lists(st.floats(0, 100), max_size=60))
def test_no_more_than_burst_plus_rate_passes(moments: list[float]) -> None:
    """Invariant: in any span no more than burst + rate × span requests pass."""
    buckets = Buckets(rate=3.0, burst=5.0)
    moments.sort()
    passed = [moment for moment in moments if buckets.take("x", moment)]
    for i, first in enumerate(passed):
        for j, last in enumerate(passed[i:], start=1):
            assert j <= 5.0 + 3.0 * (last - first) + 1e-6


def test_the_same_thing_is_told_once_with_its_count() -> None:
    sparse = Sparse(10.0)
    assert [sparse.count("x", moment) for moment in (0.0, 1.0, 2.0, 10.5, 11.0)] == [1, 0, 0, 3, 0]


# --- trace ------------------------------------------------------------------------------------------------------------


def test_a_trace_keeps_the_last_messages_of_each_peer() -> None:
    trace = Trace(messages=3)
    for number in range(5):
        trace.add(1, "in", "udp:x:1", b"%d" % number)
    trace.exchange(2, "10.0.0.1", 5060, b"ask", b"answer", 0.0)
    assert [line.data for line in trace.of(1)] == [b"2", b"3", b"4"]
    assert [(line.way, line.remote) for line in trace.of(2)] == [
        ("in", "udp:10.0.0.1:5060"),
        ("out", "udp:10.0.0.1:5060"),
    ]
    trace.forget(1)
    assert trace.of(1) == []


def test_the_quietest_ring_goes_first_when_memory_is_short() -> None:
    trace = Trace(messages=10, budget=10_000)
    for number in range(1, 10):
        trace.add(number, "in", "x", bytes(3_000))
    assert trace.of(1) == []
    assert trace.of(9)
    trace.add(STRANGERS, "in", "x", bytes(100_000))
    line = trace.of(STRANGERS)[0]
    assert line.size == 100_000
    assert shown(line)["truncated"]


def test_secrets_do_not_leave_the_trace() -> None:
    message = (
        b"REGISTER sip:x SIP/2.0\r\n"
        b'Authorization: Digest username="u", realm="r", nonce="abc", response="0123456789abcdef"\r\n'
        b'WWW-Authenticate: Digest realm="r", nonce="feedface"\r\n\r\n'
        b"<Item><DeviceID>1</DeviceID><Password>hunter2</Password><password >x\r\ny</Password></Item>"
    )
    text = redacted(message)
    for secret in ("0123456789abcdef", 'abc"', "feedface", "hunter2", "x\r\ny"):
        assert secret not in text
    assert 'realm="r"' in text
    assert "<DeviceID>1</DeviceID>" in text


@given(st.binary(max_size=300))
def test_any_bytes_can_be_shown(data: bytes) -> None:
    """Invariant: any message can be shown as text without NUL, never an exception."""
    trace = Trace()
    trace.add(1, "in", "x", data)
    assert "\0" not in shown(trace.of(1)[0])["text"]


# --- peers ------------------------------------------------------------------------------------------------------------


def test_peers_fall_silent_expire_and_come_back() -> None:
    peers = Peers(1.0)
    peers.put([peer(1, 10), peer(2, 1000)])
    one, two = peers.get("34150200002000000001"), peers.by_id(2)
    assert one is not None
    assert two is not None
    assert peers.bind(one, udp(1), 3600.0, 0.0)
    assert peers.bind(two, udp(2), 100.0, 0.0)
    assert not peers.bind(one, udp(1), 3600.0, 5.0), "a refresh is no new arrival"
    assert peers.online == 2
    one.seen = 20.0
    assert peers.overdue(49.0) == []
    assert peers.overdue(50.0) == [(one, "silent")]
    assert peers.unbind(one, "silent")
    assert not peers.unbind(one, "silent")
    assert peers.overdue(101.0) == [(two, "expired")]
    peers.unbind(two, "expired")
    assert peers.online == 0
    assert peers.bind(one, udp(9), 3600.0, 200.0)
    assert peers.overdue(231.0) == [(one, "silent")]


def test_paths_follow_the_latest_registration() -> None:
    peers = Peers(1.0)
    peers.put([peer(1), peer(2)])
    one, two = peers.by_id(1), peers.by_id(2)
    assert one is not None
    assert two is not None
    peers.bind(one, udp(5060), 1e9, 0.0)
    peers.bind(one, udp(5061), 1e9, 0.0)
    assert peers.at(udp(5060)) is None
    assert peers.at(udp(5061)) is one
    peers.bind(two, udp(5061), 1e9, 0.0)
    peers.unbind(one, "unregistered")
    assert peers.at(udp(5061)) is two
    wire = Flow("TCP", "10.0.0.1", 999, connection=7)
    peers.bind(one, wire, 1e9, 0.0)
    peers.bind(two, wire, 1e9, 0.0)
    assert {found.id for found in peers.on_connection(7)} == {1, 2}
    peers.unbind(one, "connection_lost")
    peers.bind(two, udp(1), 1e9, 0.0)
    assert peers.on_connection(7) == []


def test_new_account_data_keeps_the_binding() -> None:
    peers = Peers(1.0)
    peers.put([peer(1)])
    known = peers.by_id(1)
    assert known is not None
    peers.bind(known, udp(1), 1e9, 0.0)
    fresh = peer(1)
    fresh.name, fresh.ha1 = "新名", "1" * 32
    peers.put([fresh])
    assert peers.by_id(1) is known
    assert (known.name, known.ha1, known.online) == ("新名", "1" * 32, True)
    peers.remove(known)
    assert peers.get(known.code) is None
    assert peers.at(udp(1)) is None


def test_serial_numbers_stay_in_range() -> None:
    one = peer(1)
    one.sn = (1 << 31) - 2
    assert one.next_sn() == 1


# --- catalogue rows ---------------------------------------------------------------------------------------------------


@given(
    st.text(max_size=80), st.text(max_size=80), st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=5)
)
def test_any_item_becomes_a_row_that_the_database_can_hold(code: str, name: str, fields: dict[str, str]) -> None:
    """Invariant: whatever an item says, its row has no NUL, no surrogate, and is short enough."""
    row = channel_row(CatalogItem(code or "x", name, fields, fields))
    kept = json.loads(row.fields)
    for value in (*row, *kept, *kept.values()):
        if isinstance(value, str):
            assert "\0" not in value
            value.encode()
            assert value is row.fields or len(value) <= 1_000
    assert "\\u0000" not in row.fields
    assert row.status in {"on", "off"}


def test_passwords_of_cameras_are_not_kept() -> None:
    row = channel_row(CatalogItem("1", "x", {"Password": "a", "Model": "M"}, {"password": "b", "PTZType": "1"}))
    assert json.loads(row.fields) == {"Model": "M", "Info.PTZType": "1"}
    assert row.ptz_type == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("34150200001310000001", "device"),
        ("34150200002150000001", "business_group"),
        ("34150200002160000001", "virtual_organisation"),
        ("34150200002000000001", "system"),
        ("341502", "region"),
        ("x", "unknown"),
    ],
)
def test_kinds_are_told_by_the_code(code: str, kind: str) -> None:
    assert channel_row(CatalogItem(code, "x")).kind == kind


def test_broken_text_is_cleaned() -> None:
    assert clean("a\0b\udc80") == "ab?"
    assert clean("普通") == "普通"
    assert clean(None) is None


def test_passwords_can_be_typed() -> None:
    made = {new_password() for _ in range(50)}
    assert len(made) == 50
    assert all(word.isascii() and word.isalnum() and not set(word) & set("0O1lI") for word in made)


def test_q29_a_peer_that_sends_no_keepalives_is_judged_by_its_registration_alone():
    peers = Peers(1.1)
    quiet = PeerState(1, "34150200001180000001", "x", 1, "y", "0" * 32, misses=0)
    peers.put([quiet])
    peers.bind(quiet, Flow("UDP", "10.0.0.9", 5060), 86_400.0, 0.0)
    assert peers.overdue(86_399.0) == []
    assert peers.overdue(86_400.0) == [(quiet, "expired")]
