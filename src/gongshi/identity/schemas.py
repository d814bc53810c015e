"""API shapes of identity."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool

from gongshi.identity.models import Login
from gongshi.identity.passwords import MAXIMUM
from gongshi.identity.repository import Member
from gongshi.kit.clock import local
from gongshi.kit.i18n import Lang

Password = Annotated[SecretStr, Field(min_length=1, max_length=4 * MAXIMUM)]
Roles = Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=16)]


class LoginIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"username": "yingji", "password": "correct-horse-battery"}]}
    )

    username: Annotated[str, Field(min_length=1, max_length=128)]
    password: Password


class OrganisationOut(BaseModel):
    """The organisation behind an account."""

    id: int
    code: str
    name: str
    name_en: str
    kind: str
    level: str
    region_code: str


class AccountOut(BaseModel):
    """An account as administrators see it."""

    id: int
    username: str
    display_name: str
    organisation: OrganisationOut
    roles: list[str]
    disabled: bool
    locked_until: datetime | None
    must_change: bool
    last_login_at: datetime | None
    created_at: datetime
    version: int
    allowed_actions: list[str]


class MeOut(BaseModel):
    """One's own account."""

    id: int
    username: str
    display_name: str
    organisation: OrganisationOut
    roles: list[str]
    permissions: list[str]
    must_change: bool
    language: Lang


class LoginOut(BaseModel):
    """The token is shown this once; a browser keeps it as an HttpOnly cookie instead."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"token": "gsl_…", "expires_at": "2026-11-22T22:00:00+08:00"}]}
    )

    token: str
    expires_at: datetime
    account: MeOut


class PasswordIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"old": "correct-horse-battery", "new": "four-other-words-9"}]}
    )

    old: Password
    new: Password


class AccountIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"username": "zhiban2", "display_name": "王值班", "organisation": "emergency", "roles": ["viewer"]}
            ]
        },
    )

    username: Annotated[str, Field(min_length=1, max_length=64)]
    display_name: Annotated[str, Field(min_length=1, max_length=128)]
    organisation: Annotated[str, Field(max_length=64)] | int
    """Short key or number."""
    roles: Roles = []


class AccountPatch(BaseModel):
    """Only what is given changes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"disabled": True}]})

    display_name: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    roles: Roles | None = None
    disabled: StrictBool | None = None


class NewAccountOut(BaseModel):
    """A new account with its one-time password, shown this once."""

    account: AccountOut
    password: str


class NewPasswordOut(BaseModel):
    password: str


class AccountsOut(BaseModel):
    items: list[AccountOut]
    next_cursor: str | None


class RoleOut(BaseModel):
    code: str
    name: str
    givable: bool
    """Whether the caller may give and take it."""


class LoginInfo(BaseModel):
    """One login in force."""

    id: UUID
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str | None
    current: bool


class LoginsOut(BaseModel):
    items: list[LoginInfo]


def organisation_out(member: Member) -> OrganisationOut:
    unit = member.organisation
    return OrganisationOut(
        id=unit.id,
        code=unit.code,
        name=unit.name,
        name_en=unit.name_en,
        kind=unit.kind,
        level=unit.level,
        region_code=unit.region_code,
    )


def account_out(member: Member, allowed_actions: list[str]) -> AccountOut:
    account = member.account
    return AccountOut(
        id=account.id,
        username=account.username,
        display_name=account.display_name,
        organisation=organisation_out(member),
        roles=sorted(member.roles),
        disabled=account.disabled_at is not None,
        locked_until=local(account.locked_until) if account.locked_until else None,
        must_change=account.must_change and not account.demo,
        last_login_at=local(account.last_login_at) if account.last_login_at else None,
        created_at=local(account.created_at),
        version=account.version,
        allowed_actions=allowed_actions,
    )


def me_out(member: Member, permissions: list[str], language: Lang) -> MeOut:
    account = member.account
    return MeOut(
        id=account.id,
        username=account.username,
        display_name=account.display_name,
        organisation=organisation_out(member),
        roles=sorted(member.roles),
        permissions=permissions,
        must_change=account.must_change and not account.demo,
        language=language,
    )


def login_info(login: Login, current: UUID | None) -> LoginInfo:
    return LoginInfo(
        id=login.id,
        created_at=local(login.created_at),
        seen_at=local(login.seen_at),
        expires_at=local(login.expires_at),
        address=login.address,
        user_agent=login.user_agent,
        current=login.id == current,
    )
