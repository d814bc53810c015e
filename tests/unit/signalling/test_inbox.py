"""Whatever comes in, the server stands: nothing a peer or a stranger sends raises out of it."""

import asyncio
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from gongshi.config import SipSettings
from gongshi.db.engine import Database
from gongshi.kit.secretbox import SecretBox
from gongshi.protocols.manscdp import CatalogItem, CatalogResponse, Keepalive
from gongshi.protocols.sip import (
    MANSCDP,
    SDP,
    AckMissing,
    AckReceived,
    Cancelled,
    Flow,
    Request,
    RequestReceived,
    Response,
    Uri,
    new_request,
    parse_message,
)
from gongshi.signalling.party import Concerns
from gongshi.signalling.peers import PeerState
from gongshi.signalling.server import SignalServer

NODE, CODE = "34150000002000000001", "34150200002000000001"
OWN, SERVER = Uri.of(CODE, "3415020000"), Uri.of(NODE, "3415000000")


def sample(method: str, body: bytes = b"", kind: str | None = None, **headers: str) -> bytes:
    request = new_request(
        method,
        SERVER,
        OWN,
        OWN if method == "REGISTER" else SERVER,
        headers=tuple(headers.items()),
        body=body,
        content_type=kind,
        contact=OWN,
    )
    request.headers.add_first("Via", "SIP/2.0/UDP 10.0.0.9:5060;rport;branch=z9hG4bKx")
    return request.to_bytes()


SAMPLES = [
    sample("REGISTER", Expires="3600"),
    sample("REGISTER", Authorization='Digest username="34150200002000000001",nonce="a",response="b",uri="c"'),
    sample("MESSAGE", Keepalive(CODE, 1).build(), MANSCDP),
    sample("MESSAGE", CatalogResponse(CODE, 7, 1, [CatalogItem("34150200001310000001", "东门")]).build(), MANSCDP),
    sample("MESSAGE", b"<Notify><CmdType>Alarm</CmdType><SN>1</SN><DeviceID>1</DeviceID></Notify>", MANSCDP),
    sample("INVITE", b"v=0\r\n", SDP),
    sample("BYE"),
    sample("CANCEL"),
    sample("ACK"),
    sample("OPTIONS"),
    sample("NOTIFY"),
    sample("SUBSCRIBE"),
    sample("PUBLISH"),
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x\r\nFrom: <sip:1@x>\r\nTo: <sip:2@x>\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\n\r\n",
]


def with_server(work: Callable[[SignalServer, list[bytes]], None]) -> None:
    """A server that was never started: its sockets are a list."""

    async def run() -> None:
        server = SignalServer(
            SipSettings(advertise="10.0.0.1"), NODE, Database("postgresql://nobody@nowhere/x"), "", SecretBox(bytes(32))
        )
        sent: list[bytes] = []
        server._send_datagram = lambda data, host, port: sent.append(data)
        server._catalogues.online = lambda peer: None
        peer = PeerState(1, CODE, "平台", 1, "单位", "0" * 32)
        server.peers.put([peer])
        server.peers.bind(peer, Flow("UDP", "10.0.0.9", 5060), 1e12, 0.0)
        work(server, sent)
        if server._alarm is not None:
            server._alarm.cancel()

    asyncio.run(run())


def test_every_method_gets_its_answer() -> None:
    def work(server: SignalServer, sent: list[bytes]) -> None:
        for data in SAMPLES:
            answer = server._inbox.datagram(data, "10.0.0.9", 5060, 1.0)
            sent.extend([answer] if answer is not None else [])
            server._agent.flush()
        messages = [parse_message(data) for data in sent]
        statuses = [message.status for message in messages if isinstance(message, Response)]
        # ACK and a stray answer get none; INVITE from below, SUBSCRIBE and PUBLISH are not for us, and nobody asked
        # for the NOTIFY.
        assert statuses == [401, 401, 200, 200, 200, 405, 200, 481, 200, 481, 489, 405]
        (request,) = [message for message in messages if isinstance(message, Request)]
        assert b"<CmdType>Alarm</CmdType>" in request.body

    with_server(work)


def test_strangers_are_told_nothing_but_no_and_leave_nothing_behind() -> None:
    def work(server: SignalServer, sent: list[bytes]) -> None:
        for data in SAMPLES[2:]:
            server._inbox.datagram(data.replace(CODE.encode(), b"34150200002000009999"), "10.9.9.9", 5060, 1.0)
            server._agent.flush()
        statuses = [data.split()[1].decode() for data in sent]
        assert statuses == ["403", "403", "403", "403", "481", "481", "200", "403", "403", "403"]
        assert server._endpoint.pending == 0
        assert len(server._endpoint._replay) == 0

    with_server(work)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(SAMPLES), st.integers(0, 2000), st.integers(0, 30), st.binary(max_size=12)),
        max_size=12,
    ),
    st.sampled_from(["10.0.0.9", "10.9.9.9"]),
)
def test_damaged_messages_never_raise(changes: list[tuple[bytes, int, int, bytes]], host: str) -> None:
    """Invariant: any datagram is answered, counted or ignored; never an exception, and what is sent can be read."""

    def work(server: SignalServer, sent: list[bytes]) -> None:
        for data, at, length, patch in changes:
            at %= len(data)
            server._inbox.datagram(data[:at] + patch + data[at + length :], host, 5060, 1.0)
            server._agent.flush()
        for answer in sent:
            parse_message(answer)

    with_server(work)


class Listener:
    """A party to whom 10.8.8.8 belongs."""

    def __init__(self) -> None:
        self.heard: list[Concerns] = []

    def claims(self, request: Request, flow: Flow) -> bool:
        return request.method != "OPTIONS" and flow.host == "10.8.8.8"

    def take(self, event: Concerns, now: float) -> None:
        self.heard.append(event)

    def lost(self, flow: Flow) -> None:
        raise AssertionError("there was no connection")

    def ring(self, flow: Flow) -> int | None:
        return -7 if flow.host == "10.8.8.8" else None


def test_a_party_gets_what_it_claims_and_hears_how_its_invites_go_on() -> None:
    def work(server: SignalServer, sent: list[bytes]) -> None:
        party = Listener()
        server.admit(party)
        invite = sample("INVITE", b"v=0\r\n", SDP)
        for host in ("10.8.8.8", "10.9.9.9", "10.0.0.9"):
            server._inbox.datagram(invite, host, 5060, 1.0)
        server._agent.flush()
        assert [type(event) for event in party.heard] == [RequestReceived]
        # The stranger's is refused, the peer's is not for us.
        assert sorted(data.split()[1] for data in sent) == [b"403", b"405"]
        cancel = invite.replace(b"INVITE", b"CANCEL")
        server._inbox.datagram(cancel, "10.8.8.8", 5060, 1.1)
        first = party.heard[0]
        assert isinstance(first, RequestReceived)
        request = first.request
        server._endpoint.respond(party.heard[0].token, Response.to_request(request, 487), 1.2)
        server._inbox.datagram(invite.replace(b"INVITE", b"ACK"), "10.8.8.8", 5060, 1.3)
        assert [type(event) for event in party.heard] == [RequestReceived, Cancelled, AckReceived]
        assert server._inbox._invites == {}
        # Never acknowledged: time tells.
        server._inbox.datagram(invite.replace(b"z9hG4bKx", b"z9hG4bKy"), "10.8.8.8", 5060, 2.0)
        again = party.heard[-1]
        assert isinstance(again, RequestReceived)
        server._endpoint.respond(again.token, Response.to_request(again.request, 200), 2.0)
        for event in server._endpoint.tick(40.0):
            server._inbox.happened(event, 40.0)
        assert isinstance(party.heard[-1], AckMissing)
        assert server._inbox._invites == {}
        assert [line.way for line in server.trace.of(-7)][:2] == ["in", "in"]
        # What it does not claim goes the ordinary way.
        sent.clear()
        server._inbox.datagram(sample("OPTIONS"), "10.8.8.8", 5060, 1.0)
        assert sent[0].split()[1] == b"200"

    with_server(work)
