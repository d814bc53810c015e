"""Who is calling, as a route sees it: proved by cookie or bearer token, with the database and the ports at hand."""

import re
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import State

from gongshi.access import permissions
from gongshi.access.claims import Claim
from gongshi.access.permissions import Permit, Thing
from gongshi.access.subjects import Subject
from gongshi.audit.service import record
from gongshi.db import Actor, Database, UnitOfWork
from gongshi.db.objects import Objects
from gongshi.identity import repository as identity
from gongshi.identity.repository import LiveLogin
from gongshi.identity.tokens import token_hash
from gongshi.kit import clock
from gongshi.kit.errors import Forbidden, NotFound, PreconditionFailed, Problem, Unauthenticated
from gongshi.kit.i18n import Lang, Text, language_of
from gongshi.kit.ids import new_id

COOKIE: Final = "gongshi_login"
LANGUAGE_COOKIE: Final = "gongshi_lang"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")
_SEEN_EVERY: Final = timedelta(minutes=1)
_DENIAL_PAUSE: Final = 60.0
"""Seconds in which the same refusal to the same login is written to the log once."""


class CallerContext:
    """One request's caller. Without a login only PUBLIC routes get one."""

    def __init__(self, request: Request, login: LiveLogin | None) -> None:
        self.request = request
        self.login = login
        self.request_id = request_id(request)
        self.lang: Lang = language(request)
        self.address = request.client.host if request.client else None
        self._subject = None if login is None else subject_of(login)
        self.denied: tuple[str, Thing | None] | None = None
        """The permission that the latest `permit` refused; the door writes it to the log."""
        self.claim: Claim | None = None
        """The `Idempotency-Key` that the next transaction takes with it."""

    @property
    def subject(self) -> Subject:
        """Who it is; Unauthenticated on a PUBLIC route without a login."""
        if self._subject is None:
            raise Unauthenticated
        return self._subject

    @property
    def signed_in(self) -> bool:
        return self._subject is not None

    @property
    def actor(self) -> Actor:
        """As the log names them; before the login nobody but an address."""
        if self._subject is None:
            return Actor("person", address=self.address)
        return self._subject.actor(self.address)

    @property
    def state(self) -> State:
        """The application's state, where the node puts the ports."""
        return self.request.app.state

    @property
    def database(self) -> Database:
        return self.request.app.state.database

    @property
    def objects(self) -> Objects:
        return self.request.app.state.objects

    @asynccontextmanager
    async def unit(self) -> AsyncGenerator[UnitOfWork]:
        """One transaction in the caller's name; commits at the end of the block."""
        async with self.database.unit(self.actor, self.request_id) as uow:
            if self.claim is not None:
                await self.claim.take(uow.session)
            yield uow

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncSession]:
        """A read-only transaction."""
        async with self.database.read() as session:
            yield session

    def permit(self, permission: str, obj: Thing | None = None) -> None:
        """Forbidden when it may not be done, NotFound when the caller may not even know of the object."""
        answer = self.permits(permission, obj)
        if answer.allowed:
            return
        self.denied = (permission, obj)
        raise Forbidden(answer.reason) if answer.known else NotFound()

    def permits(self, permission: str, obj: Thing | None = None) -> Permit:
        """The same as an answer, for `allowed_actions`."""
        return permissions.permit(self.subject, permission, obj)


def subject_of(login: LiveLogin) -> Subject:
    """The person behind a login."""
    account, unit = login.member.account, login.member.organisation
    return Subject(
        kind="person",
        id=account.id,
        name=account.display_name,
        organisation_id=unit.id,
        organisation_name=unit.name,
        region_code=unit.region_code,
        level=unit.level,
        roles=login.member.roles,
        login_id=login.id,
    )


def request_id(request: Request) -> str:
    """The request's id: the caller's `X-Request-Id` if it is well formed, else a new one; the same all the way."""
    known: str | None = getattr(request.state, "request_id", None)
    if known is None:
        sent = request.headers.get("x-request-id", "")
        known = sent if _REQUEST_ID.fullmatch(sent) else str(new_id())
        request.state.request_id = known
    return known


def language(request: Request) -> Lang:
    """`?lang=`, else the page's cookie, else Accept-Language; Chinese by default."""
    for chosen in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if chosen and chosen.lower()[:2] in {"zh", "en"}:
            return "zh" if chosen.lower()[:2] == "zh" else "en"
    return language_of(request.headers.get("accept-language"))


def _credential(request: Request) -> tuple[str | None, bool]:
    """The token and whether it came as a cookie (which a browser sends by itself)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip(), False
    return request.cookies.get(COOKIE), True


async def identify(request: Request) -> tuple[CallerContext, bool]:
    """The caller of a request and whether a cookie proves them. An unknown or dead token is nobody."""
    token, by_cookie = _credential(request)
    login = None
    if token:
        database: Database = request.app.state.database
        at = clock.now()
        async with database.read() as session:
            login = await identity.login_by_hash(session, token_hash(token), at)
        if login is not None and at - login.seen_at > _SEEN_EVERY:
            async with database.unit() as uow:
                await identity.touch_login(uow.session, login.id, at)
    return CallerContext(request, login), by_cookie and login is not None


_recent: dict[tuple[Any, ...], float] = {}


async def record_denial(caller: CallerContext, problem: Problem, permission: str, thing: Thing | None) -> None:
    """Write a refusal to the log, in a transaction of its own; repetitions within a minute only once."""
    subject = caller.subject
    now = time.monotonic()
    key = (subject.login_id, permission, thing)
    if now - _recent.get(key, float("-inf")) < _DENIAL_PAUSE:
        return
    if len(_recent) > 10_000:
        _recent.clear()
    _recent[key] = now
    async with caller.unit() as uow:
        await record(
            uow,
            "access.denied",
            detail={
                "permission": permission,
                "method": caller.request.method,
                "path": caller.request.url.path[:200],
                "code": problem.code,
                "reason": {"zh": problem.detail.zh, "en": problem.detail.en},
            },
        )


async def _caller(request: Request) -> CallerContext:
    """The caller that the door has already proved; a route outside a door never gets one."""
    caller: CallerContext | None = getattr(request.state, "caller", None)
    if caller is None:
        raise RuntimeError("this route is not behind a Door")
    return caller


Caller = Annotated[CallerContext, Depends(_caller)]

ObjectId = Annotated[int, Path(ge=1, le=2**31 - 1)]
"""A path parameter that names a row by its number; what no row can have is refused before the database is asked."""


def etag(version: int) -> str:
    """The `ETag` of a versioned object."""
    return f'"{version}"'


def check_version(request: Request | CallerContext, version: int) -> None:
    """Raise PreconditionFailed when `If-Match` names another version than the current one.

    Without the header a change goes through: pages always send it, a script may choose to overwrite.
    """
    source = request.request if isinstance(request, CallerContext) else request
    sent = source.headers.get("if-match")
    if sent is None or sent.strip() == "*":
        return
    wanted = {part.strip().removeprefix("W/").strip('"') for part in sent.split(",")}
    if str(version) not in wanted:
        raise PreconditionFailed(
            Text(
                "内容已被他人修改（现为第 {version} 版），请刷新后重试",
                "Changed by someone else (now version {version}); reload and try again",
            ).format(version=version)
        )
