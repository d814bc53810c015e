"""Routes of the registry: divisions, organisations, cameras as list, map and page, first-page figures.

Which cameras a caller may see is one condition from `access.visible`; what they may do with each is `decide`. A camera
that only the catalogue opens is shown with the reduced field set (design.md §6).
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from sqlalchemy import ColumnElement
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access import rights
from gongshi.access.actions import Action
from gongshi.access.door import Caller, CallerContext, Door, Thing, etag
from gongshi.access.visible import entitled_to, visible
from gongshi.kit import clock
from gongshi.kit.errors import BadRequest, NotFound
from gongshi.kit.i18n import Text
from gongshi.kit.paging import MAX_LIMIT, decode_cursor, encode_cursor
from gongshi.protocols.codes import DeviceCode
from gongshi.registry import repository, service
from gongshi.registry.archive import SHARING_CLASSES, archive
from gongshi.registry.city import city
from gongshi.registry.items import Names, Sight, camera_item, names
from gongshi.registry.models import Camera
from gongshi.registry.ports import Figure, Overview, OverviewProvider, Presence, Sections
from gongshi.registry.repository import Filters, box_of
from gongshi.registry.schemas import (
    ArchiveGroupOut,
    CameraItem,
    CameraMap,
    CameraOut,
    CameraPage,
    ChangeOut,
    ChangePage,
    Cluster,
    CodeSegmentOut,
    FigureOut,
    NeedOut,
    OrganisationOut,
    OrganisationPage,
    OverviewOut,
    RegionFigures,
    RegionOut,
    RegionPage,
)

door = Door(prefix="/api/v1", tag="registry")

_SINGLE_ZOOM = 15.0
"""From here on the map shows cameras themselves."""
_MOST_ON_MAP = 1_500
_STATUS_WORDS = {"in_use": 1, "repair": 2, "removed": 3}

SightFilter = Literal["all", "live", "mine"]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
SearchText = Annotated[str | None, Query(max_length=100, description="Part of name, code, place or pinyin initials")]
CodeQuery = Annotated[str | None, Query(max_length=12)]


@door.get("/regions", permission="registry.region.see", summary="Administrative divisions", response_model=RegionPage)
async def regions(caller: Caller) -> RegionPage:
    hints = {old.code: old.hint.pick(caller.lang) for old in city().retired}
    async with caller.read() as session:
        rows = await repository.regions(session)
    return RegionPage(
        items=[
            RegionOut(
                code=row.code,
                name=row.name,
                level=row.level,
                parent_code=row.parent_code,
                usable=row.usable,
                hint=hints.get(row.code, row.hint),
            )
            for row in rows
        ]
    )


@door.get(
    "/organisations",
    permission="registry.organisation.see",
    summary="Organisations",
    response_model=OrganisationPage,
)
async def organisations(caller: Caller) -> OrganisationPage:
    async with caller.read() as session:
        rows = await repository.organisations(session)
    return OrganisationPage(
        items=[OrganisationOut.model_validate(row, from_attributes=True) for row in rows if row.active]
    )


@dataclass(frozen=True, slots=True)
class _View:
    """What turns rows into items: names, what the caller may do, what answers."""

    names: Names
    snapshot: rights.RightsSnapshot
    online: Mapping[int, bool]


async def _view(caller: CallerContext, session: AsyncSession, rows: Sequence[Camera]) -> _View:
    ids = [row.id for row in rows]
    presence: Presence | None = getattr(caller.state, "presence", None)
    return _View(
        await names(session),
        await rights.load(session, subject=caller.subject, camera_ids=ids),
        await presence.online(session, ids) if presence and ids else {},
    )


def _sight(caller: CallerContext, view: _View, row: Camera) -> Sight:
    at = clock.now()
    decisions = {action: view.snapshot.decide(caller.subject, action, row.id, at) for action in Action}
    see, live = decisions[Action.SEE], decisions[Action.LIVE]
    shown = live if live.allowed else see
    allowed = [action.wire for action, decision in decisions.items() if decision.allowed]
    if not live.allowed and caller.permits("sharing.request.create").allowed:
        allowed.append("request")
    if see.basis != "catalogue":
        verbs = ("history", "access")
        allowed += [verb for verb in verbs if caller.permits(f"registry.camera.{verb}", _thing(row)).allowed]
    return Sight(see.basis, live.allowed, shown.not_after, shown.grant_id, allowed, view.online.get(row.id))


def _item(caller: CallerContext, view: _View, row: Camera) -> CameraItem:
    return camera_item(row, view.names, _sight(caller, view, row))


def _thing(row: Camera) -> Thing:
    return Thing(organisation_id=row.organisation_id, region_code=row.region_code)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A list or map as it was asked for."""

    where: ColumnElement[bool]
    filters: Filters


async def _asked(
    caller: CallerContext,
    session: AsyncSession,
    *,
    q: str | None,
    region: str | None,
    organisation: str | None,
    bbox: str | None,
    status: str | None,
    sharing_class: str | None,
    sight: SightFilter,
) -> _Asked:
    at = clock.now()
    box = None
    if bbox:
        box = box_of(bbox)
        if box is None:
            raise BadRequest(
                Text("bbox 应为“西,南,东,北”四个数", "bbox is four numbers: west,south,east,north"), code="bad_bbox"
            )
    unit = None
    if organisation:
        found = await service.organisation_named(session, organisation)
        unit = found.id if found else -1
    number = _status(status)
    if sharing_class and sharing_class not in SHARING_CLASSES:
        raise BadRequest(Text("没有这种共享类别", "There is no such sharing class"), code="bad_sharing_class")
    where = visible(caller.subject, Action.SEE, at)
    if sight == "live":
        where = visible(caller.subject, Action.LIVE, at)
    elif number is not None:
        # The catalogue does not show the state, so it must not be found out by filtering either.
        where = entitled_to(caller.subject, Action.SEE, at)
    if sight == "mine":
        where = where & (Camera.organisation_id == caller.subject.organisation_id)
    return _Asked(where, Filters(q, region, unit, box, number, sharing_class))


def _status(text: str | None) -> int | None:
    if not text:
        return None
    if text in _STATUS_WORDS:
        return _STATUS_WORDS[text]
    if text in {"1", "2", "3"}:
        return int(text)
    raise BadRequest(
        Text("状态应为 in_use、repair 或 removed", "status is in_use, repair or removed"), code="bad_status"
    )


@door.get("/cameras", permission="registry.camera.see", summary="Cameras", response_model=CameraPage)
async def cameras(
    caller: Caller,
    *,
    q: SearchText = None,
    region: CodeQuery = None,
    organisation: Annotated[str | None, Query(max_length=64)] = None,
    bbox: Annotated[str | None, Query(max_length=120)] = None,
    status: CodeQuery = None,
    sharing_class: Annotated[str | None, Query(max_length=20)] = None,
    sight: SightFilter = "all",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
) -> CameraPage:
    """In the order of codes. `sight=live` keeps what the caller may watch now, `mine` those of their own unit."""
    after = str(decode_cursor(cursor, [str])[0]) if cursor else None
    async with caller.read() as session:
        asked = await _asked(
            caller,
            session,
            q=q,
            region=region,
            organisation=organisation,
            bbox=bbox,
            status=status,
            sharing_class=sharing_class,
            sight=sight,
        )
        rows = await repository.cameras(session, asked.where, asked.filters, after, limit)
        total = await repository.count(session, asked.where, asked.filters)
        page = rows[:limit]
        view = await _view(caller, session, page)
    following = encode_cursor(page[-1].code) if len(rows) > limit else None
    return CameraPage(items=[_item(caller, view, row) for row in page], next_cursor=following, total=total)


@door.get("/cameras/map", permission="registry.camera.see", summary="Cameras on a map", response_model=CameraMap)
async def camera_map(
    caller: Caller,
    *,
    bbox: Annotated[str, Query(max_length=120, examples=["115.3,31.0,117.3,32.7"])],
    zoom: Annotated[float, Query(ge=0, le=24)],
    q: SearchText = None,
    region: CodeQuery = None,
    organisation: Annotated[str | None, Query(max_length=64)] = None,
    status: CodeQuery = None,
    sharing_class: Annotated[str | None, Query(max_length=20)] = None,
    sight: SightFilter = "all",
) -> CameraMap:
    """Clusters by a grid of 64 pixels; close to the ground, and where few are in sight, the cameras themselves."""
    if not math.isfinite(zoom):
        raise BadRequest(Text("zoom 应为数", "zoom is a number"), code="bad_zoom")
    async with caller.read() as session:
        asked = await _asked(
            caller,
            session,
            q=q,
            region=region,
            organisation=organisation,
            bbox=bbox,
            status=status,
            sharing_class=sharing_class,
            sight=sight,
        )
        total = await repository.count(session, asked.where, asked.filters)
        clusters: list[Cluster] = []
        if zoom >= _SINGLE_ZOOM and total <= _MOST_ON_MAP:
            rows = await repository.placed(session, asked.where, asked.filters, _MOST_ON_MAP)
        else:
            cells = await repository.clusters(session, asked.where, asked.filters, zoom)
            rows = await repository.cameras_by_ids(session, [cell.sample_id for cell in cells if cell.count == 1])
            clusters = [
                Cluster(longitude=cell.longitude, latitude=cell.latitude, count=cell.count, bbox=cell.box)
                for cell in cells
                if cell.count > 1
            ]
        view = await _view(caller, session, rows)
    return CameraMap(clusters=clusters, cameras=[_item(caller, view, row) for row in rows], total=total)


async def _camera(caller: CallerContext, session: AsyncSession, code: str) -> Camera:
    row = await repository.camera(session, code, visible(caller.subject, Action.SEE, clock.now()))
    if row is None:
        raise NotFound
    return row


@door.get("/cameras/{code}", permission="registry.camera.see", summary="One camera", response_model=CameraOut)
async def camera(code: str, caller: Caller, response: Response) -> CameraOut:
    """The archive in groups, the code in words, and what other rooms say of the camera."""
    async with caller.read() as session:
        row = await _camera(caller, session, code)
        view = await _view(caller, session, [row])
        item = _item(caller, view, row)
        reduced = item.access.see == "catalogue"
        sections: dict[str, Any] = {}
        if not reduced:
            providers: Sections | None = getattr(caller.state, "sections", None)
            sections = await providers.of(session, row, caller.subject, caller.lang) if providers else {}
            sections["declared"] = _declared(row, caller, view)
    response.headers["ETag"] = etag(row.version)
    groups = archive(row, caller.lang, _names(view), reduced=reduced)
    return CameraOut(
        **item.model_dump(),
        archive=[ArchiveGroupOut.model_validate(group) for group in groups],
        code_segments=_segments(row, caller, view),
        sections=sections,
        version=row.version,
    )


def _names(view: _View) -> dict[str, Any]:
    return {
        "organisation_id": view.names.units.get,
        "demand_organisation_id": view.names.units.get,
        "region_code": view.names.places.get,
    }


_DECLARED = (
    ("name", "name"),
    ("place_text", "place"),
    ("longitude", "longitude"),
    ("latitude", "latitude"),
    ("brand", "brand"),
    ("model", "model"),
    ("built_month", "built_month"),
    ("status", "status"),
    ("plan", "plan"),
)


def _declared(row: Camera, caller: CallerContext, view: _View) -> dict[str, Any]:
    """What the managing unit said in its filing."""
    keep = {column for column, _ in _DECLARED}
    fields = [
        field
        for group in archive(row, caller.lang, _names(view), reduced=False)
        for field in group["fields"]
        if field["key"] in {"SBMC", "place_text", "JD", "WD", "brand", "SBXH", "built_month", "SBZT", "plan", "GLDW"}
    ]
    return {
        "fields": fields,
        **{key: getattr(row, column) for column, key in _DECLARED if column in keep},
        "filing_id": row.source_filing_id,
    }


def _segments(row: Camera, caller: CallerContext, view: _View) -> list[CodeSegmentOut]:
    code = DeviceCode.parse(row.code, row.code_edition)
    unknown = Text("未定义或随版本不同", "not defined, or different between editions").pick(caller.lang)
    serial = Text("顺序号", "running number").pick(caller.lang)
    found: list[CodeSegmentOut] = []
    for part in code.segments(caller.lang):
        meaning = part.meaning
        if part.name == "region":
            meaning = view.names.places.get(part.digits)
        elif part.name == "serial":
            meaning = serial
        elif part.name == "industry" and meaning is None:
            meaning = city().local_industries.get(part.digits)
        digits = str(part.start + 1) if part.end == part.start + 1 else f"{part.start + 1}-{part.end}"
        found.append(CodeSegmentOut(digits=digits, label=part.label, value=part.digits, meaning=meaning or unknown))
    return found


@door.get(
    "/cameras/{code}/history",
    permission="registry.camera.history",
    summary="What changed in a camera's record",
    response_model=ChangePage,
)
async def history(
    code: str,
    caller: Caller,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
) -> ChangePage:
    """Newest first: before and after, who, why, through which door."""
    before = int(decode_cursor(cursor, [int])[0]) if cursor else None
    async with caller.read() as session:
        row = await _camera(caller, session, code)
        caller.permit("registry.camera.history", _thing(row))
        rows = await repository.changes(session, "camera", row.id, before, limit)
    page = rows[:limit]
    items = [ChangeOut.model_validate(change, from_attributes=True) for change in page]
    return ChangePage(
        items=[item.model_copy(update={"at": clock.local(item.at)}) for item in items],
        next_cursor=encode_cursor(page[-1].id) if len(rows) > limit else None,
    )


@door.get(
    "/statistics/overview",
    permission="registry.statistics.see",
    summary="Figures and open tasks of the first page",
    response_model=OverviewOut,
)
async def overview(caller: Caller) -> OverviewOut:
    """Counts only cameras that the caller may see; other rooms add their figures and tasks."""
    where = visible(caller.subject, Action.SEE, clock.now())
    watchable = visible(caller.subject, Action.LIVE, clock.now())
    async with caller.read() as session:
        names = {region.code: region.name for region in await repository.regions(session)}
        counts = await repository.by_region(session, where)
        online = await _online(caller, session, entitled_to(caller.subject, Action.SEE, clock.now()))
        live = await repository.count(session, watchable, Filters())
        parts = [_own_part(sum(counts.values()), live, online)]
        providers: Collection[OverviewProvider] = getattr(caller.state, "overview", ())
        parts += [await provider(session, caller.subject) for provider in providers]
    lang = caller.lang
    return OverviewOut(
        figures=[
            FigureOut(key=f.key, label=f.label.pick(lang), value=f.value, unit=f.unit, link=f.link)
            for part in parts
            for f in part.figures
        ],
        needs=[
            NeedOut(key=n.key, label=n.label.pick(lang), count=n.count, link=n.link, deadline=n.deadline)
            for part in parts
            for n in part.needs
            if n.count
        ],
        by_region=[
            RegionFigures(
                code=code,
                name=names.get(code, code),
                cameras=counts[code],
                online=None if online is None else online.get(code, 0),
            )
            for code in sorted(counts)
        ],
    )


async def _online(caller: CallerContext, session: AsyncSession, where: ColumnElement[bool]) -> Mapping[str, int] | None:
    presence: Presence | None = getattr(caller.state, "presence", None)
    if presence is None:
        return None
    answering = [
        number
        for number, up in (await presence.online(session, await repository.ids(session, where, Filters()))).items()
        if up
    ]
    found: dict[str, int] = {}
    for row in await repository.cameras_by_ids(session, answering):
        found[row.region_code] = found.get(row.region_code, 0) + 1
    return found


def _own_part(total: int, live: int, online: Mapping[str, int] | None) -> Overview:
    figures = [
        Figure("cameras", Text("可见摄像机", "Cameras in sight"), total, "/cameras", "台"),
        Figure("watchable", Text("可调阅", "I may watch"), live, "/cameras?sight=live", "台"),
    ]
    if online is not None:
        figures.append(Figure("online", Text("在线", "Online"), sum(online.values()), "/cameras", "台"))
    return replace(Overview(), figures=figures)
