"""The book of calls: every index is empty again when the calls are over, however many there were."""

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.sdp import Ssrc
from gongshi.protocols.sip import Dialog, Flow, Request, Uri, new_request
from gongshi.signalling.calls_book import Call, CallBook, CallKind, Unfinished

FLOW = Flow("UDP", "10.5.2.31", 5060, "10.1.1.10", 5060)
OWN, PEER = Uri.of("34150000002000000001", "3415000000"), Uri.of("34150200002000000001", "3415020000")


def dialog(number: int) -> Dialog:
    return Dialog(f"call-{number}", f"<{OWN}>;tag=a", f"<{PEER}>;tag=b", "a", "b", str(PEER), 1)


def call(number: int, *, peer: int = 1, channel: str = "c", kind: CallKind = "playback") -> Call:
    return Call(f"s{number}", peer, channel, dialog(number), FLOW, Ssrc(number), False, float(number), kind)


def request(number: int, tag: str = "a") -> Request:
    made = new_request("BYE", OWN, PEER, OWN, call_id=f"call-{number}", cseq=2)
    made.headers.set("From", f"<{PEER}>;tag=b")
    made.headers.set("To", f"<{OWN}>;tag={tag}")
    return made


STEPS = st.lists(st.tuples(st.sampled_from(["put", "drop"]), st.integers(0, 9), st.integers(0, 3)), max_size=60)


@given(STEPS)
def test_the_indexes_agree_with_a_plain_list(steps: list[tuple[str, int, int]]) -> None:
    """Invariant: each way of finding calls gives what a search through all of them would."""
    book = CallBook()
    plain: dict[str, Call] = {}
    for verb, number, owner in steps:
        if verb == "put":
            made = call(number, peer=owner, channel=f"c{number % 3}", kind="play" if number % 2 else "playback")
            plain[made.stream_id] = made
            book.put(made)
        else:
            old = plain.pop(f"s{number}", None)
            assert book.drop(old or call(number)) is (old is not None)
        assert len(book) == len(plain)
        for made in plain.values():
            assert book.inside(request(int(made.stream_id[1:]))) is made
            assert book.inside(request(int(made.stream_id[1:]), "stranger")) is None
            live = made.kind == "play"
            assert made in book.of_channel(made.peer_id, made.channel, live=live)
            assert made not in book.of_channel(made.peer_id, made.channel, live=not live)
        assert sorted(c.stream_id for c in book.of_peer(2)) == sorted(
            c.stream_id for c in plain.values() if c.peer_id == 2
        )
    for made in list(plain.values()):
        book.drop(made)
    assert book.entries == 0


def test_a_hundred_thousand_dialogs_leave_nothing_behind() -> None:
    book = CallBook()

    def round_of(count: int) -> None:
        calls = [call(n, peer=n % 1000, channel=str(n % 5000)) for n in range(count)]
        for made in calls:
            book.put(made)
        assert len(book) == count
        assert book.inside(request(count - 1)) is calls[-1]
        for made in calls:
            assert book.drop(made)

    round_of(1000)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    round_of(100_000)
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert book.entries == 0
    # Dictionaries that once were large keep their tables; a leaked call would be 100 MB more.
    assert after - before < 20_000_000


def test_what_nobody_ended_is_bounded() -> None:
    unfinished = Unfinished()
    for number in range(5000):
        unfinished.note(1, str(number), dialog(number))
    for number in range(50):
        unfinished.note(2, "c", dialog(number))
    assert len(unfinished) == 1000
    assert [d.call_id for d in unfinished.take(2, "c")] == ["call-46", "call-47", "call-48", "call-49"]
    assert unfinished.take(2, "c") == []
