"""What the registry's pages need from rooms above it; the node hands these in (design.md §3)."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.kit.i18n import Lang, Text
from gongshi.registry.models import Camera


class Presence(Protocol):
    """Which cameras answer at the moment; signalling knows."""

    async def online(self, session: AsyncSession, camera_ids: Collection[int]) -> Mapping[int, bool]:
        """By camera id; an id that is absent was never seen."""
        ...

    async def online_count(self, session: AsyncSession) -> int:
        """How many cameras of the registry are online."""
        ...


Section = Callable[[AsyncSession, Camera, Any, Lang], Awaitable[dict[str, Any] | None]]
"""`(session, camera, subject, language) -> content`, None when there is nothing to show to this subject."""


class Sections:
    """Parts of the camera page that other rooms fill: `seen` (signalling), `decided` (sharing) and more."""

    def __init__(self) -> None:
        self._providers: dict[str, Section] = {}

    def register(self, name: str, provider: Section) -> None:
        """Called by the node when it assembles the application."""
        self._providers[name] = provider

    async def of(self, session: AsyncSession, camera: Camera, subject: Any, lang: Lang) -> dict[str, Any]:
        """Every section's content, one after the other on one session."""
        return {name: await provider(session, camera, subject, lang) for name, provider in self._providers.items()}


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the overview and the list behind it."""

    key: str
    label: Text
    value: float
    link: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for this person."""

    key: str
    label: Text
    count: int
    link: str
    deadline: str | None = None


@dataclass(slots=True)
class Overview:
    """What one room says on the first page."""

    figures: list[Figure] = field(default_factory=list[Figure])
    needs: list[Need] = field(default_factory=list[Need])
    online_by_region: Mapping[str, int] = field(default_factory=dict[str, int])


class OverviewProvider(Protocol):
    """A room's part of the first page, for one subject."""

    async def __call__(self, session: AsyncSession, subject: Any) -> Overview: ...
