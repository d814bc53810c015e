"""Logging in and out, passwords and accounts: the rules. The door commits, also when the answer is a refusal."""

import hashlib
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from gongshi.audit.service import record
from gongshi.db import Actor, UnitOfWork
from gongshi.identity import passwords, repository, tokens
from gongshi.identity.models import Account, Login
from gongshi.identity.repository import Member
from gongshi.identity.roles import ADMINISTRATORS, KINDS, ROLES, conflict, givable
from gongshi.kit import clock, ids
from gongshi.kit.errors import BadRequest, Conflict, FieldError, Forbidden, Invalid, NotFound, Problem, TooManyRequests
from gongshi.kit.i18n import Text

MAX_FAILURES: Final = 5
LOCK: Final = timedelta(minutes=5)
ADDRESS_FAILURES: Final = 30
"""Failures from one address within ADDRESS_WINDOW; an agency behind one address has many honest typing errors."""
ADDRESS_WINDOW: Final = timedelta(minutes=10)
_KEEP_ATTEMPTS: Final = timedelta(days=30)
_USERNAME: Final = re.compile(r"[a-z][a-z0-9._-]{1,31}")
_MAX_NAME: Final = 64


class BadCredentials(Problem):
    """The same for a wrong password, an unknown name and a disabled account."""

    status, code, title = 401, "bad_credentials", Text("用户名或密码不正确", "Wrong username or password")


class Locked(TooManyRequests):
    code, title = "locked", Text("登录失败次数过多，账号已暂时锁定", "Too many failed logins; locked for a while")


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A new login: the token is shown this once."""

    token: str
    login: Login
    member: Member


def normal_username(text: str) -> str:
    """Names are compared in one spelling: full-width letters and capitals do not make another person."""
    return unicodedata.normalize("NFKC", text).strip().lower()[:_MAX_NAME]


async def log_in(
    uow: UnitOfWork, *, username: str, password: str, address: str | None, user_agent: str | None
) -> LoggedIn | Problem:
    """Check a password and open a login. A refusal is *returned*: its record must be committed with it.

    Five failures lock an account for five minutes and thirty from one address within ten minutes turn that address
    away, both kept in the database, so that a restart forgives nothing. A name without an account meets the same
    answers after the same time, lock included.
    """
    name = normal_username(username)
    at = clock.now()
    if address is not None:
        refusal = await _address_refusal(uow, address, at)
        if refusal is not None:
            return refusal
    member = await repository.member_by_username(uow.session, name, lock=True)
    until = await _locked_until(uow, member, name)
    if until is not None and until > at:
        return _locked(until, at)
    account = None if member is None else member.account
    if account is not None and account.locked_until is not None:
        account.failed_count, account.locked_until = 0, None
    fits = await passwords.verify(password, account.password_hash if account else None)
    if not fits or member is None or account is None or account.disabled_at is not None:
        return await _failed(uow, member, name, address, at)
    account.failed_count, account.locked_until, account.last_login_at = 0, None, at
    if passwords.needs_rehash(account.password_hash):
        account.password_hash = await passwords.hash_password(password)
    uow.actor = actor_of(member, address)
    return await open_login(uow, member, address=address, user_agent=user_agent)


async def open_login(
    uow: UnitOfWork, member: Member, *, address: str | None = None, user_agent: str | None = None
) -> LoggedIn:
    """A login for somebody whose identity is proved."""
    at = clock.now()
    token = tokens.new_token()
    login = Login(
        id=ids.new_id(),
        account_id=member.account.id,
        token_hash=tokens.token_hash(token),
        created_at=at,
        seen_at=at,
        expires_at=at + tokens.LIFETIME,
        address=address,
        user_agent=(user_agent or "")[:300] or None,
    )
    await repository.add_login(uow.session, login)
    await record(uow, "identity.login.succeeded", object_kind="account", object_id=member.account.id)
    return LoggedIn(token, login, member)


async def log_out(uow: UnitOfWork, account_id: int, login_id: UUID) -> None:
    """End one login of an account; NotFound when it is not in force."""
    ended = await repository.end_logins(uow.session, account_id, clock.now(), only=login_id)
    if not ended:
        raise NotFound
    await record(uow, "identity.login.ended", object_kind="account", object_id=account_id)


def actor_of(member: Member, address: str | None = None) -> Actor:
    """A person as the log names them."""
    return Actor(
        kind="person",
        id=member.account.id,
        name=member.account.display_name,
        organisation_id=member.organisation.id,
        organisation_name=member.organisation.name,
        address=address,
    )


async def _address_refusal(uow: UnitOfWork, address: str, at: datetime) -> Problem | None:
    count, first = await repository.attempts_from(uow.session, address, at - ADDRESS_WINDOW)
    if count < ADDRESS_FAILURES or first is None:
        return None
    seconds = max(1, int((first + ADDRESS_WINDOW - at).total_seconds()))
    return TooManyRequests(
        Text(
            "此地址登录失败次数过多，请 {minutes} 分钟后再试",
            "Too many failed logins from this address; try again in {minutes} minutes",
        ).format(minutes=-(-seconds // 60)),
        code="too_many_attempts",
        headers={"Retry-After": str(seconds)},
    )


async def _locked_until(uow: UnitOfWork, member: Member | None, name: str) -> datetime | None:
    if member is not None:
        return member.account.locked_until
    count, last = await repository.attempts_at(uow.session, _unknown(name))
    if count and count % MAX_FAILURES == 0 and last is not None:
        return last + LOCK
    return None


def _locked(until: datetime, at: datetime) -> Locked:
    seconds = max(1, int((until - at).total_seconds()))
    return Locked(
        Text(
            "登录失败次数过多，账号锁定至 {until:%H:%M:%S}，请届时再试，或请系统管理员重置密码",
            "Too many failed logins: locked until {until:%H:%M:%S}. Try again then, or ask for a new password",
        ).format(until=clock.local(until)),
        headers={"Retry-After": str(seconds)},
    )


async def _failed(uow: UnitOfWork, member: Member | None, name: str, address: str | None, at: datetime) -> Problem:
    await repository.add_attempt(uow.session, name if member else _unknown(name), address, at)
    await repository.forget_attempts(uow.session, at - _KEEP_ATTEMPTS)
    if member is None:
        # What was typed may be a password in the wrong field: it is not written anywhere.
        await record(uow, "identity.login.failed", detail={"unknown": True})
        count, _ = await repository.attempts_at(uow.session, _unknown(name))
        return _locked(at + LOCK, at) if count % MAX_FAILURES == 0 else BadCredentials()
    account = member.account
    account.failed_count += 1
    locked = account.failed_count >= MAX_FAILURES
    if locked:
        account.locked_until = at + LOCK
    uow.actor = Actor(
        kind="person",
        id=None,
        name=account.username,
        organisation_id=account.organisation_id,
        organisation_name=member.organisation.name,
        address=address,
    )
    await record(
        uow,
        "identity.login.failed",
        object_kind="account",
        object_id=account.id,
        detail={"username": account.username, "failures": account.failed_count},
    )
    if locked:
        await record(
            uow,
            "identity.account.locked",
            object_kind="account",
            object_id=account.id,
            detail={"username": account.username, "until": at + LOCK},
        )
    return _locked(at + LOCK, at) if locked else BadCredentials()


def _unknown(name: str) -> str:
    return "?" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]


async def change_password(uow: UnitOfWork, account_id: int, login_id: UUID, *, old: str, new: str) -> Problem | None:
    """Change one's own password; other logins end. A wrong old password counts like a failed login."""
    member = await repository.member_by_id(uow.session, account_id, lock=True)
    if member is None:
        raise NotFound
    account, at = member.account, clock.now()
    if account.locked_until is not None and account.locked_until > at:
        return _locked(account.locked_until, at)
    if not await passwords.verify(old, account.password_hash):
        actor = uow.actor
        problem = await _failed(uow, member, account.username, actor.address, at)
        return problem if isinstance(problem, Locked) else _wrong_old()
    if old == new:
        message = Text("新密码不能与旧密码相同", "The new password must differ from the old one")
        raise Invalid(errors=[FieldError("new", "same", message)])
    passwords.check_rules(new, account.username)
    await _set_password(account, new, must_change=False)
    await repository.end_logins(uow.session, account_id, at, keep=login_id)
    await record(uow, "identity.password.changed", object_kind="account", object_id=account_id)
    return None


def _wrong_old() -> Invalid:
    return Invalid(errors=[FieldError("old", "wrong", Text("旧密码不正确", "The old password is wrong"))])


async def _set_password(account: Account, password: str, *, must_change: bool) -> None:
    account.password_hash = await passwords.hash_password(password)
    account.password_changed_at = clock.now()
    account.must_change = must_change
    account.failed_count, account.locked_until = 0, None


async def create_account(
    uow: UnitOfWork,
    *,
    username: str,
    display_name: str,
    organisation: str | int,
    roles: Collection[str],
    by: Collection[str] | None,
    password: str | None = None,
    demo: bool = False,
) -> tuple[Member, str]:
    """Open an account with a one-time password; returns it and the password, which is shown this once.

    `by` are the roles of whoever does it; None is the node itself (command line, demo), which may give any role.
    """
    name = normal_username(username)
    if not _USERNAME.fullmatch(name):
        message = Text(
            "用户名为 2 至 32 位小写字母、数字、点、横线或下划线，以字母开头",
            "A username has 2 to 32 lower-case letters, digits, dots, dashes or underscores and begins with a letter",
        )
        raise Invalid(errors=[FieldError("username", "shape", message)])
    unit = await repository.organisation(uow.session, organisation)
    if unit is None or not unit.active:
        message = Text("没有这个单位", "There is no such organisation")
        raise Invalid(errors=[FieldError("organisation", "unknown", message)])
    wanted = frozenset(roles)
    _check_roles(wanted, unit.kind, frozenset(), by)
    if await repository.member_by_username(uow.session, name) is not None:
        raise Conflict(
            Text("用户名 {name} 已被使用，请换一个", "The username {name} is taken; choose another").format(name=name),
            code="username_taken",
        )
    if password is None:
        password = passwords.one_time_password()
    else:
        passwords.check_rules(password, name, field="password")
    account = Account(
        username=name,
        display_name=_display_name(display_name),
        organisation_id=unit.id,
        password_hash=await passwords.hash_password(password),
        must_change=not demo,
        demo=demo,
    )
    await repository.add_account(uow.session, account, wanted)
    await record(
        uow,
        "identity.account.created",
        object_kind="account",
        object_id=account.id,
        detail={"username": name, "organisation": unit.name, "roles": sorted(wanted)},
    )
    return Member(account, unit, wanted), password


async def change_account(
    uow: UnitOfWork,
    account_id: int,
    *,
    by: Collection[str],
    display_name: str | None = None,
    roles: Collection[str] | None = None,
    disabled: bool | None = None,
) -> Member:
    """Change a name, the roles, or close and reopen an account; its logins end when it loses anything."""
    member = await _reachable(uow, account_id, by)
    account, at = member.account, clock.now()
    held = member.roles
    changes: dict[str, object] = {}
    if display_name is not None and (name := _display_name(display_name)) != account.display_name:
        changes["display_name"] = name
        account.display_name = name
    if roles is not None and frozenset(roles) != held:
        wanted = frozenset(roles)
        _check_roles(wanted, member.organisation.kind, held, by)
        await _keep_one(uow, held - wanted)
        await repository.set_roles(uow.session, account.id, wanted)
        changes["roles"] = {"before": sorted(held), "after": sorted(wanted)}
        member = Member(account, member.organisation, wanted)
    if disabled is not None and disabled != (account.disabled_at is not None):
        if disabled:
            await _keep_one(uow, held)
        account.disabled_at = at if disabled else None
        changes["disabled"] = disabled
    if changes:
        account.version += 1
        await uow.session.flush()
        if held - member.roles or disabled:
            await repository.end_logins(uow.session, account.id, at)
        await record(
            uow,
            "identity.account.changed",
            object_kind="account",
            object_id=account.id,
            detail={"username": account.username, **changes},
        )
    return member


async def reset_password(uow: UnitOfWork, account_id: int, *, by: Collection[str] | None) -> str:
    """Give a new one-time password and end all logins; the lock is lifted. `by` as in `create_account`."""
    member = await _reachable(uow, account_id, by)
    password = passwords.one_time_password()
    await _set_password(member.account, password, must_change=True)
    member.account.version += 1
    await repository.end_logins(uow.session, account_id, clock.now())
    await record(
        uow,
        "identity.password.reset",
        object_kind="account",
        object_id=account_id,
        detail={"username": member.account.username},
    )
    return password


def may_change(by: Collection[str], actor_id: int | None, member: Member) -> bool:
    """Whether someone with the roles `by` may touch this account.

    Never their own, and only if they could have given every role that it has.
    """
    reach = givable(by)
    return bool(reach) and actor_id != member.account.id and member.roles <= reach


async def _reachable(uow: UnitOfWork, account_id: int, by: Collection[str] | None) -> Member:
    member = await repository.member_by_id(uow.session, account_id, lock=True)
    if member is None:
        raise NotFound
    if by is None:
        return member
    if uow.actor.kind == "person" and uow.actor.id == account_id:
        raise Forbidden(
            Text(
                "不能修改自己的账号，请由另一位管理员办理",
                "You cannot change your own account; ask another administrator",
            ),
            code="own_account",
        )
    if not may_change(by, uow.actor.id, member):
        raise Forbidden(
            Text(
                "此账号的角色由另一类管理员管理（系统、安全、审计三员分立）",
                "Accounts with these roles belong to another administrator: system, security and audit are apart",
            ),
            code="other_administrator",
        )
    return member


def _check_roles(wanted: frozenset[str], kind: str, held: frozenset[str], by: Collection[str] | None) -> None:
    errors: list[FieldError] = []

    def refuse(code: str, message: Text) -> None:
        errors.append(FieldError("roles", code, message))

    unknown = wanted - ROLES.keys()
    if unknown:
        raise BadRequest(
            Text("没有名为 {role} 的角色", "There is no role {role}").format(role=min(unknown)[:32]),
            code="unknown_role",
        )
    if by is not None:
        for role in sorted((wanted ^ held) - givable(by)):
            refuse(
                "not_yours",
                Text(
                    "“{zh}”由另一类管理员授予或收回",
                    "“{en}” is given and taken by another administrator",
                ).format(zh=ROLES[role].zh, en=ROLES[role].en),
            )
    if conflict(wanted):
        refuse(
            "conflict",
            Text(
                "系统、安全、审计管理员与审计员必须由不同的人担任，且不得兼任业务角色",
                "Administrators and auditors are different people, and have no business role besides",
            ),
        )
    for role in sorted(wanted):
        if role in KINDS and kind not in KINDS[role]:
            refuse(
                "wrong_organisation",
                Text("此单位不能有“{zh}”", "This organisation cannot have the role “{en}”").format(
                    zh=ROLES[role].zh, en=ROLES[role].en
                ),
            )
    if errors:
        raise Invalid(errors=errors)


async def _keep_one(uow: UnitOfWork, leaving: frozenset[str]) -> None:
    """Nobody may close the last administrator of a kind: the node could not be managed any more."""
    for role in sorted(leaving & ADMINISTRATORS):
        if await repository.count_enabled(uow.session, role) <= 1:
            raise Conflict(
                Text("这是最后一位{zh}，请先设立另一位", "This is the last {en}; appoint another first").format(
                    zh=ROLES[role].zh, en=ROLES[role].en.lower()
                ),
                code="last_administrator",
            )


def _display_name(text: str) -> str:
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not name or len(name) > _MAX_NAME or any(unicodedata.category(c) in {"Cc", "Cf", "Cs"} for c in name):
        message = Text("姓名为 1 至 64 个字，不含控制字符", "A name has 1 to 64 characters and no control characters")
        raise Invalid(errors=[FieldError("display_name", "shape", message)])
    return name
