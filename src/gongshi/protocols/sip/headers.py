"""Header fields: an ordered multimap with the canonical spelling of each name.

Values are `str` made with UTF-8 and surrogate escapes, so that bytes in any other charset survive a copy into a
response unchanged; `readable` turns such a value into text for people.
"""

from collections.abc import Iterable, Iterator

from gongshi.protocols.errors import LocalProtocolError

_NAMES = (
    "Accept Accept-Contact Allow Allow-Events Authorization Call-ID Contact Content-Encoding Content-Length "
    "Content-Type CSeq Date Event Expires From Max-Forwards Min-Expires Monitor-User-Identity Note Proxy-Authenticate "
    "Proxy-Authorization Reason Record-Route Refer-To Require Retry-After Route Server Subject Subscription-State "
    "Supported To Unsupported User-Agent Via Warning WWW-Authenticate X-GB-Ver X-PreferredPath X-RoutePath"
)
_COMPACT = {
    "a": "Accept-Contact",
    "c": "Content-Type",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
}
_ALIASES = _COMPACT | {"expire": "Expires", "user_agent": "User-Agent"}
"""Compact forms, and the misprint `Expire` of GB/T 28181 subscriptions (gb28181.md §14)."""
_CANONICAL = {name.lower(): name for name in _NAMES.split()} | _ALIASES
_TOKEN = frozenset("!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~")


def canonical(name: str) -> str:
    """The usual spelling of a header name; unknown names keep theirs."""
    return _CANONICAL.get(name) or _CANONICAL.get(name.lower(), name)


def readable(value: str) -> str:
    """A header value as text for people: UTF-8, else GB 18030, else with replacement characters."""
    if value.isascii():
        return value
    raw = value.encode("utf-8", "surrogateescape")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("gb18030", "replace")


class Headers:
    """Ordered (name, value) pairs; look-ups ignore case and understand compact names."""

    __slots__ = ("_items",)

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items = [(canonical(name), value) for name, value in items]

    @classmethod
    def canonical_items(cls, items: list[tuple[str, str]]) -> "Headers":
        """Take over a list whose names are canonical already (the parser's path)."""
        made = cls.__new__(cls)
        made._items = items  # noqa: SLF001 -- an alternative constructor of this very class
        return made

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    __hash__ = None  # pyright: ignore[reportAssignmentType] -- mutable, so not hashable

    def __repr__(self) -> str:
        return f"Headers({[(n, '***' if 'uthoriz' in n else v) for n, v in self._items]!r})"

    def get(self, name: str) -> str | None:
        """The first value of `name`, or None."""
        wanted = canonical(name)
        low = wanted.lower()
        for key, value in self._items:
            if key == wanted or key.lower() == low:
                return value
        return None

    def all(self, name: str) -> list[str]:
        """Every value of `name` in order."""
        low = canonical(name).lower()
        return [value for key, value in self._items if key.lower() == low]

    def add(self, name: str, value: str) -> None:
        """Append a field."""
        self._items.append((canonical(name), value))

    def add_first(self, name: str, value: str) -> None:
        """Put a field before all others (a new Via, Route)."""
        self._items.insert(0, (canonical(name), value))

    def set(self, name: str, value: str) -> None:
        """Replace every field of that name by one, in the place of the first."""
        name = canonical(name)
        low = name.lower()
        at = next((i for i, (key, _) in enumerate(self._items) if key.lower() == low), len(self._items))
        self._items = [item for item in self._items if item[0].lower() != low]
        self._items.insert(at, (name, value))

    def replace_first(self, name: str, value: str) -> None:
        """Change the first field of that name and leave further ones (the top Via)."""
        low = canonical(name).lower()
        for i, (key, _) in enumerate(self._items):
            if key.lower() == low:
                self._items[i] = (key, value)
                return
        self.add_first(name, value)

    def remove(self, name: str) -> None:
        """Drop every field of that name."""
        low = canonical(name).lower()
        self._items = [item for item in self._items if item[0].lower() != low]

    def copy(self) -> "Headers":
        """An independent copy."""
        return Headers.canonical_items(list(self._items))

    def to_lines(self) -> bytes:
        """`Name: value` lines ending in CRLF. Raises LocalProtocolError for anything that would break the framing."""
        parts: list[str] = []
        for name, value in self._items:
            if not name or not _TOKEN.issuperset(name):
                raise LocalProtocolError(f"{name!r} is not a header name")
            if "\r" in value or "\n" in value or "\0" in value:
                raise LocalProtocolError(f"the value of {name} contains a line break or NUL")
            parts.append(f"{name}: {value}\r\n")
        return "".join(parts).encode("utf-8", "surrogateescape")
