"""A small city and a small application for tests of identity and access, on a real database."""

from collections.abc import Iterable

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import insert

from gongshi.access.caller import language
from gongshi.access.door import Door, check_routes
from gongshi.db import Database
from gongshi.identity import service
from gongshi.kit.errors import Problem
from gongshi.kit.secretbox import SecretBox
from gongshi.registry.models import Camera, Organisation, Region

ORGANISATIONS = {
    "culture-tourism": ("市文化和旅游局", "bureau", "city", "341500"),
    "emergency": ("市应急管理局", "bureau", "city", "341500"),
    "police": ("市公安局", "police", "city", "341500"),
    "data-resource": ("市数据资源管理局", "data_bureau", "city", "341500"),
    "leading-office": ("领导小组办公室", "leading_office", "city", "341500"),
    "jinan": ("金安区人民政府", "county_government", "county", "341502"),
    "cyberspace": ("市委网信办", "bureau", "city", "341500"),
}
HOME = {
    "agency_contact": "culture-tourism",
    "county_office": "jinan",
    "leading_office": "leading-office",
    "data_bureau": "data-resource",
    "police_officer": "police",
    "viewer": "emergency",
    "auditor": "cyberspace",
    "system_admin": "data-resource",
    "security_admin": "data-resource",
    "audit_admin": "cyberspace",
}
PASSWORD = "three-Quiet-rivers-27"


async def seed(database: Database) -> dict[str, int]:
    """Regions and organisations; returns organisation ids by code."""
    async with database.unit() as uow:
        await uow.session.execute(
            insert(Region),
            [
                {"code": "341500", "name": "六安市", "level": "city", "parent_code": None},
                {"code": "341502", "name": "金安区", "level": "county", "parent_code": "341500"},
                {"code": "341503", "name": "裕安区", "level": "county", "parent_code": "341500"},
                {"code": "341522", "name": "霍邱县", "level": "county", "parent_code": "341500"},
            ],
        )
        units = [
            Organisation(
                code=code,
                name=name,
                short_name=name,
                name_en=code,
                kind=kind,
                level=level,
                region_code=region,
                industries=[],
            )
            for code, (name, kind, level, region) in ORGANISATIONS.items()
        ]
        uow.session.add_all(units)
        await uow.session.flush()
        return {unit.code: unit.id for unit in units}


async def cameras(database: Database, rows: Iterable[dict[str, object]]) -> list[int]:
    """Cameras with just what access looks at."""
    made = []
    async with database.unit() as uow:
        for number, row in enumerate(rows):
            camera = Camera(
                code=f"3415020000131{number:07d}",
                name=f"测试 {number}",
                functions=[],
                location_types=[],
                departments=[],
                measures=[],
                **row,
            )
            uow.session.add(camera)
            made.append(camera)
        await uow.session.flush()
        return [camera.id for camera in made]


async def account(
    database: Database, username: str, *roles: str, organisation: str | None = None, demo: bool = True
) -> int:
    """An account with PASSWORD; demo accounts need not change it first."""
    async with database.unit() as uow:
        member, _ = await service.create_account(
            uow,
            username=username,
            display_name=username.title(),
            organisation=organisation or HOME[roles[0]],
            roles=roles,
            by=None,
            password=PASSWORD,
            demo=demo,
        )
        return member.account.id


async def token_of(database: Database, username: str) -> str:
    """A login without the cost of a password."""
    from gongshi.identity import repository

    async with database.unit() as uow:
        member = await repository.member_by_username(uow.session, username)
        assert member is not None
        return (await service.open_login(uow, member)).token


def application(database: Database, *doors: Door) -> FastAPI:
    """An application with these doors and problem+json answers, as the node makes it."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state.database = database
    app.state.box = SecretBox(bytes(32))

    async def problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return JSONResponse(
            error.body(language(request)),
            status_code=error.status,
            headers=error.headers,
            media_type="application/problem+json",
        )

    app.add_exception_handler(Problem, problem)
    for door in doors:
        door.mount(app)
    check_routes(app)
    return app


def client(app: FastAPI, token: str | None = None, *, address: str = "10.0.0.9") -> httpx.AsyncClient:
    """A client on the application, from one address, with a bearer token when given."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=(address, 40000)),
        base_url="http://node.test",
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )
