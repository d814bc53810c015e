"""The short way through a catalogue answer must say what the long way says, or decline."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import CatalogItem, CatalogResponse, parse
from gongshi.protocols.manscdp.items import fast_catalog

PEER = "34150200002000000001"
FIELDS = {
    "Manufacturer": "V",
    "Model": "M1",
    "CivilCode": "341502",
    "Address": "人民路1号",
    "Parental": "0",
    "ParentID": PEER,
    "RegisterWay": "1",
    "Secrecy": "0",
    "Status": "ON",
    "Longitude": "116.50731",
    "Latitude": "31.75442",
}


def items(count: int) -> list[CatalogItem]:
    return [
        CatalogItem(f"3415020000131{number:07d}", f"人民路{number}", dict(FIELDS), {"PTZType": "1", "RoomType": "1"})
        for number in range(count)
    ]


def slowly(body: bytes) -> CatalogResponse:
    return CatalogResponse.parse(parse(body))


def agree(body: bytes) -> CatalogResponse | None:
    """Read it as often as it takes to learn its form: every time the same."""
    quick = fast_catalog(body)
    if quick is None:
        return None
    assert quick == slowly(body)
    for _ in range(5):
        assert fast_catalog(body) == quick
    return quick


def test_ordinary_answers_are_read_quickly() -> None:
    for edition in (Edition.E2016, Edition.E2022):
        for count in (0, 1, 8):
            body = CatalogResponse(PEER, 17430, 1204, items(count)).build(edition)
            quick = agree(body)
            assert quick is not None or not count
            if quick is not None:
                assert [item.device_id for item in quick.items] == [item.device_id for item in items(count)]
                assert quick.sum_num == 1204


def test_the_forms_of_other_makers_are_read_quickly() -> None:
    body = CatalogResponse(PEER, 1, 2, items(2)).build()
    for changed in (
        body.replace(b"</Item>\r\n", b"</Item>").replace(b">\r\n<", b"><"),
        body.replace(b"<Parental>0</Parental>", b"<Parental></Parental>"),
        body.replace(b"<Parental>0</Parental>", b"<Parental/>"),
        body.replace(b"<Parental>0</Parental>", b"<Parental />"),
        body.replace(b"<Secrecy>", b"<secrecy>").replace(b"</Secrecy>", b"</secrecy>"),
        body.decode("gb18030").replace("GB2312", "UTF-8").encode(),
        b"\xef\xbb\xbf" + body.decode("gb18030").encode(),
        re.sub(rb"(<Status>.*?)(<Info>.*?</Info>\r\n)", rb"\2\1", body, flags=re.DOTALL),
        body.replace(b"<Model>", b"<Model>\n  ").replace(b"</Model>", b" \n</Model>"),
        body.replace(b"<Status>ON</Status>", b"<Event>ADD</Event>"),
        body.replace(b"<Status>ON</Status>", b"<Strange>x</Strange>"),
    ):
        assert changed != body
        assert agree(changed) is not None, changed


def test_what_is_out_of_the_ordinary_goes_the_long_way() -> None:
    body = CatalogResponse(PEER, 1, 2, items(2)).build()
    for changed in (
        body.replace(b"<Model>M1", b"<Model>M&amp;1", 1),
        body.replace(b"<Model>M1", b"<Model>M&1", 1),
        body.replace(b"<Model>M1", b"<Model>M<1", 1),
        body.replace(b"<Model>M1", b"<Model>M\x011", 1),
        body.replace(b"<Model>M1", b"<Model><![CDATA[M1]]>", 1),
        body.replace(b"<Model>M1", b"<!-- x --><Model>M1", 1),
        body.replace(b"<Model>", b"<Model a='1'>", 1),
        body.replace(b"<Model>M1</Model>", b"<Model>M1</Model><Model>M2</Model>", 1),
        body.replace(b"<Model>M1</Model>", b"<Model><X>1</X></Model>", 1),
        body.replace(b"<Item>", b"<Item Num='1'>", 1),
        body.replace(b"<Info>", b"<Info></Info><Info>", 1),
        body.replace(b"<SumNum>", b"<SumNum>-"),
        body.replace(b"<DeviceID>3415020000131", b"<NoID>3415020000131", 1).replace(
            b"</DeviceID>\r\n<Name", b"</NoID><Name"
        ),
        body.replace(b"Response>", b"Notify>"),
        body.replace(b"</Response>", b"<ExtraInfo>x</ExtraInfo></Response>"),
        body[:-30],
        body + b"<x/>",
        b"",
    ):
        assert changed != body
        assert fast_catalog(changed) is None, changed
        assert fast_catalog(body) is not None


WORD = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12)
NAME = st.sampled_from(
    ["Name", "Model", "model", "Status", "Longitude", "Event", "Info", "Item", "DeviceID", "X", "ns:a"]
)


@given(st.lists(st.tuples(NAME, WORD, st.booleans()), max_size=8), st.integers(0, 3))
def test_any_items_are_read_alike_or_declined(leaves: list[tuple[str, str, bool]], times: int) -> None:
    """Invariant: whatever the short way reads, the long way reads the same."""

    def write(inside: bool) -> str:
        return "".join(f"<{name}>{word}</{name}>" for name, word, within in leaves if within is inside)

    item = f"<Item><DeviceID>34150200001310000001</DeviceID>{write(False)}<Info>{write(True)}</Info></Item>"
    body = (
        f"<Response><CmdType>Catalog</CmdType><SN>7</SN><DeviceID>{PEER}</DeviceID><SumNum>3</SumNum>"
        f'<DeviceList Num="{times}">{item * times}</DeviceList></Response>'
    )
    agree(body.encode("gb18030"))
    agree(body.encode("utf-8", "replace"))


PATCH = st.one_of(
    st.binary(max_size=4),
    st.sampled_from(
        [b"<", b">", b"&", b"</", b"/>", b"<Info>", b"</Info>", b"<Item>", b"</Item>", b"<!--", b"]]>", b" ", b"\r"]
    ),
)
WHOLE = CatalogResponse(PEER, 1, 3, items(3)).build()
TAGS = sorted(set(re.findall(rb"</?[A-Za-z]+>", WHOLE)))


@given(st.integers(0, len(WHOLE)), st.integers(0, 30), PATCH)
def test_damage_never_makes_the_short_way_say_something_else(at: int, length: int, patch: bytes) -> None:
    """Invariant: whatever the short way reads of a damaged answer, the long way reads the same."""
    agree(WHOLE[:at] + patch + WHOLE[at + length :])


@given(st.sampled_from(TAGS), st.sampled_from(TAGS), st.integers(0, 3))
def test_exchanged_tags_never_make_the_short_way_say_something_else(one: bytes, other: bytes, count: int) -> None:
    """Invariant: as above, with tags in the wrong places."""
    agree(WHOLE.replace(one, other, count))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_declined(data: bytes) -> None:
    """Invariant: any input gives an answer or None, never an exception."""
    for body in (data, WHOLE[:200] + data, data + WHOLE):
        if fast_catalog(body) is not None:
            try:
                slowly(body)
            except RemoteProtocolError as error:
                raise AssertionError("the long way refuses what the short way takes") from error
