"""Asking devices about themselves: one kind per query of the standard, answers as plain values (gb28181.md §7.6)."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, time
from typing import Any, Final

from gongshi.kit import clock
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp import (
    BasicParam,
    ConfigDownload,
    ConfigDownloadQuery,
    CruiseTrack,
    CruiseTrackList,
    CruiseTrackListQuery,
    CruiseTrackQuery,
    DeviceInfo,
    DeviceInfoQuery,
    DeviceStatus,
    DeviceStatusQuery,
    Envelope,
    HomePositionAnswer,
    HomePositionQuery,
    PlainQuery,
    PresetItem,
    PresetList,
    PresetQuery,
    PtzPosition,
    PtzPositionQuery,
    RawSetting,
    SdCardStatus,
    SdCardStatusQuery,
    setting_name,
)
from gongshi.signalling import device_problems as faults
from gongshi.signalling.exchanges import Exchange, Exchanges
from gongshi.signalling.peers import PeerState
from gongshi.signalling.policy import Policy
from gongshi.signalling.writer import clean

Answer = dict[str, Any]

_SIMPLE: Final[Mapping[str, tuple[type[PlainQuery], Callable[[Envelope], Any]]]] = {
    "device_info": (DeviceInfoQuery, DeviceInfo.parse),
    "device_status": (DeviceStatusQuery, DeviceStatus.parse),
    "home_position": (HomePositionQuery, HomePositionAnswer.parse),
    "cruise_tracks": (CruiseTrackListQuery, CruiseTrackList.parse),
    "ptz_position": (PtzPositionQuery, PtzPosition.parse),
    "sd_card": (SdCardStatusQuery, SdCardStatus.parse),
}
"""One question, one answer."""
KINDS: Final = (*_SIMPLE, "presets", "config", "cruise_track")
"""What can be asked; recordings are searched by `Records`."""
_FRAME: Final = frozenset({"device_id", "sn", "lost"})
_TEXT: Final = 1_000


class Queries:
    """Runs queries; the answers are plain values for JSON."""

    def __init__(self, exchanges: Exchanges, policy: Policy) -> None:
        self._exchanges = exchanges
        self._policy = policy

    async def run(self, peer: PeerState, code: str, kind: str, params: Mapping[str, Any]) -> Answer:
        """Ask about a peer or a channel of it; `kind` of `KINDS`.

        Raises CallFailed when it is offline, NotInEdition, QueryFailed.
        """
        try:
            match kind:
                case "presets":
                    return await self._presets(peer, code)
                case "config":
                    return await self._config(peer, code, tuple(params.get("types") or ("BasicParam",)))
                case "cruise_track":
                    return await self._cruise_track(peer, code, int(params.get("number", 0)))
                case _:
                    query, read = _SIMPLE[kind]
                    answer = await self._exchanges.one(peer, code, query.COMMAND, lambda sn: query(code, sn), to=code)
                    return plain(read(answer))
        except RemoteProtocolError as error:
            raise faults.unreadable(peer.name, str(error)) from error

    async def _cruise_track(self, peer: PeerState, code: str, number: int) -> Answer:
        answer = await self._exchanges.one(
            peer,
            code,
            "CruiseTrackQuery",
            lambda sn: CruiseTrackQuery(code, sn, number),
            to=code,
        )
        return plain(CruiseTrack.parse(answer))

    async def _presets(self, peer: PeerState, code: str) -> Answer:
        """Some send one list in several messages; with SumNum they are waited for."""
        found: dict[int, PresetItem] = {}
        total = 0
        async with self._exchanges.ask(
            peer, code, "PresetQuery", lambda sn: PresetQuery(code, sn), to=code
        ) as exchange:
            answer = await self._first(exchange)
            while answer is not None:
                part = PresetList.parse(answer)
                found |= {preset.number: preset for preset in part.presets}
                total = max(total, part.sum_num or 0)
                answer = None if len(found) >= total else await exchange.next(self._policy.records_gap)
        return {"presets": [plain(found[number]) for number in sorted(found)], "complete": len(found) >= total}

    async def _config(self, peer: PeerState, code: str, types: tuple[str, ...]) -> Answer:
        """One answer per type, all with the same SN (§7.6)."""
        settings: Answer = {}
        refused = 0
        # Dahua answers for the device, not for its channel.
        target = code if is_platform(peer) else peer.code
        async with self._exchanges.ask(
            peer,
            target,
            "ConfigDownload",
            lambda sn: ConfigDownloadQuery(target, sn, types),
            to=target,
        ) as exchange:
            answer = await self._first(exchange)
            while answer is not None:
                part = ConfigDownload.parse(answer)
                settings |= {setting_name(s): plain(s) for s in part.settings}
                refused += not part.ok
                done = exchange.heard >= len(types) or all(name in settings for name in types)
                answer = None if done else await exchange.next(self._policy.records_gap)
        if not settings and refused:
            raise faults.declined(peer.name)
        return {"settings": settings, "complete": all(name in settings for name in types)}

    async def basic(self, peer: PeerState) -> BasicParam | None:
        """Heartbeat settings of a peer; None when it does not say. Raises as `run`."""
        answer = await self._exchanges.one(
            peer,
            peer.code,
            "ConfigDownload",
            lambda sn: ConfigDownloadQuery(peer.code, sn, ("BasicParam",)),
        )
        try:
            settings = ConfigDownload.parse(answer).settings
        except RemoteProtocolError as error:
            raise faults.unreadable(peer.name, str(error)) from error
        return next((setting for setting in settings if isinstance(setting, BasicParam)), None)

    async def _first(self, exchange: Exchange) -> Envelope | None:
        answer = await exchange.next(self._policy.query_seconds)
        if answer is None:
            raise faults.silent(exchange.peer.name, self._policy.query_seconds, acknowledged=exchange.acknowledged)
        return answer


def is_platform(peer: PeerState) -> bool:
    """Does the peer stand for many devices (type 200 and its like)?"""
    return peer.code[10:11] == "2"


def plain(value: Any) -> Any:
    """A message as JSON can say it, without its frame; texts that the database can hold."""
    if isinstance(value, RawSetting):
        children = {child.name: plain(child.text) for child in value.element.children[:100]}
        return children or plain(value.element.text)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value) if f.name not in _FRAME}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType] -- of any dataclass
    if isinstance(value, datetime):
        return clock.local(value).isoformat()
    if isinstance(value, time):
        return value.isoformat()
    if isinstance(value, str):
        return (clean(value) or "")[:_TEXT]
    return value
