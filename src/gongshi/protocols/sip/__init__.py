"""SIP without I/O: tolerant parser, strict writer, digest, transactions and dialogs (RFC 3261, GB/T 28181 clause 9)."""

from gongshi.protocols.sip.compose import authorized, new_request
from gongshi.protocols.sip.dialog import Dialog, DialogKey
from gongshi.protocols.sip.digest import (
    Challenge,
    Credentials,
    NonceIssuer,
    NonceState,
    answer_challenge,
    digest_response,
    ha1,
)
from gongshi.protocols.sip.endpoint import (
    AckMissing,
    AckReceived,
    Cancelled,
    Endpoint,
    Event,
    Flow,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
    Transport,
)
from gongshi.protocols.sip.fields import CSeq, Subject, Via
from gongshi.protocols.sip.headers import Headers, readable
from gongshi.protocols.sip.message import (
    ALLOW,
    MANSCDP,
    MANSRTSP,
    SDP,
    Message,
    Request,
    Response,
    SipMessage,
    new_branch,
    new_call_id,
    new_tag,
)
from gongshi.protocols.sip.note import NoteState
from gongshi.protocols.sip.parser import PING, Ping, StreamParser, parse_message
from gongshi.protocols.sip.subscription import Notifier, Subscription
from gongshi.protocols.sip.transactions import Timers
from gongshi.protocols.sip.uri import NameAddr, Uri

__all__ = [
    "ALLOW",
    "MANSCDP",
    "MANSRTSP",
    "PING",
    "SDP",
    "AckMissing",
    "AckReceived",
    "CSeq",
    "Cancelled",
    "Challenge",
    "Credentials",
    "Dialog",
    "DialogKey",
    "Endpoint",
    "Event",
    "Flow",
    "Headers",
    "Message",
    "NameAddr",
    "NonceIssuer",
    "NonceState",
    "NoteState",
    "Notifier",
    "Ping",
    "Request",
    "RequestFailed",
    "RequestReceived",
    "Response",
    "ResponseReceived",
    "SipMessage",
    "StreamParser",
    "Subject",
    "Subscription",
    "Timers",
    "Transport",
    "Uri",
    "Via",
    "answer_challenge",
    "authorized",
    "digest_response",
    "ha1",
    "new_branch",
    "new_call_id",
    "new_request",
    "new_tag",
    "parse_message",
    "readable",
]
