"""What is fuzzed: each target takes any bytes and lets nothing out but what its parser promises.

The first line of each says the invariant. `python tests/fuzz/run.py SECONDS [NAME...]` looks for bytes that break it; every
file of corpus/NAME is tried by test_corpus.py, with or without the fuzzer.
"""

from collections.abc import Callable

from gongshi.protocols import ptz
from gongshi.protocols.errors import LocalProtocolError, ProtocolError, RemoteProtocolError
from gongshi.protocols.manscdp import CatalogResponse, Envelope, fast_keepalive, parse, read
from gongshi.protocols.manscdp.items import fast_catalog
from gongshi.protocols.ps.demux import MAX_FRAME, PsDemuxer
from gongshi.protocols.rtp import packet as rtp
from gongshi.protocols.rtp.framing import TcpDeframer
from gongshi.protocols.sdp import SessionDescription
from gongshi.protocols.sip import Credentials, Endpoint, Flow, Ping, Request, SipMessage, StreamParser, parse_message
from gongshi.protocols.sip.mansrtsp import PlaybackAnswer, PlaybackCommand
from gongshi.signalling.asks import ask_of
from gongshi.signalling.fast import read_message, read_proof, read_register

_FLOW = Flow("UDP", "192.0.2.9", 5060)


def sip(data: bytes) -> None:
    """Invariant: a datagram parses or raises RemoteProtocolError; what parsed is answered, and written reads the same."""
    try:
        message = parse_message(data)
    except RemoteProtocolError:
        return
    for name in ("cseq", "from_", "to", "via", "contact", "expires", "subject", "target", "gb_version", "user_agent"):
        try:
            getattr(message, name, None)
        except RemoteProtocolError:
            continue
    endpoint = Endpoint()
    endpoint.receive(message, _FLOW, 0.0)
    for sent, _ in endpoint.outgoing():
        parse_message(sent)
    try:
        written = message.to_bytes()
    except LocalProtocolError:
        return
    again = parse_message(written)
    assert _fields(again) == _fields(message)
    assert again.body == message.body


def _fields(message: SipMessage) -> list[tuple[str, str]]:
    return [(name, value) for name, value in message.headers if name != "Content-Length"]


def stream(data: bytes) -> None:
    """Invariant: a stream gives the same messages however it is cut, or the same error; blanks between may be pings."""
    assert _cut(data, len(data) or 1) == _cut(data, 7)


def _cut(data: bytes, size: int) -> list[object]:
    parser, found = StreamParser(), []
    for start in range(0, len(data), size):
        try:
            found += [
                (type(message).__name__, message.body)
                for message in parser.feed(data[start : start + size])
                if not isinstance(message, Ping)
            ]
        except RemoteProtocolError:
            break
        if parser.error is not None:
            break
    return [*found, parser.error is None]


def fast(data: bytes) -> None:
    """Invariant: what the short way of REGISTER, keepalive and catalogue reads, the long way reads the same."""
    register, note = read_register(data, _FLOW.host, _FLOW.port), read_message(data)
    if register is not None:
        request = parse_message(data)
        assert isinstance(request, Request)
        ask = ask_of(request, _FLOW)
        assert (register.code, register.sender, register.expires) == (ask.code, ask.sender, ask.expires)
        assert (register.contact_uri, register.call_id) == (ask.contact_uri, ask.call_id)
        assert (register.version, register.user_agent) == (ask.version, ask.user_agent)
        given = register.authorization
        proof = read_proof(given) if given else None
        if proof is not None:
            slow = Credentials.parse(given or "")
            assert (proof.username, proof.nonce, proof.uri) == (slow.username, slow.nonce, slow.uri)
            assert proof.verify("REGISTER", "0" * 32) == slow.verify("REGISTER", "0" * 32)
    if note is not None:
        request = parse_message(data)
        assert isinstance(request, Request)
        assert request.from_.user == note.plain.code
        assert (fast_keepalive(request.body) is not None) is (note.catalogue is None)
        assert note.catalogue in {None, request.body}


def xml(data: bytes) -> None:
    """Invariant: a body parses into a message or raises RemoteProtocolError; a short way says what the long way says."""
    quick = fast_catalog(data)
    try:
        envelope: Envelope = parse(data)
    except RemoteProtocolError:
        assert quick is None
        return
    if quick is not None:
        assert quick == CatalogResponse.parse(envelope)
    beat = fast_keepalive(data)
    if beat is not None:
        assert (beat.device_id, beat.sn) == (envelope.device_id, envelope.sn)
    try:
        read(envelope)
    except RemoteProtocolError:
        return


def catalogue(data: bytes) -> None:
    """Invariant: a catalogue that is read leaf by leaf, or by a learnt form, is the one that the XML says."""
    body = (
        b"<Response><CmdType>Catalog</CmdType><SN>1</SN><DeviceID>34150200002000000001</DeviceID><SumNum>2</SumNum>"
        b"<DeviceList Num='2'><Item>" + data + b"</Item><Item>" + data + b"</Item></DeviceList></Response>"
    )
    for _ in range(3):
        quick = fast_catalog(body)
        if quick is None:
            return
        assert quick == CatalogResponse.parse(parse(body))


def sdp(data: bytes) -> None:
    """Invariant: a description parses or raises RemoteProtocolError; what parsed can be looked at and written again."""
    try:
        description = SessionDescription.parse(data)
    except RemoteProtocolError:
        return
    try:
        written = description.to_bytes()
    except LocalProtocolError:
        return
    SessionDescription.parse(written)


def ptz_code(data: bytes) -> None:
    """Invariant: a code decodes or raises RemoteProtocolError; what decoded encodes, and decodes to the same."""
    try:
        command = ptz.decode(data.decode("latin-1"))
    except RemoteProtocolError:
        return
    try:
        assert ptz.decode(ptz.encode(command)) == command
    except LocalProtocolError:
        return


def mansrtsp(data: bytes) -> None:
    """Invariant: a playback command or answer parses or raises RemoteProtocolError; what parsed can be written."""
    for kind in (PlaybackCommand, PlaybackAnswer):
        try:
            kind.parse(data).to_bytes()
        except ProtocolError:
            continue


def ps(data: bytes) -> None:
    """Invariant: any bytes in any chunks give frames of bounded size or nothing, and never an exception."""
    size = 1 + (data[0] if data else 0)
    demuxer = PsDemuxer()
    for start in range(0, len(data), size):
        for frame in demuxer.feed(data[start : start + size], start):
            assert len(frame.data) <= MAX_FRAME
    demuxer.feed(b"", 0, end=True)


def rtp_packet(data: bytes) -> None:
    """Invariant: a datagram is a packet or nothing, and a TCP stream is cut into packets or nothing."""
    rtp.parse(data)
    deframer = TcpDeframer()
    try:
        for start in range(0, len(data), 5):
            for packet in deframer.feed(data[start : start + 5]):
                rtp.parse(packet)
    except RemoteProtocolError:
        return


TARGETS: dict[str, Callable[[bytes], None]] = {
    "sip": sip,
    "stream": stream,
    "fast": fast,
    "xml": xml,
    "catalogue": catalogue,
    "sdp": sdp,
    "ptz": ptz_code,
    "mansrtsp": mansrtsp,
    "ps": ps,
    "rtp": rtp_packet,
}
