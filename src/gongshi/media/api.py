"""Routes of sessions and streams: open a camera, look after the session, read the register."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import Query, Response
from sqlalchemy import ColumnElement, true

from gongshi.access.actions import Action, parse_action
from gongshi.access.door import Caller, CallerContext, Door, Thing
from gongshi.kit import clock
from gongshi.kit.errors import BadRequest, FieldError, Invalid, NotFound
from gongshi.kit.i18n import Lang, Text
from gongshi.kit.paging import MAX_LIMIT, decode_cursor, encode_cursor
from gongshi.media import books, repository, schemas
from gongshi.media.books import Ending
from gongshi.media.models import Session
from gongshi.media.repository import RUNNING, CameraRef
from gongshi.media.sessions import Asked, MediaPorts, open_session

door = Door(prefix="/api/v1", tag="media")

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


def ports(caller: CallerContext) -> MediaPorts:
    """What `node` put into the application's state."""
    return caller.state.media


def _steps(steps: Iterable[Mapping[str, Any]], lang: Lang) -> list[schemas.StepOut]:
    return [
        schemas.StepOut(
            step=step["step"],
            at=datetime.fromisoformat(step["at"]),
            ms=step.get("ms", 0),
            text=step.get(lang, ""),
            detail=step.get("detail") or {},
        )
        for step in steps
    ]


def _word(value: Any, lang: Lang) -> str | None:
    """A text that stands in a right's limits as `{"zh", "en"}` or as a plain string."""
    if isinstance(value, Mapping):
        found = cast("Mapping[str, Any]", value).get(lang)
        return None if found is None else str(found)
    return None if value is None else str(value)


@door.post(
    "/cameras/{code}/sessions", permission="media.session.open", status_code=201, summary="Open a camera 打开调阅"
)
async def open_camera(
    code: schemas.Code, body: schemas.SessionIn, caller: Caller, response: Response
) -> schemas.OpenedOut:
    """Answers when the device sends: what it sees now (`live`), or its recording `from`–`to` (`playback`).

    404: absent or not yours to know; 403 `no_right`: ask for it; 502: no picture, with `steps` and `which` (address,
    port, firewall, ssrc, codec, right, device, engine). 403 `playback_depth`: older than the grant reaches back.
    """
    if (body.from_ is None) != (body.to is None):
        text = Text("请同时给出开始与结束时间", "Give both the beginning and the end")
        raise Invalid(errors=[FieldError("to" if body.to is None else "from", "missing", text)])
    asked = Asked(
        camera_code=code,
        action=parse_action(body.action),
        reason=body.reason,
        address=caller.address,
        request_id=caller.request_id,
        host=caller.request.url.hostname,
        interval=None if body.from_ is None or body.to is None else (body.from_, body.to),
    )
    opened = await open_session(caller.database, ports(caller), caller.subject, asked)
    answer, limits = opened.answer, opened.decision.limits
    response.headers["Location"] = f"/api/v1/sessions/{opened.id}"
    return schemas.OpenedOut(
        id=opened.id,
        urls=schemas.UrlsOut(**answer["urls"]),
        expires_at=datetime.fromisoformat(answer["expires_at"]),
        not_after=None if answer["not_after"] is None else datetime.fromisoformat(answer["not_after"]),
        basis=opened.decision.basis or "",
        stream=schemas.StreamRef(id=UUID(answer["stream"]["id"]), steps=_steps(answer["stream"]["steps"], caller.lang)),
        watermark=schemas.Watermark(
            name=caller.subject.name,
            organisation=caller.subject.organisation_name,
            grant_number=_word(limits.get("grant_number"), caller.lang),
            purpose=_word(limits.get("purpose"), caller.lang),
        ),
        recording=_interval(body.from_, body.to),
    )


@door.post(
    "/cameras/{code}/talk", permission="media.session.open", status_code=201, summary="Talk at a camera 对讲喊话"
)
async def talk_at_camera(
    code: schemas.Code, body: schemas.TalkIn, caller: Caller, response: Response
) -> schemas.TalkOut:
    """Answers when the device is ready to be spoken to (GB/T 28181 §9.12); needs the action `talk`.

    404 and 403 as for opening; 502: the device refuses (`no_voice`), does not call back or does not answer. It is a
    session like any other: `DELETE /sessions/{id}` ends it, and so does the end of the right.
    """
    asked = Asked(
        camera_code=code,
        action=Action.TALK,
        reason=body.reason,
        address=caller.address,
        request_id=caller.request_id,
        host=caller.request.url.hostname,
    )
    opened = await open_session(caller.database, ports(caller), caller.subject, asked)
    answer = opened.answer
    response.headers["Location"] = f"/api/v1/sessions/{opened.id}"
    return schemas.TalkOut(
        id=opened.id,
        url=answer["url"],
        expires_at=datetime.fromisoformat(answer["expires_at"]),
        not_after=None if answer["not_after"] is None else datetime.fromisoformat(answer["not_after"]),
        basis=opened.decision.basis or "",
    )


def _interval(start: datetime | None, end: datetime | None) -> schemas.Interval | None:
    if start is None or end is None:
        return None
    return schemas.Interval(**{"from": clock.local(start)}, to=clock.local(end))


def _thing(row: Session) -> Thing:
    return Thing(
        organisation_id=row.organisation_id, created_by=row.subject_id if row.subject_kind == "person" else None
    )


async def _known(caller: CallerContext, session_id: UUID, permission: str) -> tuple[Session, CameraRef, dict[str, Any]]:
    """The session if the caller may know of it; NotFound otherwise."""
    async with caller.read() as session:
        found = await repository.session_row(session, session_id)
        if found is None or not caller.permits("media.session.see", _thing(found[0])).allowed:
            raise NotFound
        limits = await repository.right_limits(session, [found[0].right_id])
    caller.permit(permission, _thing(found[0]))
    return found[0], found[1], limits.get(found[0].right_id, {})


def _session_out(
    caller: CallerContext, row: Session, camera: CameraRef, limits: Mapping[str, Any]
) -> schemas.SessionOut:
    detail = row.end_detail or {}
    reason = schemas.Reason(zh=detail["zh"], en=detail["en"]) if "zh" in detail and "en" in detail else None
    closable = row.state in RUNNING and caller.permits("media.session.close", _thing(row)).allowed

    def local(moment: datetime | None) -> datetime | None:
        return None if moment is None else clock.local(moment)

    return schemas.SessionOut(
        id=row.id,
        state=row.state,
        camera={"code": camera.code, "name": camera.name},
        subject=row.subject_name,
        organisation=row.organisation_name,
        action=row.action,
        delivery=row.delivery,
        reason=row.reason,
        basis=row.basis,
        grant=row.grant_id,
        grant_number=_word(limits.get("grant_number"), caller.lang),
        purpose=_word(limits.get("purpose"), caller.lang),
        recording=_interval(row.interval_from, row.interval_to),
        stream=row.stream_id,
        opened_at=clock.local(row.opened_at),
        first_played_at=local(row.first_played_at),
        ended_at=local(row.ended_at),
        not_after=local(row.not_after),
        end_code=row.end_code,
        end_reason=reason,
        end_text=None if reason is None else (reason.zh if caller.lang == "zh" else reason.en),
        which=[str(word) for word in detail.get("which", [])],
        seconds=row.seconds,
        bytes_sent=row.bytes_sent,
        allowed_actions=["close"] if closable else [],
    )


@door.get("/sessions", permission="media.session.see", summary="The register of sessions 调阅登记")
async def list_sessions(
    caller: Caller,
    state: schemas.SessionStates = None,
    camera: schemas.Code | None = None,
    organisation: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    grant: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
    limit: Limit = 50,
) -> schemas.SessionList:
    """One's own, newest first; an auditor reads everybody's."""
    subject = caller.subject
    condition: ColumnElement[bool] = repository.by_subject(subject.kind, subject.id)
    if caller.permits("media.session.see", Thing()).allowed:
        condition = true()
    async with caller.read() as session:
        rows = await repository.sessions(
            session,
            condition=condition,
            states=state or (),
            camera_code=camera,
            organisation_id=organisation,
            grant_id=grant,
            before=_before(cursor),
            limit=limit + 1,
        )
        limits = await repository.right_limits(session, [row.right_id for row, _ in rows])
    items = [_session_out(caller, row, ref, limits.get(row.right_id, {})) for row, ref in rows[:limit]]
    last = rows[limit - 1][0] if len(rows) > limit else None
    return schemas.SessionList(
        items=items,
        next_cursor=None if last is None else encode_cursor(last.opened_at.isoformat(), str(last.id)),
    )


def _before(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    moment, last = decode_cursor(cursor, [str, str])
    try:
        return datetime.fromisoformat(str(moment)), UUID(str(last))
    except ValueError as error:
        raise BadRequest(
            Text("翻页游标无效，请从第一页重新开始", "The paging cursor is not valid; start again from the first page"),
            code="bad_cursor",
        ) from error


@door.get("/sessions/{id}", permission="media.session.see", summary="One session, and how it ended 调阅会话")
async def get_session(id: UUID, caller: Caller) -> schemas.SessionOut:
    row, camera, limits = await _known(caller, id, "media.session.see")
    return _session_out(caller, row, camera, limits)


@door.post("/sessions/{id}/urls", permission="media.session.close", summary="Fresh addresses 重新取得播放地址")
async def fresh_urls(id: UUID, caller: Caller) -> schemas.FreshUrlsOut:
    """For a player that lost its connection while the session goes on; 409 `session_ended` when it does not."""
    await _known(caller, id, "media.session.close")
    answer = await ports(caller).agent.urls(str(id), caller.request.url.hostname)
    return schemas.FreshUrlsOut(
        urls=schemas.UrlsOut(**answer["urls"]), expires_at=datetime.fromisoformat(answer["expires_at"])
    )


@door.post("/sessions/{id}/control", permission="media.session.control", summary="Steer a recording 控制录像回放")
async def control_session(id: UUID, body: schemas.ControlIn, caller: Caller) -> schemas.PlayingOut:
    """Pause, resume, speed or wind (MANSRTSP, GB/T 28181 annex B); answers with the place it goes on from.

    409 `session_ended` or `not_a_recording`; 422: no such speed or place; 502: the device refuses or does not answer.
    """
    await _known(caller, id, "media.session.control")
    return schemas.PlayingOut(**await ports(caller).agent.control(str(id), body.action, body.value))


@door.delete("/sessions/{id}", permission="media.session.close", status_code=204, summary="Close a session 关闭调阅")
async def close_session(id: UUID, caller: Caller) -> Response:
    """Closing what has ended already is no error."""
    row, _, _ = await _known(caller, id, "media.session.close")
    if row.state in RUNNING and not await ports(caller).agent.close(str(id), "closed"):
        # The agent does not carry it (it was started afresh): the picture is gone, the books are closed here.
        await books.end(caller.database, id, Ending("closed"))
    return Response(status_code=204)


@door.get("/streams/{id}", permission="media.stream.see", summary="A stream and how it was opened 视频流")
async def get_stream(id: UUID, caller: Caller) -> schemas.StreamOut:
    async with caller.read() as session:
        row = await repository.stream(session, id)
        camera = None if row is None else await repository.camera_by_id(session, row.camera_id)
    if row is None or camera is None:
        raise NotFound
    thing = Thing(organisation_id=camera.organisation_id, region_code=camera.region_code)
    if not caller.permits("media.stream.see", thing).allowed:
        raise NotFound
    running = await ports(caller).agent.stream(str(id)) if row.state in {"opening", "live"} else None
    return schemas.StreamOut(
        id=row.id,
        state=row.state,
        camera=camera.code,
        kind=row.kind,
        recording=_interval(row.interval_from, row.interval_to),
        codec=row.codec,
        width=row.width,
        height=row.height,
        opened_at=clock.local(row.opened_at),
        live_at=None if row.live_at is None else clock.local(row.live_at),
        ended_at=None if row.ended_at is None else clock.local(row.ended_at),
        end_code=row.end_code,
        steps=_steps(row.steps if running is None else running["steps"], caller.lang),
        figures=None if running is None else running["figures"],
    )
