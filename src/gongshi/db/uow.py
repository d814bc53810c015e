"""The unit of work: one transaction, who acts in it, and what it tells the others."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

ActorKind = Literal["person", "service", "upper", "peer", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does it, as the log will name them; ids only, names as they were at that moment."""

    kind: ActorKind
    id: int | None = None
    name: str = ""
    organisation_id: int | None = None
    organisation_name: str = ""
    address: str | None = None


SYSTEM = Actor("system", name="system")


class UnitOfWork:
    """Handed to services. Nobody but the door commits; callbacks run after the commit only."""

    def __init__(self, session: AsyncSession, actor: Actor, request_id: str | None = None) -> None:
        self.session = session
        self.actor = actor
        self.request_id = request_id
        self._before: dict[str, Callable[[], Awaitable[None]]] = {}
        self._after: list[Callable[[], Awaitable[None]]] = []

    def before_commit(self, key: str, callback: Callable[[], Awaitable[None]]) -> None:
        """Run once, last thing in this transaction, however often it was asked for under `key`.

        For short locks that everybody takes (the rights epoch): taken last, they are held for a moment only.
        """
        self._before.setdefault(key, callback)

    def after_commit(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Run something that must not happen when the transaction fails (network calls, notifications)."""
        self._after.append(callback)

    async def committing(self) -> None:
        """Run what waits for the end of the transaction; called by `Database.unit`."""
        for callback in self._before.values():
            await callback()

    async def committed(self) -> None:
        """Run the callbacks; called by `Database.unit` once the commit is through."""
        for callback in self._after:
            await callback()
