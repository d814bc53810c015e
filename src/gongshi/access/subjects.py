"""Who asks: a person, a service account or an upper platform of GB/T 28181 (design.md §6)."""

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from gongshi.db import Actor
from gongshi.identity.roles import BUSINESS

SubjectKind = Literal["person", "service", "upper"]
Key = tuple[str, int]
"""What a right is held by: (`organisation`, `person`, `service` or `upper`; id)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """The one who acts, as known at the moment of the request."""

    kind: SubjectKind
    id: int
    name: str
    organisation_id: int | None = None
    organisation_name: str = ""
    region_code: str = ""
    """GB/T 2260 code of the jurisdiction; a city's code covers its counties."""
    level: str = ""
    """`city` or `county`."""
    roles: frozenset[str] = frozenset()
    login_id: UUID | None = None

    _holders: tuple[Key, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Worked out once, since an agent decides about the same subject every few seconds.
        object.__setattr__(self, "_holders", self._keys())

    def holders(self) -> tuple[Key, ...]:
        """Those whose rights this subject may use; none for auditors and administrators (S-13)."""
        return self._holders

    def _keys(self) -> tuple[Key, ...]:
        if self.kind != "person":
            return ((self.kind, self.id),)
        if not self.roles or not self.roles <= BUSINESS:
            return ()
        if self.organisation_id is None:
            return (("person", self.id),)
        return (("organisation", self.organisation_id), ("person", self.id))

    @property
    def reads_catalogue(self) -> bool:
        """Whether the catalogue is open to it: people of an organisation, whatever their role."""
        return self.kind == "person" and self.organisation_id is not None

    def actor(self, address: str | None = None) -> Actor:
        """The same one as the log names it."""
        return Actor(
            kind=self.kind,
            id=self.id,
            name=self.name,
            organisation_id=self.organisation_id,
            organisation_name=self.organisation_name,
            address=address,
        )


def region_prefix(code: str) -> str:
    """The digits that the codes inside a region share: 341500 → `3415`, 341502 → `341502`; empty for nonsense.

    GB/T 2260 writes the level in pairs of digits and fills with `00`.
    """
    if not code.isascii() or not code.isdigit() or len(code) % 2:
        return ""
    while code.endswith("00"):
        code = code[:-2]
    return code


def within(region_code: str, jurisdiction: str) -> bool:
    """Whether a place's region lies in a jurisdiction; nonsense covers nothing."""
    prefix = region_prefix(jurisdiction)
    return bool(prefix) and region_code.startswith(prefix)
