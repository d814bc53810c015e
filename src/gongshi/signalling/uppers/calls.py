"""Calls of uppers that stand: what they are, how they are found, and how they survive a restart."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gongshi.protocols.errors import ProtocolError
from gongshi.protocols.sip import Dialog, Flow, Request
from gongshi.signalling.uppers.offers import CallKey
from gongshi.signalling.uppers.ports import Kind


@dataclass(slots=True, eq=False)
class UpperCall:
    """One call: the upper gets one camera's picture in one media session."""

    session_id: str
    upper_id: int
    camera_code: str
    known_as: str
    """The code that the upper used."""
    kind: Kind
    key: CallKey
    dialog: Dialog
    flow: Flow
    token: int = 0
    """The INVITE at the transaction layer, while its ACK is awaited."""
    span: float = 0.0
    """Seconds of recording asked for."""
    ending: bool = False

    def dump(self) -> dict[str, Any]:
        """Plain values for storage."""
        return {
            "dialog": self.dialog.dump(),
            "flow": asdict(self.flow),
            "known_as": self.known_as,
            "kind": self.kind,
            "key": list(self.key),
            "span": self.span,
        }

    @classmethod
    def load(cls, session_id: str, upper_id: int, camera_code: str, state: Mapping[str, Any]) -> "UpperCall | None":
        """The reverse of `dump`; None when the values are not a call's."""
        try:
            dialog = Dialog.load(state["dialog"])
            flow = stored_flow(state["flow"])
            kind = state["kind"]
            key = (int(state["key"][0]), str(state["key"][1]), str(state["key"][2]))
            known_as, span = str(state["known_as"]), float(state["span"])
        except (ProtocolError, KeyError, TypeError, ValueError, IndexError):
            return None
        if kind not in {"play", "playback", "download"}:
            return None
        return cls(session_id, upper_id, camera_code, known_as, kind, key, dialog, flow, span=span)


def stored_flow(values: Mapping[str, Any]) -> Flow:
    """A stored path; the connection, if it was one, is gone."""
    transport = "TCP" if values["transport"] == "TCP" else "UDP"
    return Flow(
        transport, str(values["host"]), int(values["port"]), str(values["local_host"]), int(values["local_port"])
    )


class Standing:
    """The calls by session, by Call-ID, by INVITE and by what they send."""

    def __init__(self) -> None:
        self._by_session: dict[str, UpperCall] = {}
        self._by_call_id: dict[str, UpperCall] = {}
        self._by_token: dict[int, UpperCall] = {}
        self._by_key: dict[CallKey, UpperCall] = {}

    def __len__(self) -> int:
        return len(self._by_session)

    def __iter__(self) -> Iterator[UpperCall]:
        return iter(list(self._by_session.values()))

    def clear(self) -> None:
        """Forget everything: another process carries the calls on."""
        for book in (self._by_session, self._by_call_id, self._by_token, self._by_key):
            book.clear()

    def put(self, call: UpperCall) -> None:
        self._by_session[call.session_id] = call
        self._by_call_id[call.dialog.call_id] = call
        self._by_key[call.key] = call
        if call.token:
            self._by_token[call.token] = call

    def drop(self, call: UpperCall) -> bool:
        """Forget a call; False when it was forgotten before."""
        if self._by_session.get(call.session_id) is not call:
            return False
        del self._by_session[call.session_id]
        if self._by_call_id.get(call.dialog.call_id) is call:
            del self._by_call_id[call.dialog.call_id]
        if self._by_key.get(call.key) is call:
            del self._by_key[call.key]
        self._by_token.pop(call.token, None)
        return True

    def session(self, session_id: str) -> UpperCall | None:
        return self._by_session.get(session_id)

    def invited(self, token: int) -> UpperCall | None:
        """The call of an INVITE whose ACK is awaited."""
        return self._by_token.get(token)

    def sending(self, key: CallKey) -> UpperCall | None:
        """The call that already sends the same."""
        return self._by_key.get(key)

    def dialled(self, call_id: str) -> bool:
        return call_id in self._by_call_id

    def inside(self, request: Request) -> UpperCall | None:
        """The call that a request belongs to."""
        call = self._by_call_id.get(request.call_id)
        return call if call is not None and call.dialog.matches(request) else None
