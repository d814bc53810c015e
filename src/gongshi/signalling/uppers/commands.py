"""What an upper's queries and controls need: which right, which answer, which are never carried out (§8.1, §13.4). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from gongshi.access.actions import Action
from gongshi.protocols.manscdp import Element, Envelope, leaf

Group = Literal["ptz", "iframe", "record", "guard", "alarm", "reboot", "upgrade", "format", "config", "query"]

GROUPS: Final[tuple[Group, ...]] = ("record", "guard", "alarm", "reboot", "upgrade", "format", "config")
"""Groups beyond moving the camera: a right names those that it includes (`limits.commands`)."""


@dataclass(frozen=True, slots=True)
class Need:
    """What a command needs."""

    action: Action
    group: Group
    answered: bool


FOLLOWING: Final = "targettrack"
"""Automatic following is not built, by decision: it is dropped and nothing is answered (§8.1)."""

_CONTROLS: Final[Mapping[str, Need]] = {
    "ptzcmd": Need(Action.PTZ, "ptz", answered=False),
    "dragzoomin": Need(Action.PTZ, "ptz", answered=False),
    "dragzoomout": Need(Action.PTZ, "ptz", answered=False),
    "homeposition": Need(Action.PTZ, "ptz", answered=True),
    "ptzprecisectrl": Need(Action.PTZ, "ptz", answered=False),
    "ifamecmd": Need(Action.LIVE, "iframe", answered=False),
    "iframecmd": Need(Action.LIVE, "iframe", answered=False),
    "recordcmd": Need(Action.PTZ, "record", answered=True),
    "guardcmd": Need(Action.PTZ, "guard", answered=True),
    "alarmcmd": Need(Action.PTZ, "alarm", answered=True),
    "teleboot": Need(Action.PTZ, "reboot", answered=False),
    "deviceupgrade": Need(Action.PTZ, "upgrade", answered=True),
    "formatsdcard": Need(Action.PTZ, "format", answered=False),
}
_QUERIES: Final[Mapping[str, Need]] = {
    "deviceinfo": Need(Action.SEE, "query", answered=True),
    "devicestatus": Need(Action.SEE, "query", answered=True),
    "recordinfo": Need(Action.PLAYBACK, "query", answered=True),
    "presetquery": Need(Action.PTZ, "query", answered=True),
    "homepositionquery": Need(Action.PTZ, "query", answered=True),
    "cruisetracklistquery": Need(Action.PTZ, "query", answered=True),
    "cruisetrackquery": Need(Action.PTZ, "query", answered=True),
    "ptzposition": Need(Action.PTZ, "query", answered=True),
    "sdcardstatus": Need(Action.PLAYBACK, "query", answered=True),
}
_OPEN_CONFIG: Final = frozenset({"basicparam", "videoparamopt", "videoparamattribute"})
"""What anybody who sees the camera may read of its settings; addresses and plans are not among it."""
_LISTS: Final[Mapping[str, str]] = {
    "recordinfo": "RecordList",
    "presetquery": "PresetList",
    "cruisetracklistquery": "CruiseTrackList",
    "sdcardstatus": "SDCardStatusInfo",
}
_FRAME: Final = frozenset({"cmdtype", "sn", "deviceid"})


def need(envelope: Envelope) -> Need | None:
    """What a query or control for a camera needs; None for what is not known or not carried out."""
    name = envelope.cmd_type.strip().lower()
    if envelope.root == "Query":
        if name == "configdownload":
            kinds = {part.strip().lower() for part in (envelope.element.get("ConfigType") or "").split("/")}
            if kinds and kinds <= _OPEN_CONFIG:
                return Need(Action.SEE, "query", answered=True)
            return Need(Action.PTZ, "config", answered=True)
        return _QUERIES.get(name)
    if name == "deviceconfig":
        return Need(Action.PTZ, "config", answered=True)
    if name != "devicecontrol":
        return None
    names = [child.name.lower() for child in envelope.element.children]
    if FOLLOWING in names:
        return None
    return next((_CONTROLS[child] for child in names if child in _CONTROLS), None)


def follows(envelope: Envelope) -> bool:
    """Automatic following is asked for."""
    return any(child.name.lower() == FOLLOWING for child in envelope.element.children)


def payload(element: Element) -> list[Element]:
    """What stands after CmdType, SN and DeviceID."""
    return [child for child in element.children if child.name.lower() not in _FRAME]


def refusal(cmd_type: str) -> list[Element]:
    """The content of an answer that says no, or that there is nothing: the same for absent and not shared (§13.1)."""
    name = cmd_type.strip().lower()
    if name == "recordinfo":
        return [leaf("Name", ""), leaf("SumNum", 0)]
    holder = _LISTS.get(name)
    if holder is not None:
        return [leaf("SumNum", 0), Element(holder, "", [], {"Num": "0"})]
    if name in {"homepositionquery", "cruisetrackquery", "ptzposition"}:
        return []
    return [leaf("Result", "ERROR")]


def renamed(element: Element, codes: Mapping[str, str]) -> Element:
    """A copy in which device codes are the upper's: wherever a DeviceID stands."""
    text = codes.get(element.text, element.text) if element.name.lower() == "deviceid" else element.text
    children = [renamed(child, codes) for child in element.children]
    return Element(element.name, text, children, dict(element.attributes))


def records(contents: Sequence[Sequence[Element]]) -> tuple[str, list[Element]]:
    """All items of a record search, distinct, and the name that was given (§7.6)."""
    name = ""
    found: dict[tuple[str | None, ...], Element] = {}
    for elements in contents:
        for element in elements:
            if element.name.lower() == "name":
                name = name or element.text
            elif element.name.lower() == "recordlist":
                for item in element.all("Item"):
                    key = tuple(item.get(part) for part in ("DeviceID", "StartTime", "EndTime", "FilePath"))
                    found.setdefault(key, item)
    return name, list(found.values())
