"""Routes of signalling: connected platforms, what they show, and asking them again."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from fastapi import Query, Response
from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access.door import Caller, CallerContext, Door, ObjectId, Thing, etag
from gongshi.audit import service as audit
from gongshi.kit import clock
from gongshi.kit.errors import NotFound
from gongshi.kit.paging import MAX_LIMIT, decode_cursor, encode_cursor
from gongshi.protocols.codes import Edition
from gongshi.protocols.manscdp import version_edition
from gongshi.registry.models import Camera
from gongshi.signalling import capture, repository, service
from gongshi.signalling.models import Channel, Peer
from gongshi.signalling.repository import PeerRow
from gongshi.signalling.schemas import (
    AskedOut,
    CameraRef,
    ChannelOut,
    ChannelsOut,
    NewPeerOut,
    OrganisationRef,
    PeerIn,
    PeerOut,
    PeersOut,
    RunOut,
    TraceLine,
    TraceOut,
)

door = Door(prefix="/api/v1/peers", tag="peers")


_FILES: dict[str, Any] = {
    "text/plain": {
        "schema": {"type": "string"},
        "example": "2026-03-01T08:00:00.123+08:00 <<< udp:10.5.2.31:5060 12 bytes\r\nREGISTER sip:...",
    },
    "application/vnd.tcpdump.pcap": {"schema": {"type": "string", "format": "binary"}, "example": "pcap"},
}


class SignalPort(Protocol):
    """The signal role, as `node.rpc.RpcClient` reaches it."""

    async def call(self, method: str, *, timeout: float = ..., **params: Any) -> Any: ...


def _signal(caller: CallerContext) -> SignalPort:
    return caller.state.roles["signal"]


def _thing(row: PeerRow) -> Thing:
    unit = row.organisation
    return Thing(organisation_id=unit.id, region_code=unit.region_code, level=unit.level)


async def _peer(caller: CallerContext, session: AsyncSession, peer_id: int, permission: str) -> PeerRow:
    """A peer that the caller may use this way. Raises NotFound, Forbidden."""
    row = await repository.peer(session, peer_id)
    if row is None:
        raise NotFound
    caller.permit(permission, _thing(row))
    return row


def _actions(caller: CallerContext, row: PeerRow) -> list[str]:
    thing = _thing(row)
    online = row.binding is not None and row.binding.state == "online"
    actions: list[str] = []
    if caller.permits("signalling.peer.query", thing).allowed:
        actions += ["query_catalogue", "query", "trace"] if online else ["trace"]
    if caller.permits("signalling.peer.change", thing).allowed:
        actions += ["change", "subscribe"]
    return actions


async def _shown(caller: CallerContext, session: AsyncSession, rows: Sequence[PeerRow]) -> list[PeerOut]:
    ids: Collection[int] = [row.peer.id for row in rows]
    counts = await repository.channel_counts(session, ids)
    runs = await repository.last_runs(session, ids)
    return [PeerOut(**_peer_fields(caller, row, counts, runs.get(row.peer.id))) for row in rows]


def _peer_fields(
    caller: CallerContext, row: PeerRow, counts: Mapping[int, tuple[int, int]], run: Any
) -> dict[str, Any]:
    peer, binding, unit = row.peer, row.binding, row.organisation
    channels, on = counts.get(peer.id, (0, 0))
    state = "disabled" if not peer.enabled else binding.state if binding is not None else "never"
    return {
        "id": peer.id,
        "code": peer.code,
        "name": peer.name,
        "organisation": OrganisationRef(id=unit.id, name=unit.name if caller.lang == "zh" else unit.name_en),
        "state": state,
        "reason": binding.reason if binding is not None and state == "offline" else None,
        "edition": _edition(peer, binding.version if binding is not None else None),
        "user_agent": binding.user_agent if binding is not None else None,
        "registered_at": clock.local(binding.registered_at) if binding is not None else None,
        "expires_at": clock.local(binding.expires_at) if binding is not None and state == "online" else None,
        "keepalive_at": clock.local(binding.keepalive_at) if binding is not None and binding.keepalive_at else None,
        "address": f"{binding.transport.lower()} {binding.remote_host}:{binding.remote_port}" if binding else None,
        "media_transport": peer.media_transport,
        "keepalive_interval": peer.keepalive_interval,
        "keepalive_misses": peer.keepalive_misses,
        "enabled": peer.enabled,
        "pinned_edition": peer.edition,
        "charset": peer.charset,
        "version": peer.version,
        "channels": channels,
        "online_channels": on if state == "online" else 0,
        "last_run": _run(run),
        "allowed_actions": _actions(caller, row),
    }


def _edition(peer: Peer, version: str | None) -> str | None:
    if peer.edition:
        return Edition(peer.edition).value
    return version_edition(version).value if version else None


def _run(run: Any) -> RunOut | None:
    if run is None:
        return None
    return RunOut(
        state=run.state,
        declared=run.declared,
        received=run.received,
        packets=run.packets,
        started_at=clock.local(run.started_at),
        ended_at=clock.local(run.ended_at) if run.ended_at else None,
        note=run.note,
    )


@door.get("", permission="signalling.peer.see", summary="Devices and lower platforms by code")
async def peers(
    caller: Caller,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
) -> PeersOut:
    """Those that the caller's duty covers."""
    where = repository.reach(caller.subject)
    if cursor:
        where.append(Peer.code > str(decode_cursor(cursor, [str])[0]))
    async with caller.read() as session:
        found = await repository.peers(session, *where, limit=limit + 1)
        items = await _shown(caller, session, found[:limit])
    following = encode_cursor(items[-1].code) if len(found) > limit else None
    return PeersOut(items=items, next_cursor=following)


@door.post(
    "",
    permission="signalling.peer.change",
    status_code=201,
    idempotent=True,
    summary="Add a peer; the answer shows its password once",
)
async def create_peer(body: PeerIn, caller: Caller, response: Response) -> NewPeerOut:
    async with caller.unit() as uow:
        peer, password = await service.create_peer(
            uow,
            caller.state.box,
            code=body.code,
            name=body.name,
            organisation=body.organisation,
            media_transport=body.media_transport,
            password=body.password.get_secret_value() if body.password is not None else None,
            keepalive_interval=body.keepalive_interval,
            keepalive_misses=body.keepalive_misses,
        )
        row = await repository.peer(uow.session, peer.id)
        assert row is not None  # noqa: S101 -- written in this very transaction
        fields = _peer_fields(caller, row, {}, None)
    response.headers["Cache-Control"] = "no-store"
    settings = caller.state.settings
    server = {
        "code": settings.node.code,
        "domain": settings.node.code[:10],
        "host": settings.sip.advertise,
        "port": settings.sip.port,
        "transports": settings.sip.transports,
    }
    return NewPeerOut(**fields, password=password, server=server)


@door.get("/{peer_id}", permission="signalling.peer.see", summary="One peer")
async def peer(peer_id: ObjectId, caller: Caller, response: Response) -> PeerOut:
    async with caller.read() as session:
        row = await _peer(caller, session, peer_id, "signalling.peer.see")
        response.headers["ETag"] = etag(row.peer.version)
        return (await _shown(caller, session, [row]))[0]


@door.get("/{peer_id}/channels", permission="signalling.peer.see", summary="What a peer's catalogue lists, by code")
async def channels(
    peer_id: ObjectId,
    caller: Caller,
    kind: Annotated[str | None, Query(max_length=40, description="device, region, system, …")] = None,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100,
) -> ChannelsOut:
    after = str(decode_cursor(cursor, [str])[0]) if cursor else None
    async with caller.read() as session:
        await _peer(caller, session, peer_id, "signalling.peer.see")
        found = await repository.channels(session, peer_id, kind=kind, after=after, limit=limit + 1)
    items = [_channel(channel, camera) for channel, camera in found[:limit]]
    return ChannelsOut(items=items, next_cursor=encode_cursor(items[-1].code) if len(found) > limit else None)


def _channel(channel: Channel, camera: Camera | None) -> ChannelOut:
    return ChannelOut(
        id=channel.id,
        code=channel.code,
        kind=channel.kind,
        name=channel.name,
        manufacturer=channel.manufacturer,
        model=channel.model,
        civil_code=channel.civil_code,
        address=channel.address,
        parent=channel.parent,
        status=channel.status,
        fault=channel.fault,
        longitude=channel.longitude,
        latitude=channel.latitude,
        camera=CameraRef(code=camera.code, name=camera.name) if camera is not None else None,
        first_seen_at=clock.local(channel.first_seen_at),
        seen_at=clock.local(channel.seen_at),
        gone_at=clock.local(channel.gone_at) if channel.gone_at else None,
    )


@door.post(
    "/{peer_id}/catalogue",
    permission="signalling.peer.query",
    status_code=202,
    summary="Ask a peer for its catalogue now",
)
async def query_catalogue(peer_id: ObjectId, caller: Caller) -> AskedOut:
    """The answer comes in packets over seconds or minutes; the peer's `last_run` tells how far it is."""
    async with caller.read() as session:
        row = await _peer(caller, session, peer_id, "signalling.peer.query")
    asked = await _signal(caller).call("query_catalogue", timeout=5.0, peer_id=peer_id)
    async with caller.unit() as uow:
        detail = {"name": row.peer.name, "code": row.peer.code}
        await audit.record(uow, "signalling.catalogue.queried", object_kind="peer", object_id=peer_id, detail=detail)
    return AskedOut(**asked)


@door.get(
    "/{peer_id}/trace",
    permission="signalling.peer.query",
    summary="The last SIP messages from and to a peer",
    response_model=TraceOut,
    responses={200: {"content": _FILES}},
)
async def trace(
    peer_id: ObjectId,
    caller: Caller,
    format: Annotated[Literal["json", "text", "pcap"], Query(description="`text` and `pcap` are files")] = "json",
) -> TraceOut | Response:
    """Oldest first, at most 200, since the signal role started. Passwords and digest answers are removed."""
    async with caller.read() as session:
        row = await _peer(caller, session, peer_id, "signalling.peer.query")
    lines = await _signal(caller).call("trace", timeout=5.0, peer_id=peer_id)
    if format == "json":
        return TraceOut(items=[TraceLine(**line) for line in lines])
    settings = caller.state.settings.sip
    if format == "text":
        return _file(capture.as_text(lines).encode(), "text/plain; charset=utf-8", f"{row.peer.code}.txt")
    data = capture.as_pcap(lines, settings.advertise or settings.host, settings.port)
    return _file(data, "application/vnd.tcpdump.pcap", f"{row.peer.code}.pcap")


def _file(data: bytes, kind: str, name: str) -> Response:
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
