"""What subscribers want to know, and what has changed since they were told (gb28181.md §14). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from gongshi.protocols.manscdp import Alarm, AlarmQuery, Envelope, MobilePositionQuery
from gongshi.protocols.sip import Request
from gongshi.signalling.uppers.repository import Shared

Package = Literal["Catalog", "Alarm", "MobilePosition"]

PACKAGES: Final[Mapping[str, Package]] = {
    "catalog": "Catalog",
    "alarm": "Alarm",
    "mobileposition": "MobilePosition",
}
DEFAULT_EXPIRES: Final = 600
_LONGEST: Final = 86_400


@dataclass(frozen=True, slots=True)
class Change:
    """One camera's change."""

    camera_id: int
    code: str
    event: Literal["ON", "OFF", "ADD", "DEL", "UPDATE"]


def initial(now: Mapping[int, Shared]) -> list[Change]:
    """A subscriber takes everything for on: it is told what is not (§14)."""
    return [Change(key, shared.code, "OFF") for key, shared in sorted(now.items()) if not shared.online]


def differences(before: Mapping[int, Shared], now: Mapping[int, Shared]) -> list[Change]:
    """What a subscriber must be told; the next query agrees with it (§13.2)."""
    found = [Change(key, before[key].code, "DEL") for key in sorted(before.keys() - now.keys())]
    for key in sorted(now):
        new, old = now[key], before.get(key)
        if old is None or old.code != new.code:
            if old is not None:
                found.append(Change(key, old.code, "DEL"))
            found.append(Change(key, new.code, "ADD"))
        elif old.version != new.version:
            found.append(Change(key, new.code, "UPDATE"))
        elif old.online != new.online:
            found.append(Change(key, new.code, "ON" if new.online else "OFF"))
    return found


def conditions_of(package: Package, envelope: Envelope) -> dict[str, Any]:
    if package == "MobilePosition":
        return {"interval": MobilePositionQuery.parse(envelope).interval if envelope.sn is not None else 5}
    if package == "Alarm" and envelope.sn is not None:
        query = AlarmQuery.parse(envelope)
        return {
            "from": query.start_priority,
            "to": query.end_priority,
            "methods": [method for method in query.methods if method],
            "types": [kind for kind in query.types if kind],
        }
    return {}


def wanted(conditions: Mapping[str, Any], alarm: Alarm) -> bool:
    """Does an alarm meet the conditions? 0 and empty mean all (§9)."""
    lowest, highest = int(conditions.get("from") or 0), int(conditions.get("to") or 0)
    if alarm.priority is not None:
        if lowest and alarm.priority < lowest:
            return False
        if highest and alarm.priority > highest:
            return False
    methods = cast("list[int]", conditions.get("methods") or [])
    kinds = cast("list[int]", conditions.get("types") or [])
    return (not methods or alarm.method in methods) and (not kinds or alarm.type is None or alarm.type in kinds)


def expires_of(request: Request) -> int:
    """Seconds; the texts misprint the header as Expire (§14)."""
    value = request.expires
    if value is None:
        text = (request.headers.get("Expire") or "").strip()
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
    return DEFAULT_EXPIRES if value is None else max(0, min(value, _LONGEST))
