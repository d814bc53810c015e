"""The pure parts that uppers stand on: offers, networks, paths, and what a subscriber must be told."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.access.actions import Action
from gongshi.protocols.codes import Edition
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import Element, leaf, parse
from gongshi.protocols.manscdp.element import write_xml
from gongshi.protocols.sip import SDP, Uri, new_request
from gongshi.signalling.uppers import commands, routes
from gongshi.signalling.uppers.account import inside
from gongshi.signalling.uppers.changes import differences, initial
from gongshi.signalling.uppers.offers import Offer
from gongshi.signalling.uppers.relay import portions
from gongshi.signalling.uppers.repository import Shared

NODE, UPPER, CAMERA = "34150000002000000001", "34000000002000000001", "34150200001310000007"


def invite(body: bytes, device: str = CAMERA):
    return new_request(
        "INVITE",
        Uri.of(device, "10.0.0.1"),
        Uri.of(UPPER, "3400000000"),
        Uri.of(device, "x"),
        body=body,
        content_type=SDP,
    )


SAMPLE = (
    b"v=0\r\no=34000000002000000001 0 0 IN IP4 10.1.1.20\r\ns=Playback\r\nu=34150200001310000007:0\r\n"
    b"c=IN IP4 10.1.1.20\r\nt=1790000000 1790000600\r\nm=video 30012 TCP/RTP/AVP 96 98\r\na=recvonly\r\n"
    b"a=rtpmap:96 PS/90000\r\na=setup:passive\r\na=connection:new\r\ny=1500000001\r\n"
)


@given(st.integers(0, 400), st.integers(0, 40), st.binary(max_size=20), st.sampled_from([NODE, CAMERA, "x"]))
def test_any_offer_is_read_or_refused(at: int, length: int, patch: bytes, device: str) -> None:
    """Invariant: any body gives an offer with a place to send to, or RemoteProtocolError; never anything else."""
    body = SAMPLE[: at % len(SAMPLE)] + patch + SAMPLE[at % len(SAMPLE) + length :]
    with contextlib.suppress(RemoteProtocolError):
        offer = Offer.read(invite(body, device), NODE)
        assert 0 < offer.port < 65_536
        assert offer.host not in {"", "0.0.0.0", "::"}
        assert (offer.interval is None) == (offer.kind == "play")
        assert offer.ssrc != 0
        if offer.interval is not None:
            assert offer.interval[0] < offer.interval[1]


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"m=video 30012", b"m=video 0", 488),
        (b"10.1.1.20", b"0.0.0.0", 488),
        (b"s=Playback", b"s=Talk", 488),
        (b"t=1790000000 1790000600", b"t=0 0", 488),
        (b"t=1790000000 1790000600", b"t=1790000600 1790000000", 488),
        (b"t=1790000000 1790000600", b"t=1 999999999999", 488),
        (b"m=video", b"m=audio", 488),
    ],
)
def test_what_cannot_be_met_says_so(old: bytes, new: bytes, status: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        Offer.read(invite(SAMPLE.replace(old, new)), NODE)
    assert caught.value.hint_status == status


def test_an_address_is_inside_its_networks_only() -> None:
    assert inside("10.1.1.20", ["10.1.0.0/16"], [])
    assert not inside("10.2.1.20", ["10.1.0.0/16"], ["10.2.1.20"])
    assert inside("10.2.1.20", [], ["10.2.1.20"])
    assert inside("fd00::1", ["fd00::/8"], [])
    for hostile in ("", "upper.example", "0.0.0.0", "::", "224.0.0.1", "10.1.1.20 ", "10.1.1.20/8", "1" * 99):
        assert not inside(hostile, ["0.0.0.0/0", "::/0"], []), hostile
    # A network that cannot be read gives nothing, and is not taken for "none given".
    assert not inside("10.1.1.20", ["nonsense"], ["10.1.1.20"])


def test_ways_over_levels() -> None:
    assert routes.travelled(Edition.E2016, NODE, "a-b") == ()
    assert routes.travelled(Edition.E2022, NODE, None) == (("X-RoutePath", NODE),)
    assert routes.travelled(Edition.E2022, NODE, f"1-{NODE}- 2 ") == (("X-RoutePath", f"{NODE}-1-2"),)
    request = invite(b"")
    routes.refuse_circles(request, frozenset({NODE}))
    request.headers.add("X-RoutePath", f"{UPPER}-{NODE}")
    with pytest.raises(RemoteProtocolError) as caught:
        routes.refuse_circles(request, frozenset({NODE}))
    assert caught.value.hint_status == 482


KNOWN = st.dictionaries(
    st.integers(1, 12), st.tuples(st.sampled_from("abcdefgh"), st.booleans(), st.integers(1, 2)), max_size=8
)


def book(rows) -> dict[int, Shared]:
    return {key: Shared(key, f"{code}{key}", online, version) for key, (code, online, version) in rows.items()}


@given(KNOWN, KNOWN)
def test_a_subscriber_that_follows_the_changes_knows_the_truth(before, after) -> None:
    """Invariant: whoever applies the changes to what it knew ends with exactly what is now (§13.2)."""
    old, new = book(before), book(after)
    known = {shared.code: shared.online for shared in old.values()}
    truth = {shared.code: shared.online for shared in new.values()}
    for change in differences(old, new):
        match change.event:
            case "DEL":
                del known[change.code]
            case "ON" | "OFF":
                assert change.code in known
                known[change.code] = change.event == "ON"
            case "ADD" | "UPDATE":
                known[change.code] = new[change.camera_id].online
            case _:
                raise AssertionError(change.event)
    assert known == truth
    assert {c.code for c in initial(new)} == {code for code, online in truth.items() if not online}


@given(st.lists(st.integers(1, 400), max_size=60), st.integers(1, 1200), st.integers(1, 20))
def test_portions_lose_nothing_and_stay_small(sizes, room, most) -> None:
    """Invariant: every item once, in order; no portion over its bounds unless it is one item."""
    items = [leaf("Item", "x" * size) for size in sizes]
    made = portions(items, room, most)
    assert [item for portion in made for item in portion] == items
    for portion in made:
        assert portion
        assert len(portion) <= most
        assert len(portion) == 1 or sum(len(write_xml(item)) for item in portion) <= room


def message(root: str, command: str, inner: str = ""):
    text = f"<{root}><CmdType>{command}</CmdType><SN>1</SN><DeviceID>{CAMERA}</DeviceID>{inner}</{root}>"
    return parse(text.encode())


def test_every_command_has_its_need() -> None:
    def needed(root: str, command: str, inner: str = "") -> commands.Need:
        found = commands.need(message(root, command, inner))
        assert found is not None
        return found

    assert needed("Query", "DeviceInfo").action == Action.SEE
    assert needed("Query", "RecordInfo").action == Action.PLAYBACK
    assert needed("Query", "ConfigDownload", "<ConfigType>BasicParam/VideoParamOpt</ConfigType>").group == "query"
    assert needed("Query", "ConfigDownload", "<ConfigType>VideoRecordPlan</ConfigType>").group == "config"
    assert needed("Query", "ConfigDownload").group == "config"
    ptz = needed("Control", "DeviceControl", "<PTZCmd>A50F0100000000B5</PTZCmd>")
    assert (ptz.action, ptz.group, ptz.answered) == (Action.PTZ, "ptz", False)
    for inner, group in (
        ("<TeleBoot>Boot</TeleBoot>", "reboot"),
        ("<RecordCmd>Record</RecordCmd>", "record"),
        ("<GuardCmd>SetGuard</GuardCmd>", "guard"),
        ("<FormatSDCard>1</FormatSDCard>", "format"),
        ("<DeviceUpgrade><Firmware>1</Firmware></DeviceUpgrade>", "upgrade"),
    ):
        assert needed("Control", "DeviceControl", inner).group == group
    assert needed("Control", "DeviceConfig", "<BasicParam/>").group == "config"
    # Following is nobody's, whatever stands beside it.
    both = message("Control", "DeviceControl", "<PTZCmd>A50F0100000000B5</PTZCmd><TargetTrack>Auto</TargetTrack>")
    assert commands.need(both) is None
    assert commands.follows(both)
    assert commands.need(message("Query", "SensorCatalog")) is None


def test_codes_are_exchanged_wherever_they_stand() -> None:
    tree = Element("RecordList", "", [Element("Item", "", [leaf("DeviceID", "x"), leaf("Name", "x")])], {"Num": "1"})
    (item,) = commands.renamed(tree, {"x": "y"}).children
    assert [child.text for child in item.children] == ["y", "x"]
