"""List, map and page of cameras: what is found, who sees how much of it, and history."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import select

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.access.service import OWNER_ACTIONS
from gongshi.db import Database
from gongshi.kit import clock
from gongshi.registry import repository, service
from gongshi.registry.api import door
from gongshi.registry.models import Camera, Change
from gongshi.registry.ports import Sections
from gongshi.registry.seed import sample_cameras, seed_cameras, seed_city
from integration.access.helpers import account, application, client, token_of

As = Callable[[str], Awaitable[httpx.AsyncClient]]


class SomeOnline:
    """A presence port that answers for even ids."""

    async def online(self, session: object, camera_ids: list[int]) -> dict[int, bool]:
        return {number: number % 2 == 0 for number in camera_ids}

    async def online_count(self, session: object) -> int:
        return 1


@pytest.fixture
async def units(database: Database) -> dict[str, int]:
    """Three hundred sample cameras; owners see their own, police sees the city."""
    async with database.unit() as uow:
        organisations = await seed_city(uow)
        assert await seed_cameras(uow, organisations, sample_cameras(300)) == 300
        ids = {code: unit.id for code, unit in organisations.items()}
        for code, scope, value in (
            ("culture-tourism", "organisation", str(ids["culture-tourism"])),
            ("police", "region", "341500"),
        ):
            await access.grant_right(
                uow,
                subject_kind="organisation",
                subject_id=ids[code],
                basis="duty",
                basis_id=None,
                actions=OWNER_ACTIONS,
                scope="organisation" if scope == "organisation" else "region",
                scope_value=value,
                valid_from=clock.now() - timedelta(days=1),
                valid_to=None,
            )
    for username, role, organisation in (
        ("wenlv", "agency_contact", "culture-tourism"),
        ("yingji", "agency_contact", "emergency"),
        ("jingcha", "police_officer", "police"),
        ("shenji", "auditor", "cyberspace-office"),
    ):
        await account(database, username, role, organisation=organisation)
    return ids


@pytest.fixture
async def acting(database: Database, units: dict[str, int]) -> AsyncIterator[As]:
    app = application(database, door)
    app.state.presence = SomeOnline()
    app.state.sections = Sections()

    async def seen(session: object, camera: Camera, subject: object, lang: str) -> dict[str, str]:
        return {"name": camera.name, "status": "ON"}

    app.state.sections.register("seen", seen)
    async with AsyncExitStack() as stack:

        async def opened(username: str) -> httpx.AsyncClient:
            return await stack.enter_async_context(client(app, await token_of(database, username)))

        yield opened


async def test_seeding_twice_changes_nothing(database: Database, units: dict[str, int]) -> None:
    async with database.unit() as uow:
        organisations = await seed_city(uow)
        assert await seed_cameras(uow, organisations, sample_cameras(300)) == 0
        assert {code: unit.id for code, unit in organisations.items()} == units
    async with database.read() as session:
        assert len((await session.scalars(select(Change).where(Change.object_kind == "camera"))).all()) == 300


async def test_lists_page_without_gaps_and_filter(acting: As) -> None:
    jingcha = await acting("jingcha")
    codes: list[str] = []
    cursor = None
    while True:
        page = (
            await jingcha.get("/api/v1/cameras", params={"limit": 70} | ({"cursor": cursor} if cursor else {}))
        ).json()
        codes += [item["code"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(codes) == len(set(codes)) == page["total"] == 300
    assert codes == sorted(codes)

    async def total(**query: str) -> int:
        answer = await jingcha.get("/api/v1/cameras", params={"limit": 1, **query})
        assert answer.status_code == 200, answer.text
        return answer.json()["total"]

    jinan = await total(region="341502")
    assert 0 < jinan < 300
    assert await total(region="341500") == 300
    assert await total(q="市教育局") == await total(organisation="education")
    assert await total(q="dyxx") > 0, "pinyin initials"
    assert await total(q="XiaoMen 100%_") == 0
    assert await total(status="in_use") == 300
    assert await total(sight="live") == 300
    assert await total(bbox="116.4,31.6,116.6,31.9") < 300
    for bad in ({"bbox": "1,2,3"}, {"status": "broken"}, {"sharing_class": "x"}, {"cursor": "x"}):
        assert (await jingcha.get("/api/v1/cameras", params=bad)).status_code == 400


async def test_the_catalogue_shows_little_and_does_not_tell_more(acting: As, database: Database) -> None:
    yingji, wenlv = await acting("yingji"), await acting("wenlv")
    item = (await yingji.get("/api/v1/cameras", params={"limit": 1, "organisation": "culture-tourism"})).json()[
        "items"
    ][0]
    assert item["access"] == {"see": "catalogue", "live": False, "until": None, "grant": None}
    assert item["status"] is item["online"] is item["direction"] is None
    assert set(item["allowed_actions"]) == {"see", "request"}
    own = (await wenlv.get(f"/api/v1/cameras/{item['code']}")).json()
    assert own["access"]["see"] == "duty"
    assert own["sections"]["seen"]["status"] == "ON"
    assert own["sections"]["declared"]["brand"] == "海康威视"
    assert {"live", "playback", "snapshot", "history", "access"} <= set(own["allowed_actions"])
    reduced = (await yingji.get(f"/api/v1/cameras/{item['code']}")).json()
    keys = {field["key"] for group in reduced["archive"] for field in group["fields"]}
    assert keys == {"SBBM", "SBMC", "GLDW", "XZQY", "JD", "WD", "JKDWLX", "place_class", "sharing_class"}
    assert reduced["sections"] == {}
    assert (await yingji.get(f"/api/v1/cameras/{item['code']}/history")).status_code == 403
    assert (await yingji.get("/api/v1/cameras", params={"status": "in_use"})).json()["total"] == 0

    async with database.unit() as uow:
        camera = (await repository.cameras_by_codes(uow.session, [item["code"]]))[0]
        camera.sharing_class = "none"
        access.touch(uow)
    assert (await yingji.get(f"/api/v1/cameras/{item['code']}")).status_code == 404
    assert (await yingji.get("/api/v1/cameras/34150200551328999999")).status_code == 404
    assert (await wenlv.get(f"/api/v1/cameras/{item['code']}")).status_code == 200


async def test_a_grant_shows_in_list_and_page(acting: As, database: Database, units: dict[str, int]) -> None:
    yingji = await acting("yingji")
    async with database.unit() as uow:
        camera = await session_first(uow.session, units["culture-tourism"])
        await access.grant_right(
            uow,
            subject_kind="organisation",
            subject_id=units["emergency"],
            basis="grant",
            basis_id=42,
            actions=Action.LIVE,
            camera_ids=[camera.id],
            valid_from=clock.now() - timedelta(hours=1),
            valid_to=clock.now() + timedelta(days=3),
        )
    found = (await yingji.get(f"/api/v1/cameras/{camera.code}")).json()
    assert found["access"]["see"] == "grant"
    assert (found["access"]["live"], found["access"]["grant"]) == (True, 42)
    assert found["access"]["until"].endswith("+08:00")
    assert "request" not in found["allowed_actions"]
    assert (await yingji.get("/api/v1/cameras", params={"sight": "live"})).json()["total"] == 1


async def session_first(session, organisation_id: int) -> Camera:
    return (await repository.cameras_of(session, organisation_id))[0]


async def test_the_map_counts_what_the_list_counts(acting: As) -> None:
    jingcha = await acting("jingcha")
    whole = {"bbox": "115.3,31.0,117.3,32.7"}
    for zoom in (7, 9, 12, 16):
        answer = (await jingcha.get("/api/v1/cameras/map", params={**whole, "zoom": zoom})).json()
        assert (
            sum(cluster["count"] for cluster in answer["clusters"]) + len(answer["cameras"]) == answer["total"] == 300
        )
        for cluster in answer["clusters"]:
            west, south, east, north = cluster["bbox"]
            assert west - 1e-9 <= cluster["longitude"] <= east + 1e-9
            assert south - 1e-9 <= cluster["latitude"] <= north + 1e-9
    assert answer["clusters"] == []
    assert (await jingcha.get("/api/v1/cameras/map", params={"bbox": "a", "zoom": 3})).status_code == 400


async def test_a_page_explains_the_code_and_keeps_history(
    acting: As, database: Database, units: dict[str, int]
) -> None:
    wenlv = await acting("wenlv")
    async with database.unit() as uow:
        unit = await repository.organisation(uow.session, "culture-tourism")
        assert unit is not None
        camera = await session_first(uow.session, unit.id)
        row = {"code": camera.code, "name": camera.name + "（改）", "model": "新型号"}
        outcome = await service.file_cameras(uow, unit, [row], source="import", reason="填报 7")
        assert (outcome.new, outcome.changed) == (0, 1)
    page = await wenlv.get(f"/api/v1/cameras/{camera.code}", params={"lang": "en"})
    body = page.json()
    assert page.headers["etag"] == '"2"'
    assert body["name"].endswith("（改）")
    parts = {part["digits"]: part for part in body["code_segments"]}
    assert parts["1-6"]["meaning"] == body["region_name"]
    assert parts["11-13"]["meaning"] == "network camera"
    assert body["archive"][0]["group_name"] == "Identity"
    changes = (await wenlv.get(f"/api/v1/cameras/{camera.code}/history")).json()["items"]
    assert [change["operation"] for change in changes] == ["update", "create"]
    assert changes[0]["before"]["model"] == "DS-2CD3T47"
    assert changes[0]["after"] == {"name": body["name"], "model": "新型号"}
    assert changes[0]["reason"] == "填报 7"


async def test_a_camera_of_another_unit_is_never_taken_over(database: Database, units: dict[str, int]) -> None:
    async with database.unit() as uow:
        unit = await repository.organisation(uow.session, "emergency")
        assert unit is not None
        camera = await session_first(uow.session, units["culture-tourism"])
        row = {"code": camera.code, "name": "抢占"}
        with pytest.raises(ValueError, match="another organisation"):
            await service.file_cameras(uow, unit, [row], source="import", reason=None)


async def test_first_page_figures_regions_and_organisations(acting: As) -> None:
    shenji, jingcha = await acting("shenji"), await acting("jingcha")
    overview = (await jingcha.get("/api/v1/statistics/overview")).json()
    figures = {figure["key"]: figure["value"] for figure in overview["figures"]}
    assert (figures["cameras"], figures["watchable"], figures["online"]) == (300, 300, 150)
    assert sum(region["cameras"] for region in overview["by_region"]) == 300
    assert sum(region["online"] for region in overview["by_region"]) == 150
    regions = (await shenji.get("/api/v1/regions", params={"lang": "en"})).json()["items"]
    gone = next(region for region in regions if region["code"] == "341521")
    assert (gone["usable"], "Huainan" in gone["hint"]) == (False, True)
    organisations = (await shenji.get("/api/v1/organisations")).json()["items"]
    assert sum(unit["member"] for unit in organisations) == 21
