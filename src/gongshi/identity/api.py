"""Routes of identity: logging in and out, one's own account, accounts of others."""

from typing import Annotated
from uuid import UUID

from fastapi import Query, Response

from gongshi.access.caller import subject_of
from gongshi.access.door import (
    COOKIE,
    PUBLIC,
    SIGNED_IN,
    Caller,
    CallerContext,
    Door,
    ObjectId,
    check_version,
    etag,
)
from gongshi.access.permissions import permissions_of
from gongshi.config import Settings
from gongshi.identity import repository, service, tokens
from gongshi.identity.repository import LiveLogin, Member
from gongshi.identity.roles import ROLES, givable
from gongshi.identity.schemas import (
    AccountIn,
    AccountOut,
    AccountPatch,
    AccountsOut,
    LoginIn,
    LoginOut,
    LoginsOut,
    MeOut,
    NewAccountOut,
    NewPasswordOut,
    PasswordIn,
    RoleOut,
    account_out,
    login_info,
    me_out,
)
from gongshi.kit import clock
from gongshi.kit.errors import Problem, Unauthenticated
from gongshi.kit.paging import MAX_LIMIT, decode_cursor, encode_cursor

door = Door(prefix="/api/v1", tag="identity")


def _secure(caller: CallerContext) -> bool:
    """Plain HTTP on loopback is what the demo and a bare node speak; behind TLS the node is told so."""
    settings: Settings | None = getattr(caller.state, "settings", None)
    return caller.request.url.scheme == "https" or (settings is not None and settings.web.secure_cookie)


def _set_cookie(caller: CallerContext, response: Response, token: str) -> None:
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(tokens.LIFETIME.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=_secure(caller),
        path="/",
    )


def _me(login: LiveLogin, caller: CallerContext) -> MeOut:
    return me_out(login.member, permissions_of(subject_of(login)), caller.lang)


def _login(caller: CallerContext) -> LiveLogin:
    if caller.login is None:
        raise Unauthenticated
    return caller.login


@door.post("/login", permission=PUBLIC, summary="Log in with username and password")
async def log_in(body: LoginIn, caller: Caller, response: Response) -> LoginOut:
    async with caller.unit() as uow:
        outcome = await service.log_in(
            uow,
            username=body.username,
            password=body.password.get_secret_value(),
            address=caller.address,
            user_agent=caller.request.headers.get("user-agent"),
        )
    # Raised only now: the failure and the lock had to be committed first.
    if isinstance(outcome, Problem):
        raise outcome
    _set_cookie(caller, response, outcome.token)
    response.headers["Cache-Control"] = "no-store"
    login = LiveLogin(outcome.login.id, outcome.login.expires_at, outcome.login.seen_at, outcome.member)
    return LoginOut(token=outcome.token, expires_at=clock.local(login.expires_at), account=_me(login, caller))


@door.post("/logout", permission=SIGNED_IN, while_must_change=True, status_code=204, summary="End this login")
async def log_out(caller: Caller, response: Response) -> None:
    async with caller.unit() as uow:
        await service.log_out(uow, caller.subject.id, _login(caller).id)
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


@door.get("/me", permission=SIGNED_IN, while_must_change=True, summary="Who am I and what may I do")
async def me(caller: Caller) -> MeOut:
    return _me(_login(caller), caller)


@door.post(
    "/me/password",
    permission=SIGNED_IN,
    while_must_change=True,
    status_code=204,
    summary="Change one's own password; one's other logins end",
)
async def change_password(body: PasswordIn, caller: Caller) -> None:
    async with caller.unit() as uow:
        refusal = await service.change_password(
            uow,
            caller.subject.id,
            _login(caller).id,
            old=body.old.get_secret_value(),
            new=body.new.get_secret_value(),
        )
    if refusal is not None:
        raise refusal


@door.get("/me/logins", permission=SIGNED_IN, summary="One's own logins in force")
async def my_logins(caller: Caller) -> LoginsOut:
    async with caller.read() as session:
        rows = await repository.logins_of(session, caller.subject.id, clock.now())
    return LoginsOut(items=[login_info(row, caller.subject.login_id) for row in rows])


@door.delete("/me/logins/{login_id}", permission=SIGNED_IN, status_code=204, summary="End one of one's own logins")
async def end_my_login(login_id: UUID, caller: Caller) -> None:
    async with caller.unit() as uow:
        await service.log_out(uow, caller.subject.id, login_id)


@door.get("/roles", permission="identity.account.see", summary="Roles, and which of them the caller may give")
async def roles(caller: Caller) -> list[RoleOut]:
    mine = givable(caller.subject.roles)
    return [RoleOut(code=code, name=name.pick(caller.lang), givable=code in mine) for code, name in ROLES.items()]


def _account(caller: CallerContext, member: Member) -> AccountOut:
    actions: list[str] = []
    if service.may_change(caller.subject.roles, caller.subject.id, member):
        actions = ["change", "disable" if member.account.disabled_at is None else "enable", "reset_password"]
    return account_out(member, actions)


@door.get("/accounts", permission="identity.account.see", summary="Accounts by username")
async def accounts(
    caller: Caller,
    organisation: Annotated[str | None, Query(max_length=64, description="Short key or number")] = None,
    q: Annotated[str | None, Query(max_length=64, description="Part of a name")] = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> AccountsOut:
    after = None
    if cursor:
        keys = decode_cursor(cursor, [str, int])
        after = (str(keys[0]), int(keys[1]))
    async with caller.read() as session:
        unit_id = None
        if organisation:
            unit = await repository.organisation(session, organisation)
            if unit is None:
                return AccountsOut(items=[], next_cursor=None)
            unit_id = unit.id
        found = await repository.members(session, organisation_id=unit_id, text=q, after=after, limit=limit + 1)
    shown = found[:limit]
    following = None
    if len(found) > limit:
        last = shown[-1].account
        following = encode_cursor(last.username, last.id)
    return AccountsOut(items=[_account(caller, member) for member in shown], next_cursor=following)


@door.post(
    "/accounts",
    permission="identity.account.create",
    status_code=201,
    idempotent=True,
    summary="Open an account; the answer shows its one-time password once",
)
async def create_account(body: AccountIn, caller: Caller, response: Response) -> NewAccountOut:
    async with caller.unit() as uow:
        member, password = await service.create_account(
            uow,
            username=body.username,
            display_name=body.display_name,
            organisation=body.organisation,
            roles=body.roles,
            by=caller.subject.roles,
        )
    response.headers["Cache-Control"] = "no-store"
    response.headers["ETag"] = etag(member.account.version)
    return NewAccountOut(account=_account(caller, member), password=password)


@door.patch(
    "/accounts/{account_id}",
    permission="identity.account.change",
    versioned=True,
    summary="Change, close or reopen an account",
)
async def change_account(account_id: ObjectId, body: AccountPatch, caller: Caller, response: Response) -> AccountOut:
    async with caller.unit() as uow:
        present = await repository.member_by_id(uow.session, account_id, lock=True)
        if present is not None:
            check_version(caller, present.account.version)
        member = await service.change_account(
            uow,
            account_id,
            by=caller.subject.roles,
            display_name=body.display_name,
            roles=body.roles,
            disabled=body.disabled,
        )
    response.headers["ETag"] = etag(member.account.version)
    return _account(caller, member)


@door.post(
    "/accounts/{account_id}/reset-password",
    permission="identity.account.change",
    summary="Give an account a new one-time password and end its logins",
)
async def reset_password(account_id: ObjectId, caller: Caller, response: Response) -> NewPasswordOut:
    async with caller.unit() as uow:
        password = await service.reset_password(uow, account_id, by=caller.subject.roles)
    response.headers["Cache-Control"] = "no-store"
    return NewPasswordOut(password=password)
