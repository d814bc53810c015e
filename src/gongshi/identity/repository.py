"""All SQL of the identity room."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.identity.models import Account, AccountRole, Attempt, Login
from gongshi.registry.models import Organisation


@dataclass(frozen=True, slots=True)
class Member:
    """An account with its organisation and roles."""

    account: Account
    organisation: Organisation
    roles: frozenset[str]


@dataclass(frozen=True, slots=True)
class LiveLogin:
    """A login in force and whose it is."""

    id: UUID
    expires_at: datetime
    seen_at: datetime
    member: Member


def _roles() -> ScalarSelect[Any]:
    return (
        select(func.array_agg(AccountRole.role))
        .where(AccountRole.account_id == Account.id)
        .correlate(Account)
        .scalar_subquery()
    )


def _members() -> Select[Account, Organisation, list[str] | None]:
    return select(Account, Organisation, _roles()).join(Organisation, Organisation.id == Account.organisation_id)


def _member(row: Sequence[Any]) -> Member:
    return Member(row[0], row[1], frozenset(row[2] or ()))


async def login_by_hash(session: AsyncSession, token_hash: bytes, at: datetime) -> LiveLogin | None:
    """The login in force with this token's hash, of an account that is not disabled."""
    row = (
        await session.execute(
            select(Account, Organisation, _roles(), Login.id, Login.expires_at, Login.seen_at)
            .join(Organisation, Organisation.id == Account.organisation_id)
            .join(Login, Login.account_id == Account.id)
            .where(
                Login.token_hash == token_hash,
                Login.ended_at.is_(None),
                Login.expires_at > at,
                Account.disabled_at.is_(None),
            )
        )
    ).one_or_none()
    return None if row is None else LiveLogin(row[3], row[4], row[5], _member(row))


async def member_by_username(session: AsyncSession, username: str, *, lock: bool = False) -> Member | None:
    """The account of a name; with `lock` its row is held, so that guesses at one account come one by one."""
    query = _members().where(Account.username == username)
    row = (await session.execute(query.with_for_update(of=Account) if lock else query)).one_or_none()
    return None if row is None else _member(row)


async def member_by_id(session: AsyncSession, account_id: int, *, lock: bool = False) -> Member | None:
    query = _members().where(Account.id == account_id)
    row = (await session.execute(query.with_for_update(of=Account) if lock else query)).one_or_none()
    return None if row is None else _member(row)


async def members(
    session: AsyncSession,
    *,
    organisation_id: int | None = None,
    text: str | None = None,
    after: tuple[str, int] | None = None,
    limit: int,
) -> list[Member]:
    """Accounts by name, `limit` of them after a (username, id)."""
    query = _members().order_by(Account.username, Account.id).limit(limit)
    if organisation_id is not None:
        query = query.where(Account.organisation_id == organisation_id)
    if text:
        pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        query = query.where(
            or_(
                Account.username.ilike(pattern, escape="\\"),
                Account.display_name.ilike(pattern, escape="\\"),
                Organisation.name.ilike(pattern, escape="\\"),
            )
        )
    if after is not None:
        query = query.where(or_(Account.username > after[0], (Account.username == after[0]) & (Account.id > after[1])))
    return [_member(row) for row in await session.execute(query)]


async def organisation(session: AsyncSession, code_or_id: str | int) -> Organisation | None:
    """By short key (`emergency`) or by number."""
    text = str(code_or_id)
    if text.isascii() and text.isdigit() and int(text) < 2**31:
        return await session.get(Organisation, int(text))
    return await session.scalar(select(Organisation).where(Organisation.code == text))


async def add_account(session: AsyncSession, account: Account, roles: Collection[str]) -> Account:
    session.add(account)
    await session.flush()
    await set_roles(session, account.id, roles)
    return account


async def set_roles(session: AsyncSession, account_id: int, roles: Collection[str]) -> None:
    """Make these the account's roles."""
    await session.execute(delete(AccountRole).where(AccountRole.account_id == account_id))
    if roles:
        await session.execute(insert(AccountRole), [{"account_id": account_id, "role": role} for role in sorted(roles)])


async def count_enabled(session: AsyncSession, role: str) -> int:
    """How many accounts that are not disabled hold a role."""
    return (
        await session.scalar(
            select(func.count())
            .select_from(AccountRole)
            .join(Account, Account.id == AccountRole.account_id)
            .where(AccountRole.role == role, Account.disabled_at.is_(None))
        )
        or 0
    )


async def add_attempt(session: AsyncSession, username: str, address: str | None, at: datetime) -> None:
    await session.execute(insert(Attempt).values(at=at, username=username, address=address))


async def attempts_from(session: AsyncSession, address: str, since: datetime) -> tuple[int, datetime | None]:
    """How many failures came from an address since a moment, and when the first of them was."""
    row = (
        await session.execute(
            select(func.count(), func.min(Attempt.at)).where(Attempt.address == address, Attempt.at > since)
        )
    ).one()
    return row[0], row[1]


async def attempts_at(session: AsyncSession, username: str) -> tuple[int, datetime | None]:
    """How many failures are on record for a name, and when the last was."""
    row = (await session.execute(select(func.count(), func.max(Attempt.at)).where(Attempt.username == username))).one()
    return row[0], row[1]


async def forget_attempts(session: AsyncSession, before: datetime) -> None:
    await session.execute(delete(Attempt).where(Attempt.at < before))


async def add_login(session: AsyncSession, login: Login) -> None:
    session.add(login)
    await session.flush()


async def logins_of(session: AsyncSession, account_id: int, at: datetime) -> Sequence[Login]:
    """The logins in force of an account, newest first."""
    rows = await session.scalars(
        select(Login)
        .where(Login.account_id == account_id, Login.ended_at.is_(None), Login.expires_at > at)
        .order_by(Login.created_at.desc())
    )
    return rows.all()


async def touch_login(session: AsyncSession, login_id: UUID, at: datetime) -> None:
    await session.execute(update(Login).where(Login.id == login_id).values(seen_at=at))


async def end_logins(
    session: AsyncSession,
    account_id: int,
    at: datetime,
    *,
    only: UUID | None = None,
    keep: UUID | None = None,
) -> list[UUID]:
    """End an account's logins: all, `only` one, or all but the one to `keep`; returns those that ended now."""
    statement = update(Login).where(Login.account_id == account_id, Login.ended_at.is_(None), Login.expires_at > at)
    if only is not None:
        statement = statement.where(Login.id == only)
    if keep is not None:
        statement = statement.where(Login.id != keep)
    return list(await session.scalars(statement.values(ended_at=at).returning(Login.id)))
