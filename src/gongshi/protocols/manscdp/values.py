"""Small things that several messages read and write."""

from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.manscdp.element import Element
from gongshi.protocols.manscdp.envelope import Envelope


def sn_of(envelope: Envelope) -> int:
    """The SN. Raises RemoteProtocolError when it is missing."""
    if envelope.sn is None:
        raise RemoteProtocolError("SN is missing")
    return envelope.sn


def result_word(result: bool) -> str:
    """OK or ERROR."""
    return "OK" if result else "ERROR"


def read_result(element: Element) -> bool:
    """Result; those who leave it out in a good answer mean OK."""
    return (element.get("Result") or "OK").upper() == "OK"


def read_switch(text: str | None) -> bool | None:
    """On and off in every spelling seen: ON/OFF, 1/0, true/false; None for anything else."""
    word = (text or "").strip().upper()
    if word in {"ON", "1", "TRUE", "OK", "YES"}:
        return True
    return False if word in {"OFF", "0", "FALSE", "NO"} else None


def switch_word(value: bool | None) -> str | None:
    """ON or OFF."""
    return None if value is None else "ON" if value else "OFF"


def digit(value: bool | None) -> int | None:
    """1 or 0."""
    return None if value is None else int(value)


def items_of(holder: Element | None, name: str = "Item") -> list[Element]:
    """The entries of a list; none of no list."""
    return [] if holder is None else list(holder.all(name))


def counted(name: str, items: list[Element]) -> Element:
    """A list with its Num."""
    return Element(name, "", items, {"Num": str(len(items))})
