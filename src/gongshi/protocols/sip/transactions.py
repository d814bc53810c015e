"""Transaction state machines of RFC 3261 §17 and RFC 6026 as tables, without I/O.

Feed them messages and the time (seconds of a monotonic clock); they say what to send and what to tell the user.
Transitions live in the tables below and nowhere else. Timers: T1 0.5 s, T2 4 s, T4 5 s, 64×T1 = 32 s.
"""

from dataclasses import dataclass
from enum import Enum

from gongshi.protocols.errors import LocalProtocolError
from gongshi.protocols.sip.headers import Headers
from gongshi.protocols.sip.message import Request, Response


@dataclass(frozen=True, slots=True)
class Timers:
    """Seconds; tests shorten them."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def limit(self) -> float:
        """64×T1: how long to wait for an answer, and to remember one."""
        return 64 * self.t1


@dataclass(frozen=True, slots=True)
class Send:
    """Put these bytes on the transaction's flow."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Deliver:
    """Give this response to the user."""

    response: Response


@dataclass(frozen=True, slots=True)
class Expired:
    """No final response came, or no ACK."""


Action = Send | Deliver | Expired


class State(Enum):
    """States of every kind of transaction."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class _Input(Enum):
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "3xx-6xx"


class _Do(Enum):
    DELIVER = "deliver"
    ACK = "ack"


_CLIENT_TABLE: dict[tuple[bool, State, _Input], tuple[State, tuple[_Do, ...]]] = {
    (True, State.CALLING, _Input.PROVISIONAL): (State.PROCEEDING, (_Do.DELIVER,)),
    (True, State.CALLING, _Input.SUCCESS): (State.ACCEPTED, (_Do.DELIVER,)),
    (True, State.CALLING, _Input.FAILURE): (State.COMPLETED, (_Do.ACK, _Do.DELIVER)),
    (True, State.PROCEEDING, _Input.PROVISIONAL): (State.PROCEEDING, (_Do.DELIVER,)),
    (True, State.PROCEEDING, _Input.SUCCESS): (State.ACCEPTED, (_Do.DELIVER,)),
    (True, State.PROCEEDING, _Input.FAILURE): (State.COMPLETED, (_Do.ACK, _Do.DELIVER)),
    # A repeated 2xx means that our ACK was lost: the dialog sends it again.
    (True, State.ACCEPTED, _Input.SUCCESS): (State.ACCEPTED, (_Do.DELIVER,)),
    (True, State.COMPLETED, _Input.FAILURE): (State.COMPLETED, (_Do.ACK,)),
    (False, State.TRYING, _Input.PROVISIONAL): (State.PROCEEDING, (_Do.DELIVER,)),
    (False, State.TRYING, _Input.SUCCESS): (State.COMPLETED, (_Do.DELIVER,)),
    (False, State.TRYING, _Input.FAILURE): (State.COMPLETED, (_Do.DELIVER,)),
    (False, State.PROCEEDING, _Input.PROVISIONAL): (State.PROCEEDING, ()),
    (False, State.PROCEEDING, _Input.SUCCESS): (State.COMPLETED, (_Do.DELIVER,)),
    (False, State.PROCEEDING, _Input.FAILURE): (State.COMPLETED, (_Do.DELIVER,)),
}
"""(is INVITE, state, input) to (next state, what to do). What is not listed is ignored."""


def client_steps(*, invite: bool) -> list[tuple[str, str, str]]:
    """(state, answer, next state) of our transactions, for the diagrams in the docs."""
    return [
        (state.value, kind.value, after.value)
        for (kind_of, state, kind), (after, _) in _CLIENT_TABLE.items()
        if kind_of is invite
    ]


_NEVER = float("inf")


class ClientTransaction:
    """One request of ours and its answers."""

    def __init__(self, request: Request, *, reliable: bool, now: float, timers: Timers | None = None) -> None:
        self.request = request
        self.invite = request.method == "INVITE"
        self.state = State.CALLING if self.invite else State.TRYING
        self._timers = timers or Timers()
        self._reliable = reliable
        self._data = request.to_bytes()
        self._ack = b""
        self._interval = self._timers.t1
        self._resend = _NEVER if reliable else now + self._timers.t1
        self._end = now + self._timers.limit

    @property
    def deadline(self) -> float:
        """When `tick` has something to do; infinite when finished."""
        return _NEVER if self.state is State.TERMINATED else min(self._resend, self._end)

    @property
    def wire(self) -> bytes:
        """The request as sent first."""
        return self._data

    def receive(self, response: Response, now: float) -> list[Action]:
        """Take a response that matched."""
        kind = (
            _Input.PROVISIONAL if response.status < 200 else _Input.SUCCESS if response.status < 300 else _Input.FAILURE
        )
        entry = _CLIENT_TABLE.get((self.invite, self.state, kind))
        if entry is None:
            return []
        before, (self.state, todo) = self.state, entry
        if self.state is not before or kind is _Input.PROVISIONAL:
            self._entered(now)
        actions: list[Action] = []
        for do in todo:
            if do is _Do.ACK:
                self._ack = self._ack or _ack_for_failure(self.request, response).to_bytes()
                actions.append(Send(self._ack))
            else:
                actions.append(Deliver(response))
        return actions

    def _entered(self, now: float) -> None:
        timers = self._timers
        match self.state:
            case State.PROCEEDING if self.invite:
                # Starting a camera takes long, but not for ever: each 1xx grants another 64×T1.
                self._resend, self._end = _NEVER, now + timers.limit
            case State.PROCEEDING:
                self._interval = timers.t2
                self._resend = _NEVER if self._reliable else now + timers.t2
            case State.ACCEPTED:
                self._resend, self._end = _NEVER, now + timers.limit
            case State.COMPLETED:
                wait = 0.0 if self._reliable else timers.limit if self.invite else timers.t4
                self._resend, self._end = _NEVER, now + wait
            case _:
                return

    def tick(self, now: float) -> list[Action]:
        """Do what is due."""
        if now >= self._end and self.state is not State.TERMINATED:
            unanswered = self.state in {State.CALLING, State.TRYING, State.PROCEEDING}
            self.state = State.TERMINATED
            return [Expired()] if unanswered else []
        if now >= self._resend and self.state is not State.TERMINATED:
            self._interval *= 2
            if not self.invite:
                self._interval = min(self._interval, self._timers.t2)
            self._resend = now + self._interval
            return [Send(self._data)]
        return []

    def abort(self) -> list[Action]:
        """The flow is gone: nothing more will come."""
        unanswered = self.state in {State.CALLING, State.TRYING, State.PROCEEDING}
        self.state = State.TERMINATED
        return [Expired()] if unanswered else []


def _same_branch(request: Request, method: str) -> Request:
    headers = Headers([("Via", (request.headers.all("Via") or [""])[0])])
    for value in request.headers.all("Route"):
        headers.add("Route", value)
    for name in ("From", "To", "Call-ID"):
        headers.add(name, request.headers.get(name) or "")
    headers.add("CSeq", f"{request.cseq.number} {method}")
    headers.add("Max-Forwards", "70")
    return Request(headers, method=method, uri=request.uri)


def _ack_for_failure(invite: Request, response: Response) -> Request:
    """The ACK of a non-2xx answer: same branch, To of the answer (RFC 3261 §17.1.1.3)."""
    ack = _same_branch(invite, "ACK")
    ack.headers.set("To", response.headers.get("To") or invite.headers.get("To") or "")
    return ack


def cancel_of(invite: Request) -> Request:
    """The CANCEL of an INVITE that was answered 1xx but not finally (RFC 3261 §9.1)."""
    if invite.method != "INVITE":
        raise LocalProtocolError("only an INVITE is cancelled")
    return _same_branch(invite, "CANCEL")


class InviteServerTransaction:
    """An INVITE to us: repeats our final answer until the ACK comes."""

    def __init__(self, request: Request, *, reliable: bool, now: float, timers: Timers | None = None) -> None:
        self.request = request
        self.state = State.PROCEEDING
        self.last = b""
        self._timers = timers or Timers()
        self._reliable = reliable
        self._interval = self._timers.t1
        self._resend = _NEVER
        # An application that never answers must not leave the transaction behind for ever.
        self._end = now + 10 * self._timers.limit

    @property
    def deadline(self) -> float:
        """When `tick` has something to do; infinite when finished."""
        return _NEVER if self.state is State.TERMINATED else min(self._resend, self._end)

    @property
    def answered(self) -> bool:
        """A final answer was given."""
        return self.state is not State.PROCEEDING

    def repeated(self) -> list[Action]:
        """The INVITE came again."""
        resend = self.last and self.state in {State.PROCEEDING, State.COMPLETED, State.ACCEPTED}
        return [Send(self.last)] if resend else []

    def respond(self, response: Response, now: float) -> list[Action]:
        """Give an answer. Raises LocalProtocolError after a final one."""
        if self.answered:
            raise LocalProtocolError("the INVITE has its final answer already")
        self.last = response.to_bytes()
        if response.status >= 200:
            success = response.status < 300
            self.state = State.ACCEPTED if success else State.COMPLETED
            # 2xx is repeated on every transport: it is the user's own care, hop by hop or not (RFC 3261 §13.3.1.4).
            self._resend = _NEVER if self._reliable and not success else now + self._timers.t1
            self._end = now + self._timers.limit
        return [Send(self.last)]

    def acknowledged(self, now: float) -> bool:
        """An ACK came; True for the first."""
        if self.state not in {State.ACCEPTED, State.COMPLETED}:
            return False
        self.state = State.CONFIRMED
        self._resend, self._end = _NEVER, now + (0.0 if self._reliable else self._timers.t4)
        return True

    def tick(self, now: float) -> list[Action]:
        """Do what is due."""
        if now >= self._end and self.state is not State.TERMINATED:
            unacknowledged = self.state in {State.ACCEPTED, State.COMPLETED}
            self.state = State.TERMINATED
            return [Expired()] if unacknowledged else []
        if now >= self._resend and self.state is not State.TERMINATED:
            self._interval = min(self._interval * 2, self._timers.t2)
            self._resend = now + self._interval
            return [Send(self.last)]
        return []

    def abort(self) -> list[Action]:
        """The flow is gone."""
        unacknowledged = self.state in {State.ACCEPTED, State.COMPLETED}
        self.state = State.TERMINATED
        return [Expired()] if unacknowledged else []


ServerKey = tuple[str, ...]


def server_key(request: Request, source: str) -> ServerKey:
    """What makes a request the same request (RFC 3261 §17.2.3).

    With a proper branch: branch, sent-by, Call-ID, CSeq number; Call-ID and CSeq are in because devices reuse branches
    (Q-12). Without: Call-ID, CSeq, From, To tag and Request-URI. ACK and CANCEL give the key of their INVITE. `source`
    is the peer's address, so that no peer gets another's answers.
    """
    method = "INVITE" if request.method in {"ACK", "CANCEL"} else request.method
    number = str(request.cseq.number)
    via = request.via
    if via is not None and via.branch:
        return (via.branch, via.sent_by, request.call_id, number, method, source)
    return (request.call_id, number, request.from_.tag or "", request.uri, method, source)


class ReplayStore:
    """Answers to non-INVITE requests, replayed when the request comes again.

    Two generations of `lifetime` seconds: an answer is kept for one to two lifetimes, forgetting costs nothing.
    Under a flood of more than `limit` requests generations turn early, so memory stays bounded.
    """

    def __init__(self, lifetime: float = 32.0, limit: int = 200_000) -> None:
        self._lifetime = lifetime
        self._limit = limit
        self._young: dict[ServerKey, bytes] = {}
        self._old: dict[ServerKey, bytes] = {}
        self._turn = float("-inf")

    def _age(self, now: float) -> None:
        if now >= self._turn + 2 * self._lifetime:
            self._young, self._old, self._turn = {}, {}, now
        elif now >= self._turn + self._lifetime or len(self._young) >= self._limit:
            self._old, self._young, self._turn = self._young, {}, now

    def begin(self, key: ServerKey, now: float) -> bytes | None:
        """None: the request is new (and now known). b"": being worked on. Else the answer to send again."""
        self._age(now)
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
        if found is None:
            self._young[key] = b""
        return found

    def finish(self, key: ServerKey, answer: bytes, now: float) -> None:
        """Remember the final answer."""
        self._age(now)
        self._young[key] = answer

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
