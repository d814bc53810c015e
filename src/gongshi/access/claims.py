"""The claim of an `Idempotency-Key`, taken in the transaction that makes what was posted."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access import repository
from gongshi.kit import clock

KEEP: Final = timedelta(days=1)
"""How long a key and its answer are remembered."""


class ClaimedError(Exception):
    """The same post arrived twice at once, and the other one was first."""


@dataclass(slots=True)
class Claim:
    """A key about to be used; `made` once a transaction holds it."""

    account_id: int
    key: str
    digest: bytes
    made: bool = False

    async def take(self, session: AsyncSession) -> None:
        """Claim the key in this transaction, once however many the route opens."""
        if self.made:
            return
        await repository.forget_keys(session, self.account_id, clock.now() - KEEP)
        if not await repository.claim_key(session, self.account_id, self.key, self.digest):
            raise ClaimedError
        self.made = True
