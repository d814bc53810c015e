"""Calls that stand, found by stream, by Call-ID, by channel and by peer in constant time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from gongshi.protocols.sdp import Ssrc
from gongshi.protocols.sip import Dialog, Flow, Request

CallKind = Literal["play", "playback", "download"]
KINDS: Final[dict[str, CallKind]] = {"play": "play", "playback": "playback", "download": "download"}

K = TypeVar("K")
_STALE_CHANNELS: Final = 1_000
_STALE_DIALOGS: Final = 4


@dataclass(slots=True, eq=False)
class Call:
    """A call that stands."""

    stream_id: str
    peer_id: int
    channel: str
    dialog: Dialog
    flow: Flow
    ssrc: Ssrc
    own_ssrc: bool
    """The SSRC was allocated here and must be given back."""
    since: float
    kind: CallKind = "play"
    commands: int = 0
    """CSeq of the last playback command, which counts by itself (annex B)."""

    def extras(self) -> dict[str, Any]:
        """What is stored beside the dialog and the flow."""
        return {"kind": self.kind, "commands": self.commands}

    def restore(self, values: Mapping[str, Any]) -> "Call":
        """Take over `extras`; what is missing there stays as it is."""
        self.kind = KINDS.get(str(values.get("kind")), "play")
        commands: object = values.get("commands")
        self.commands = commands if isinstance(commands, int) else 0
        return self


class CallBook:
    """The standing calls. A stream has one; a channel one live call and any number of recordings."""

    def __init__(self) -> None:
        self._by_stream: dict[str, Call] = {}
        self._by_call_id: dict[str, Call] = {}
        self._by_channel: dict[tuple[int, str], set[Call]] = {}
        self._by_peer: dict[int, set[Call]] = {}

    def __len__(self) -> int:
        return len(self._by_stream)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._by_stream.values()))

    def get(self, stream_id: str) -> Call | None:
        return self._by_stream.get(stream_id)

    def put(self, call: Call) -> None:
        """Add a call; an earlier one of the same stream gives way."""
        earlier = self._by_stream.get(call.stream_id)
        if earlier is not None:
            self.drop(earlier)
        self._by_stream[call.stream_id] = call
        self._by_call_id[call.dialog.call_id] = call
        self._by_channel.setdefault((call.peer_id, call.channel), set()).add(call)
        self._by_peer.setdefault(call.peer_id, set()).add(call)

    def drop(self, call: Call) -> bool:
        """Forget a call; False when it is not in the book."""
        if self._by_stream.get(call.stream_id) is not call:
            return False
        del self._by_stream[call.stream_id]
        if self._by_call_id.get(call.dialog.call_id) is call:
            del self._by_call_id[call.dialog.call_id]
        _remove(self._by_channel, (call.peer_id, call.channel), call)
        _remove(self._by_peer, call.peer_id, call)
        return True

    def inside(self, request: Request) -> Call | None:
        """The call that a request of the peer belongs to (Call-ID decides, tags must not be strangers, Q-28)."""
        call = self._by_call_id.get(request.call_id)
        return call if call is not None and call.dialog.matches(request) else None

    def of_channel(self, peer_id: int, channel: str, *, live: bool) -> list[Call]:
        """Live calls of a channel, or its recordings, oldest first."""
        found = [call for call in self._by_channel.get((peer_id, channel), ()) if (call.kind == "play") is live]
        return sorted(found, key=lambda call: call.since)

    def of_peer(self, peer_id: int) -> list[Call]:
        return list(self._by_peer.get(peer_id, ()))

    @property
    def entries(self) -> int:
        """Entries of all indexes together: 0 when nothing stands."""
        return len(self._by_stream) + len(self._by_call_id) + len(self._by_channel) + len(self._by_peer)


def _remove(index: dict[K, set[Call]], key: K, call: Call) -> None:
    calls = index.get(key)
    if calls is not None:
        calls.discard(call)
        if not calls:
            del index[key]


class Unfinished:
    """Dialogs whose BYE nobody answered: the device may still take itself for busy (Q-42). Bounded."""

    def __init__(self) -> None:
        self._dialogs: dict[tuple[int, str], list[Dialog]] = {}

    def __len__(self) -> int:
        return len(self._dialogs)

    def note(self, peer_id: int, channel: str, dialog: Dialog) -> None:
        dialogs = self._dialogs.setdefault((peer_id, channel), [])
        dialogs.append(dialog)
        del dialogs[:-_STALE_DIALOGS]
        while len(self._dialogs) > _STALE_CHANNELS:
            del self._dialogs[next(iter(self._dialogs))]

    def take(self, peer_id: int, channel: str) -> list[Dialog]:
        """Those of a channel; they are forgotten here."""
        return self._dialogs.pop((peer_id, channel), [])
