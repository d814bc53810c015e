"""Subscriptions of both sides (RFC 6665; gb28181.md §14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gongshi.protocols.errors import LocalProtocolError, RemoteProtocolError
from gongshi.protocols.sip import Request, Response, Uri, new_request, parse_message
from gongshi.protocols.sip.subscription import NOTIFIER, SUBSCRIBER, Notifier, Subscription, granted

OWN, PEER = Uri.of("34150000002000000001", "3415000000"), Uri.of("34150200002000000001", "3415020000")
AT = Uri.of("34150000002000000001", "10.1.1.10", 5060)


def first() -> Request:
    return new_request("SUBSCRIBE", PEER, OWN, PEER, contact=AT, cseq=7)


def request_of(message: Request) -> Request:
    message.headers.add_first("Via", "SIP/2.0/UDP 10.1.1.10;branch=z9hG4bKx")
    read = parse_message(message.to_bytes())
    assert isinstance(read, Request)
    return read


def pair(expires: int = 600) -> tuple[Subscription, Notifier]:
    """Both ends of a subscription that stands since 0."""
    ours = Subscription("Catalog;id=17", expires)
    asked = request_of(ours.ask(first(), b"<Query/>"))
    theirs = Notifier.accept(asked, "n1", "Catalog", PEER.user or "", 0.0)
    seconds = int(theirs.until)
    ours.answered(Response.to_request(asked, 200, tag="n1", headers=[("Expires", str(seconds))]), 0.0)
    return ours, theirs


def test_a_subscription_is_asked_reported_refreshed_and_ended() -> None:
    ours, theirs = pair()
    assert (ours.state, ours.due, ours.until) == ("active", 480.0, 600.0)
    told = request_of(theirs.notify(b"<Notify/>", 10.0))
    assert told.cseq.number == 1
    assert told.headers.get("Event") == "Catalog;id=17"
    assert told.headers.get("Subscription-State") == "active;expires=590"
    assert told.from_.tag == "n1"
    assert ours.matches(told)
    assert ours.notified(told, 10.0) == 200
    assert request_of(theirs.notify(b"<Notify/>", 11.0)).cseq.number == 2
    again = request_of(ours.ask(first(), b"<Query/>"))
    assert ours.state == "refreshing"
    assert (again.cseq.number, again.to.tag, again.contact is not None) == (8, "n1", True)
    assert theirs.refresh(again, 480.0) == 600
    ours.answered(Response.to_request(again, 200, headers=[("Expires", "600")]), 480.0)
    assert (ours.state, ours.until, theirs.until) == ("active", 1080.0, 1080.0)
    last = ours.stop()
    assert last is not None
    assert request_of(last).expires == 0
    assert theirs.refresh(request_of(last), 500.0) == 0
    assert theirs.state == "ended"
    ours.answered(Response.to_request(request_of(last), 200), 500.0)
    assert ours.state == "ended"


def test_481_to_a_refresh_asks_anew_at_once_in_a_new_dialog() -> None:
    ours, _ = pair()
    again = request_of(ours.ask(first(), b""))
    ours.answered(Response.to_request(again, 481), 480.0)
    assert (ours.state, ours.due, ours.dialog, ours.refusal) == ("waiting", 480.0, None, 481)
    fresh = ours.ask(first(), b"")
    assert fresh.to.tag is None
    assert ours.state == "asking"


def test_refusals_and_silence_back_off() -> None:
    ours = Subscription("presence")
    waits: list[float] = []
    for attempt in range(7):
        request = request_of(ours.ask(first(), b""))
        if attempt % 2:
            ours.failed(0.0)
        else:
            ours.answered(Response.to_request(request, 403), 0.0)
        waits.append(ours.due)
    assert waits == [10.0, 30.0, 60.0, 300.0, 600.0, 600.0, 600.0]


def test_offline_and_back() -> None:
    ours, _ = pair()
    ours.lost(100.0)
    assert (ours.state, ours.due, ours.standing) == ("idle", 100.0, False)
    assert ours.ask(first(), b"").to.tag is None


def test_terminated_by_the_notifier_is_asked_again() -> None:
    ours, theirs = pair()
    last = theirs.terminate()
    assert last is not None
    assert ours.notified(request_of(last), 50.0) == 200
    assert (ours.state, ours.due) == ("waiting", 60.0)
    assert theirs.terminate() is None
    with pytest.raises(LocalProtocolError):
        theirs.notify(b"", 51.0)
    with pytest.raises(RemoteProtocolError) as caught:
        theirs.refresh(request_of(first()), 52.0)
    assert caught.value.hint_status == 481


def test_a_notify_that_overtakes_the_answer_is_known() -> None:
    ours = Subscription("presence")
    asked = request_of(ours.ask(first(), b""))
    told = request_of(Notifier.accept(asked, "n1", "Catalog", "1", 0.0).notify(b"", 0.0))
    assert ours.matches(told)
    stranger = request_of(Notifier.accept(request_of(first()), "n1", "Catalog", "1", 0.0).notify(b"", 0.0))
    assert not ours.matches(stranger)
    assert ours.notified(stranger, 0.0) == 481


def test_an_answer_after_we_changed_our_mind_is_undone() -> None:
    ours = Subscription("presence")
    asked = request_of(ours.ask(first(), b""))
    assert ours.stop() is None
    ours.answered(Response.to_request(asked, 200, tag="n1"), 1.0)
    assert ours.unwanted
    assert ours.standing
    last = ours.stop()
    assert last is not None
    assert last.to.tag == "n1"


def test_s07_answer_without_tag_contact_and_expires() -> None:
    ours = Subscription("presence", 90)
    asked = request_of(ours.ask(first(), b""))
    bare = parse_message(
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.1.1.10;branch=z9hG4bKx\r\nFrom: %s\r\nTo: %s\r\nCall-ID: %s\r\n"
        b"CSeq: 7 SUBSCRIBE\r\n\r\n"
        % tuple((asked.headers.get(name) or "").encode() for name in ("From", "To", "Call-ID"))
    )
    assert isinstance(bare, Response)
    ours.answered(bare, 0.0)
    assert (ours.state, ours.due) == ("active", 72.0)


def test_s10_an_unsubscribe_that_repeats_its_cseq() -> None:
    ours, theirs = pair()
    last = ours.stop()
    assert last is not None
    repeated = request_of(last)
    repeated.headers.set("CSeq", "7 SUBSCRIBE")
    assert theirs.refresh(repeated, 1.0) == 0


def test_three_silences_or_a_481_drop_the_subscriber() -> None:
    _, theirs = pair()
    assert [theirs.answered(status) for status in (None, 408, 200, None, None)] == [True] * 5
    assert not theirs.answered(None)
    assert theirs.state == "dropped"
    _, other = pair()
    assert not other.answered(481)


def test_time_ends_a_notifier_once() -> None:
    _, theirs = pair(90)
    assert not theirs.expire(89.9)
    assert theirs.expire(90.0)
    assert not theirs.expire(91.0)
    assert theirs.state == "expired"


@pytest.mark.parametrize(
    ("header", "seconds"), [("600", 600), ("0", 0), ("1", 5), ("999999999", 86_400), ("", 600), ("x", 600)]
)
def test_granted_times(header: str, seconds: int) -> None:
    request = first()
    if header:
        request.headers.set("Expires", header)
    assert granted(request) == seconds


def test_s16_expire_without_s_is_understood() -> None:
    text = first().to_bytes().replace(b"Max-Forwards: 70", b"Expire: 90")
    request = parse_message(b"SUBSCRIBE" + text.partition(b"SUBSCRIBE")[2])
    assert isinstance(request, Request)
    assert granted(request) == 90


def test_tables_lead_out_of_every_state() -> None:
    for table, ends in ((SUBSCRIBER, {"ended"}), (NOTIFIER, {"expired", "dropped", "ended"})):
        assert {state for state, _ in table} | ends == {state for state, _ in table} | set(table.values())


@given(st.lists(st.sampled_from(["ask", "ok", "481", "403", "none", "lost", "term", "stop"]), max_size=30))
def test_any_story_leaves_a_usable_subscription(story: list[str]) -> None:
    """Whatever happens in whatever order, the state is of the table and an idle or waiting one can be asked."""
    ours = Subscription("presence")
    pending: Request | None = None
    for step in story:
        if step == "ask" and ours.state in {"idle", "waiting", "active"} and not ours.unwanted:
            pending = request_of(ours.ask(first(), b"x"))
        elif step in {"ok", "481", "403"} and pending is not None:
            status = 200 if step == "ok" else int(step)
            ours.answered(Response.to_request(pending, status, tag="n1"), 1.0)
            pending = None
        elif step == "none" and pending is not None:
            ours.failed(1.0)
            pending = None
        elif step == "lost":
            ours.lost(1.0)
            pending = None
        elif step == "term" and ours.standing and ours.dialog is not None:
            told = new_request("NOTIFY", OWN, PEER, OWN, call_id=ours.dialog.call_id, cseq=9)
            told.headers.set("Subscription-State", "terminated")
            assert ours.notified(told, 1.0) == 200
            pending = None
        elif step == "stop":
            request = ours.stop()
            pending = request_of(request) if request is not None else pending
        assert ours.state in {state for state, _ in SUBSCRIBER} | {"ended"}
        assert ours.dialog is None or ours.state in {"active", "refreshing", "ending", "ended"}
