"""What the command line does with accounts: the first one of a new node, and a lost password."""

from collections.abc import Sequence

from sqlalchemy import select

from gongshi.db.engine import Database
from gongshi.identity import service
from gongshi.identity.models import Account, AccountRole
from gongshi.kit.errors import NotFound
from gongshi.kit.i18n import Text
from gongshi.node.duties import give_duties
from gongshi.node.runtime import Runtime
from gongshi.node.serve import reachable_database
from gongshi.registry.models import Organisation
from gongshi.registry.seed import seed_city


async def seed(runtime: Runtime) -> str:
    """Regions, organisations and their duty rights; returns how many organisations stand there now."""
    with reachable_database(runtime):
        database = runtime.database()
        try:
            async with database.unit() as uow:
                organisations = await seed_city(uow)
                await give_duties(uow)
                return str(len(organisations))
        finally:
            await database.close()


async def add(runtime: Runtime, username: str, name: str, organisation: str, roles: Sequence[str]) -> str:
    """Open an account; returns its one-time password."""
    with reachable_database(runtime):
        database = runtime.database()
        try:
            async with database.unit() as uow:
                _, password = await service.create_account(
                    uow, username=username, display_name=name, organisation=organisation, roles=roles, by=None
                )
        finally:
            await database.close()
    return password


async def reset(runtime: Runtime, username: str) -> str:
    """A new one-time password; running logins of the account end."""
    with reachable_database(runtime):
        database = runtime.database()
        try:
            async with database.unit() as uow:
                number = await uow.session.scalar(select(Account.id).where(Account.username == username))
                if number is None:
                    raise NotFound(Text(f"没有账号 {username}", f"There is no account {username}"))
                return await service.reset_password(uow, number, by=None)
        finally:
            await database.close()


async def listing(runtime: Runtime) -> list[str]:
    """One line per account and role."""
    with reachable_database(runtime):
        database = runtime.database()
        try:
            return await _lines(database)
        finally:
            await database.close()


async def _lines(database: Database) -> list[str]:
    query = (
        select(Account.username, Account.display_name, Organisation.name, AccountRole.role)
        .join(Organisation, Organisation.id == Account.organisation_id)
        .join(AccountRole, AccountRole.account_id == Account.id)
        .order_by(Account.username, AccountRole.role)
    )
    async with database.read() as session:
        return ["\t".join(row) for row in (await session.execute(query)).all()]
