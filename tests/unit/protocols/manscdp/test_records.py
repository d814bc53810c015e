"""Searching recordings, and notifies around media (gb28181.md §7.5, §7.6, §9, §12)."""

import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import CollectState, parse
from gongshi.protocols.manscdp.notifies import Broadcast, MediaStatus, SnapShotFinished, UpgradeResult, VideoUpload
from gongshi.protocols.manscdp.records import (
    RecordCollector,
    RecordInfo,
    RecordInfoQuery,
    RecordItem,
    split_records,
    split_span,
)
from unit.protocols.manscdp.words import CAMERA, EIGHT, HOUR, moments, texts

items = st.builds(
    RecordItem,
    st.just(CAMERA),
    texts,
    moments,
    moments,
    texts,
    texts,
    st.integers(0, 1),
    st.sampled_from(["time", "alarm", "manual"]),
    texts,
    st.none() | st.integers(0, 2**40),
    texts,
    st.none() | st.integers(0, 3),
)


def files(count: int) -> list[RecordItem]:
    return [RecordItem(CAMERA, f"f{n}", EIGHT + n * HOUR, EIGHT + (n + 1) * HOUR) for n in range(count)]


def test_query_there_and_back_and_the_fields_of_2022() -> None:
    query = RecordInfoQuery(CAMERA, 5, EIGHT, EIGHT + HOUR, "alarm", indistinct=True, stream_number=1, alarm_type="2")
    assert RecordInfoQuery.parse(parse(query.to_bytes(Edition.E2022))) == query
    old = query.to_bytes(Edition.E2016)
    assert b"StreamNumber" not in old
    assert b"AlarmType" not in old
    assert b"<IndistinctQuery>1</IndistinctQuery>" in old


def test_q26_the_type_is_always_stated() -> None:
    assert b"<Type>all</Type>" in RecordInfoQuery(CAMERA, 5, EIGHT, EIGHT + HOUR).to_bytes()


def test_a_search_needs_its_times() -> None:
    body = RecordInfoQuery(CAMERA, 5, EIGHT, EIGHT + HOUR).to_bytes()
    with pytest.raises(RemoteProtocolError):
        RecordInfoQuery.parse(parse(body.replace(b"EndTime", b"Ended")))
    with pytest.raises(LocalProtocolError):
        RecordInfoQuery(CAMERA, 5, EIGHT, EIGHT - HOUR).to_bytes()


@given(st.lists(items, max_size=4), texts)
def test_answers_there_and_back(found: list[RecordItem], name: str) -> None:
    """A packet is read as written, in both charsets."""
    answer = RecordInfo(CAMERA, 9, name, 17, tuple(found))
    assert RecordInfo.parse(parse(answer.to_bytes(Edition.E2022))) == answer
    assert RecordInfo.parse(parse(answer.to_bytes(Edition.E2022, "utf-8"))) == answer


def test_an_empty_answer_has_no_list() -> None:
    (only,) = split_records(CAMERA, 9, "", [], 10)
    body = only.to_bytes()
    assert b"<SumNum>0</SumNum>" in body
    assert b"RecordList" not in body


@given(st.integers(0, 40), st.integers(1, 50), st.randoms(use_true_random=False))
def test_split_and_merged_in_any_order(count: int, size: int, random: Random) -> None:
    """Whatever the packet size, order and repetition, the collector ends complete with every recording once."""
    wanted = files(count)
    packets = split_records(CAMERA, 9, "x", wanted, size)
    assert all(packet.sum_num == count for packet in packets)
    shuffled = packets * 2
    random.shuffle(shuffled)
    collector = RecordCollector(CAMERA, 9, 0.0)
    for packet in shuffled:
        collector.add(RecordInfo.parse(parse(packet.to_bytes())), 1.0)
    assert collector.state is CollectState.COMPLETE
    assert sorted(collector.items.values(), key=lambda item: item.name) == sorted(wanted, key=lambda item: item.name)


def test_q25_an_answer_that_stops_is_partial_after_the_gap() -> None:
    packets = split_records(CAMERA, 9, "", files(261), 2)
    collector = RecordCollector(CAMERA, 9, 0.0, first_timeout=30, gap_timeout=10)
    for packet in packets[:100]:
        collector.add(packet, 5.0)
    assert not collector.expire(14.9)
    assert collector.expire(15.0)
    assert (collector.state, collector.count, collector.declared) == (CollectState.PARTIAL, 200, 261)


def test_q25_a_damaged_item_costs_only_itself() -> None:
    body = split_records(CAMERA, 9, "", files(3), 3)[0].to_bytes()
    answer = RecordInfo.parse(parse(body.replace(b"<Name>f1</Name>", b"<Name>f1</Nam")))
    assert (len(answer.items), answer.lost) == (2, 1)


def test_q25_long_spans_are_split() -> None:
    pieces = split_span(EIGHT, EIGHT + 30 * HOUR)
    assert [(b - a) / HOUR for a, b in pieces] == [12, 12, 6]
    assert pieces[0][0] == EIGHT
    assert pieces[-1][1] == EIGHT + 30 * HOUR
    assert all(a[1] == b[0] for a, b in itertools.pairwise(pieces))
    assert split_span(EIGHT, EIGHT) == [(EIGHT, EIGHT)]


def test_sizes_of_minus_one_and_unreadable_times() -> None:
    element = RecordItem(CAMERA, file_size=3, start=EIGHT, end=EIGHT).to_element()
    text = {child.name: child for child in element.children}
    text["FileSize"].text = "-1"
    text["EndTime"].text = "soon"
    item = RecordItem.parse(element)
    assert (item.file_size, item.end, item.start) == (None, None, EIGHT)


@pytest.mark.parametrize(
    "message",
    [
        MediaStatus(CAMERA, 3),
        Broadcast(CAMERA, "34150200001370000001", 4),
        VideoUpload(CAMERA, 5, EIGHT, 116.5, 31.75),
        SnapShotFinished(CAMERA, 6, "s" * 32, ("a" * 41, "b" * 41)),
        SnapShotFinished(CAMERA, 6, "s" * 32),
        UpgradeResult(CAMERA, 7, "s" * 32, False, "2.0", "01"),
        UpgradeResult(CAMERA, 7, "s" * 32, True),
    ],
)
def test_notifies_there_and_back(
    message: "MediaStatus | Broadcast | VideoUpload | SnapShotFinished | UpgradeResult",
) -> None:
    assert type(message).parse(parse(message.to_bytes(Edition.E2022))) == message


@pytest.mark.parametrize(
    "message", [VideoUpload(CAMERA, 5), SnapShotFinished(CAMERA, 6, "s"), UpgradeResult(CAMERA, 7, "s", True)]
)
def test_2022_notifies_never_go_to_2016(message: "VideoUpload | SnapShotFinished | UpgradeResult") -> None:
    with pytest.raises(LocalProtocolError):
        message.to_bytes(Edition.E2016)


def test_media_status_without_a_type_is_the_end() -> None:
    bare = parse(b"<Notify><CmdType>MediaStatus</CmdType><DeviceID>1</DeviceID></Notify>")
    assert MediaStatus.parse(bare).ended


def test_broadcast_has_no_device_id() -> None:
    assert b"<DeviceID>" not in Broadcast(CAMERA, CAMERA, 4).to_bytes()
