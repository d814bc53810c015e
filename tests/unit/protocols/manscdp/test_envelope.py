"""Envelopes: charsets, repairs, limits, and the defects of samples and devices."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import CatalogResponse, DeviceInfo, Element, build, decode, leaf, parse
from gongshi.protocols.manscdp.element import to_integer, to_number

PEER = "34150200001180000001"
NAME = "人民路东口"


def catalog(items: str, *, head: str = "", num: str = '"1"', total: str = "1") -> str:
    return (
        f"{head}<Response><CmdType>Catalog</CmdType><SN>7</SN><DeviceID>{PEER}</DeviceID><SumNum>{total}</SumNum>"
        f"<DeviceList Num={num}>{items}</DeviceList></Response>"
    )


def item(serial: int, rest: str = "") -> str:
    return f"<Item><DeviceID>341502000013100{serial:05d}</DeviceID>{rest}</Item>"


@pytest.mark.parametrize("declared", ["", "GB2312", "GB18030", "gbk", "UTF-8", "utf-8", "ISO-8859-1", "nonsense"])
@pytest.mark.parametrize("real", ["utf-8", "utf-8-sig", "gb18030"])
def test_charset_matrix_declared_by_real(declared: str, real: str) -> None:
    head = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    # 镕 is outside GB2312, 𠮷 outside GBK: only GB 18030 carries both.
    text = catalog(item(1, f"<Name>{NAME}镕𠮷</Name>"), head=head)
    envelope = parse(text.encode(real))
    (found,) = CatalogResponse.parse(envelope).items
    assert found.name == f"{NAME}镕𠮷"
    assert envelope.charset == ("gb18030" if real == "gb18030" else "utf-8")


@pytest.mark.parametrize(("declared", "read"), [("GB2312", "聘"), ("", "聘"), ("UTF-8", "Ƹ")])
def test_q24_a_gb_character_that_fits_utf8_is_no_utf8(declared: str, read: str) -> None:
    """聘 is C6 B8 in GB 18030, which UTF-8 has for a letter that nobody writes here."""
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    envelope = parse(catalog(item(1, "<Name>聘</Name>"), head=head).encode("gb18030"))
    assert CatalogResponse.parse(envelope).items[0].name == read


def test_q24_utf8_labelled_gb2312_is_noted() -> None:
    text = catalog(item(1, f"<Name>{NAME}</Name>"), head='<?xml version="1.0" encoding="GB2312"?>')
    assert "mislabelled-charset" in parse(text.encode()).defects


def test_bytes_of_no_charset_are_replaced_and_noted() -> None:
    body = catalog(item(1, "<Name>ab</Name>")).encode().replace(b"ab", b"a\xff\xff b")
    envelope = parse(body)
    assert "undecodable-bytes" in envelope.defects
    assert CatalogResponse.parse(envelope).items[0].name.startswith("a")


def test_labels_and_bytes_by_edition() -> None:
    old = build("Query", "DeviceInfo", 1, PEER, [leaf("Name", NAME)], edition=Edition.E2016)
    new = build("Query", "DeviceInfo", 1, PEER, [leaf("Name", NAME)], edition=Edition.E2022)
    forced = build("Query", "DeviceInfo", 1, PEER, [leaf("Name", NAME)], charset="utf-8")
    assert old.startswith(b'<?xml version="1.0" encoding="GB2312"?>')
    assert new.startswith(b'<?xml version="1.0" encoding="GB18030"?>')
    assert forced.startswith(b'<?xml version="1.0" encoding="UTF-8"?>')
    assert NAME.encode("gb18030") in old
    assert NAME.encode() in forced
    assert decode(old).charset == "gb18030"


def test_elements_in_any_order_case_and_spacing() -> None:
    envelope = parse(
        f"<QUERY>\n <deviceid> {PEER} </deviceid><sn> 12 </sn>\n<CMDTYPE>catalog\n</CMDTYPE></QUERY>".encode()
    )
    assert envelope.is_("Query", "Catalog")
    assert (envelope.sn, envelope.device_id) == (12, PEER)


@pytest.mark.parametrize("number", ["", "null", "  ", "x", "1e5", "0x1", "１２", "9" * 30])
def test_unreadable_numbers_are_absent(number: str) -> None:
    assert to_integer(number) is None
    assert parse(f"<Notify><CmdType>Keepalive</CmdType><SN>{number}</SN></Notify>".encode()).sn is None


def test_numbers() -> None:
    assert [to_integer(t) for t in (" 5 ", "-1", "5.0", "+7")] == [5, -1, 5, 7]
    assert [to_number(t) for t in ("116.5", " -3 ", "nan", "inf", "1e400", ".5", None)] == [
        116.5,
        -3.0,
        None,
        None,
        None,
        0.5,
        None,
    ]


def test_s05_unquoted_attribute() -> None:
    envelope = parse(catalog(item(1), num="2").encode())
    assert envelope.defects == ("repaired",)
    assert len(CatalogResponse.parse(envelope).items) == 1


def test_s11_trailing_blanks_in_text() -> None:
    envelope = parse(
        b"<Notify><CmdType>Alarm </CmdType><SN>1</SN><DeviceID>x </DeviceID><Status>OFF </Status></Notify>"
    )
    assert (envelope.cmd_type, envelope.device_id, envelope.element.get("Status")) == ("Alarm", "x", "OFF")


def test_s16_snapshot_answer_under_either_name() -> None:
    for name in ("SnapShot", "SnapShotConfig"):
        body = f"<Response><CmdType>ConfigDownload</CmdType><SN>1</SN><{name}><SnapNum>3</SnapNum></{name}></Response>"
        found = parse(body.encode()).element.first("SnapShotConfig", "SnapShot")
        assert found is not None
        assert found.integer("SnapNum") == 3


def test_q23_bare_ampersand_less_than_and_binary_in_address() -> None:
    text = catalog(item(1, "<Address>A&B <1F> & <b 5 < 7 &amp; &#3;\x01</Address>").replace("<1F>", "< 1F"))
    envelope = parse(text.encode())
    address = CatalogResponse.parse(envelope).items[0].fields["Address"]
    assert address.startswith("A&B < 1F & ")
    assert "5 < 7 &" in address
    assert set(envelope.defects) == {"repaired", "control-characters"}


def test_q19_one_damaged_item_does_not_cost_the_others() -> None:
    items = item(1) + "<Item><DeviceID>34150200001310000002</DeviceID><Name>x</Nam></Item>" + item(3)
    response = CatalogResponse.parse(parse(catalog(items, total="3").encode()))
    assert [i.device_id[-1] for i in response.items] == ["1", "3"]
    assert (response.lost, response.sum_num) == (1, 3)


def test_q19_a_message_cut_off_in_the_middle_keeps_its_whole_items() -> None:
    text = catalog(item(1) + item(2) + item(3), total="3")
    cut = text[: text.index("00003")]
    response = CatalogResponse.parse(parse(cut.encode()))
    assert [i.device_id[-1] for i in response.items] == ["1", "2"]
    assert response.lost == 1


def test_q43_values_as_attributes() -> None:
    envelope = parse(f'<Notify CmdType="Keepalive" SN="5" DeviceID="{PEER}" Status="OK"/>'.encode())
    assert envelope.is_("Notify", "Keepalive")
    assert (envelope.sn, envelope.device_id) == (5, PEER)
    body = catalog(f'<Item DeviceID="{PEER}" Name="门" Status="ON"/>').encode()
    (found,) = CatalogResponse.parse(parse(body)).items
    assert (found.name, found.online) == ("门", True)


def test_q51_unknown_command_is_read_like_any_other() -> None:
    envelope = parse(b"<Query><CmdType>SensorCatalog</CmdType><SN>1</SN><DeviceID>1</DeviceID></Query>")
    assert envelope.is_("Query", "SensorCatalog")


def test_double_and_missing_prolog() -> None:
    prolog = '<?xml version="1.0" encoding="GB2312"?>\n'
    plain = catalog(item(1))
    for text in (plain, prolog + prolog + plain, f"\r\n{prolog}{plain}", plain.replace("<SN>", prolog + "<SN>")):
        assert parse(text.encode()).is_("Response", "Catalog")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"<a/>",
        b"<Query/>",
        b"<Query><SN>1</SN></Query>",
        b'<!DOCTYPE Query [<!ENTITY a "b">]><Query><CmdType>&a;</CmdType></Query>',
        b'<!DOCTYPE Query SYSTEM "file:///etc/passwd"><Query><CmdType>Catalog</CmdType></Query>',
        b"<Query><CmdType>Catalog</CmdType>" + b"<a>" * 20 + b"</a>" * 20 + b"</Query>",
        b"<Query><CmdType>Catalog</CmdType>" + b"<a>" * 5000,
    ],
)
def test_dangerous_and_hopeless_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        parse(body)


def test_entities_are_never_expanded() -> None:
    envelope = parse(b"<Query><CmdType>Catalog</CmdType><SN>1</SN><DeviceID>&x;</DeviceID></Query>")
    assert envelope.device_id == "&x;"


@pytest.mark.parametrize(
    "unit",
    ["<Item>", "<", "<a ", "&", "<Item ", "</Item>", "<a b=", "<a b=c", '<a b="', "<Item", "<DeviceList", "<a b =  "],
)
def test_hostile_repetition_costs_linear_time(unit: str) -> None:
    body = f"<Response><CmdType>Catalog</CmdType><DeviceList>{unit * (400_000 // len(unit))}".encode()
    started = time.process_time()
    with pytest.raises(RemoteProtocolError):
        parse(body)
    assert time.process_time() - started < 5


def test_what_is_written_is_well_formed_whatever_the_text() -> None:
    nasty = "]]>&<\"'\x00\x1f\ud800 人民路 \U0001f4f7"
    envelope = parse(build("Notify", "Keepalive", 3, PEER, [leaf("Info", nasty)], edition=Edition.E2022))
    assert envelope.element.get("Info") == "]]>&<\"' 人民路 \U0001f4f7"
    assert envelope.defects == ()
    with pytest.raises(LocalProtocolError):
        build("Notify", "Keepalive", 3, PEER, [Element("a b", "")])


SAMPLES = [
    catalog(item(1, "<Address>A & B</Address>"), head='<?xml version="1.0"?>', num="1").encode("gb18030"),
    build("Notify", "Keepalive", 1, PEER, [leaf("Status", "OK")]),
]


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: t.encode("utf-8", "surrogatepass"))))
@example(b"<?xml?>")
@example(b"\xef\xbb\xbf")
def test_any_bytes_parse_or_raise_protocol_error(body: bytes) -> None:
    """Any input parses or raises ProtocolError, never anything else."""
    for wrapped in (
        body,
        b"<Response><CmdType>Catalog</CmdType><DeviceList><Item>" + body + b"</Item></DeviceList></Response>",
    ):
        try:
            CatalogResponse.parse(parse(wrapped))
        except ProtocolError:
            continue


@settings(max_examples=300)
@given(st.sampled_from(SAMPLES), st.integers(0, 400), st.integers(0, 30), st.binary(max_size=8))
def test_any_mutation_parses_or_raises_protocol_error(sample: bytes, at: int, cut: int, insert: bytes) -> None:
    """Any input parses or raises ProtocolError, never anything else; typed views too."""
    body = sample[:at] + insert + sample[at + cut :]
    try:
        envelope = parse(body)
        DeviceInfo.parse(envelope)
        CatalogResponse.parse(envelope)
    except ProtocolError:
        return


@given(st.text(max_size=60))
def test_text_survives_the_round_trip(text: str) -> None:
    """Any text comes back as it was, but for characters that XML cannot carry and blanks around it."""
    envelope = parse(build("Notify", "Keepalive", 1, PEER, [leaf("Info", text)], edition=Edition.E2022))
    # XML knows one line end only.
    legal = "".join(c for c in text if _legal(c)).replace("\r\n", "\n").replace("\r", "\n")
    assert (envelope.element.get("Info") or "") == legal.strip()


def _legal(char: str) -> bool:
    code = ord(char)
    return char in "\t\n\r" or (
        code >= 0x20 and code != 0x7F and not 0xD800 <= code <= 0xDFFF and code not in {0xFFFE, 0xFFFF}
    )
