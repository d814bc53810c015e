"""A seeded city, accounts, both doors and a job queue on a real database."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx
import pytest

from gongshi.access import service as access
from gongshi.access.service import OWNER_ACTIONS
from gongshi.db import Database, jobs
from gongshi.db.objects import Objects
from gongshi.inventory import jobs as declared
from gongshi.inventory.api import door as inventory
from gongshi.inventory.workbook import filled_workbook
from gongshi.kit import clock
from gongshi.registry.api import door as registry
from gongshi.registry.seed import estate, platform_row, samples, seed_city
from integration.access.helpers import account, application, client, token_of

assert declared.check
assert declared.accept

As = Callable[[str], Awaitable[httpx.AsyncClient]]
Drain = Callable[[], Awaitable[None]]

ACCOUNTS = {
    "wenlv": ("agency_contact", "culture-tourism"),
    "yingji": ("agency_contact", "emergency"),
    "bangongshi": ("leading_office", "leading-office"),
    "jingcha": ("police_officer", "police"),
    "shenji": ("auditor", "cyberspace-office"),
    "xianban": ("county_office", "government-341502"),
}


@pytest.fixture
async def city(database: Database) -> dict[str, int]:
    """Organisation ids by code; owners may see and watch their own cameras."""
    async with database.unit() as uow:
        units = {code: unit.id for code, unit in (await seed_city(uow)).items()}
        for unit in units.values():
            await access.grant_right(
                uow,
                subject_kind="organisation",
                subject_id=unit,
                basis="duty",
                basis_id=None,
                actions=OWNER_ACTIONS,
                scope="organisation",
                scope_value=str(unit),
                valid_from=clock.now(),
                valid_to=None,
            )
    for username, (role, organisation) in ACCOUNTS.items():
        await account(database, username, role, organisation=organisation)
    return units


@pytest.fixture
async def acting(database: Database, objects: Objects, city: dict[str, int]) -> AsyncIterator[As]:
    """Clients by username."""
    app = application(database, inventory, registry)
    app.state.objects = objects
    async with AsyncExitStack() as stack:

        async def opened(username: str) -> httpx.AsyncClient:
            return await stack.enter_async_context(client(app, await token_of(database, username)))

        yield opened


@pytest.fixture
def drain(database: Database, objects: Objects) -> Drain:
    """Run every queued job to its end."""

    async def run() -> None:
        app = jobs.application(jobs.JobContext(database, objects, database.url))
        async with app.open_async():
            await app.run_worker_async(wait=False, listen_notify=False, install_signal_handlers=False)

    return run


def sample_form(count: int = 8, head: dict[str, str] | None = None, **changes: dict[int, dict[str, object]]) -> bytes:
    """A clean form of the culture and tourism bureau; `cameras={0: {"code": …}}` spoils rows, `head={…}` the head."""
    head = {"unit": "市文化和旅游局", "contact": "李联络", "phone": "0564-3331234", **(head or {})}
    rows: list[dict[str, object]] = [
        dict(sample.form_row(n)) for n, sample in enumerate(samples("culture-tourism", count), start=1)
    ]
    platforms: list[dict[str, object]] = [dict(platform_row(estate("culture-tourism"), cameras=count))]
    for index, values in changes.get("cameras", {}).items():
        rows[index] |= values
    for index, values in changes.get("platforms", {}).items():
        platforms[index] |= values
    return filled_workbook(head, platforms, rows)


async def post(who: httpx.AsyncClient, content: bytes, name: str = "清单.xlsx", **fields: str) -> httpx.Response:
    return await who.post("/api/v1/inventory/filings", files={"file": (name, content)}, data=fields)
