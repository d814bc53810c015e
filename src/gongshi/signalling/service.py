"""Rules about peers as people manage them: adding one, giving it a password, finding a camera's channel."""

import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.audit import service as audit
from gongshi.db.events import emit
from gongshi.db.uow import UnitOfWork
from gongshi.kit.errors import FieldError, Invalid
from gongshi.kit.i18n import Text
from gongshi.kit.secretbox import SecretBox
from gongshi.protocols.codes import DeviceCode
from gongshi.protocols.errors import ProtocolError
from gongshi.signalling import repository
from gongshi.signalling.device_problems import PeerInUse
from gongshi.signalling.models import Peer
from gongshi.signalling.problems import PeerExists
from gongshi.signalling.store import secret_label

MEDIA_TRANSPORTS: Final = ("udp", "tcp_passive", "tcp_active")
_PASSWORD_LENGTH: Final = 16
_SHORTEST: Final = 8
_LONGEST: Final = 64
# Device panels offer no keyboard worth the name: no look-alikes, nothing that needs shifting twice.
_ALPHABET: Final = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))


def new_password() -> str:
    """A password that a person can type into a device (about 93 bits)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_PASSWORD_LENGTH))


CHANGED: Final = "signalling.peer.changed"
EDITIONS: Final = ("2016", "2022")
CHARSETS: Final = ("gb18030", "utf-8")


async def create_peer(
    uow: UnitOfWork,
    box: SecretBox,
    *,
    code: str,
    name: str,
    organisation: int | str,
    media_transport: str = "udp",
    password: str | None = None,
    keepalive_interval: int = 60,
    keepalive_misses: int = 3,
) -> tuple[Peer, str]:
    """Add a device or lower platform that may register; the row and its password, which is not shown again.

    `organisation` is a number or short key. Raises Invalid naming the fields, PeerExists for a known code.
    """
    found = _faults(code, name, media_transport, password, keepalive_interval, keepalive_misses)
    unit = await repository.organisation(uow.session, organisation)
    if unit is None:
        found.append(
            FieldError("organisation", "unknown", Text("没有这个单位", "There is no such organisation")),
        )
    _refuse(found)
    assert unit is not None  # noqa: S101 -- its absence is among the faults
    secret = password or new_password()
    peer = await repository.insert_peer(
        uow.session,
        {
            "code": code,
            "name": name.strip(),
            "organisation_id": unit.id,
            "secret": box.seal(secret, secret_label(code)),
            "media_transport": media_transport,
            "keepalive_interval": keepalive_interval,
            "keepalive_misses": keepalive_misses,
        },
    )
    if peer is None:
        raise PeerExists(
            Text(f"编码 {code} 的下级平台已经存在", f"A peer with the code {code} exists already"),
        )
    await emit(uow, "signalling.peer.created", id=peer.id, code=code, state="new", organisation_id=unit.id)
    detail: Mapping[str, Any] = {"name": peer.name, "code": code, "organisation": unit.name, "media": media_transport}
    await audit.record(uow, "signalling.peer.created", object_kind="peer", object_id=peer.id, detail=detail)
    return peer, secret


async def change_peer(uow: UnitOfWork, peer: Peer, values: Mapping[str, Any]) -> None:
    """Change what an operator may: name, organisation, enabled, media transport, edition, charset, heartbeat.

    Raises Invalid naming the fields.
    """
    after = {name: values.get(name, getattr(peer, name)) for name in _CHANGEABLE}
    found = [
        *_name_faults(after["name"]),
        *_setting_faults(after["media_transport"], after["keepalive_interval"], after["keepalive_misses"]),
    ]
    for name, choices in (("edition", EDITIONS), ("charset", CHARSETS)):
        if after[name] is not None and after[name] not in choices:
            words = ", ".join(choices)
            found.append(FieldError(name, "choice", Text(f"可选 {words}", f"Choose one of {words}")))
    if "organisation" in values:
        unit = await repository.organisation(uow.session, values["organisation"])
        if unit is None:
            found.append(FieldError("organisation", "unknown", Text("没有这个单位", "There is no such organisation")))
        else:
            after["organisation_id"] = unit.id
    _refuse(found)
    changed = {name: value for name, value in after.items() if getattr(peer, name) != value}
    if not changed:
        return
    detail: dict[str, Any] = {"name": peer.name, "code": peer.code, "changed": sorted(changed)}
    for name, value in changed.items():
        setattr(peer, name, value.strip() if name == "name" else value)
    peer.version += 1
    await uow.session.flush()
    await _tell(uow, peer, "changed", detail)


async def set_password(uow: UnitOfWork, box: SecretBox, peer: Peer, password: str | None) -> str:
    """Give a peer another password, one of ours when none is named; it is not shown again. Raises Invalid."""
    _refuse(_password_faults(password))
    secret = password or new_password()
    peer.secret = box.seal(secret, secret_label(peer.code))
    peer.version += 1
    await uow.session.flush()
    await _tell(uow, peer, "changed", {"name": peer.name, "code": peer.code, "changed": ["password"]})
    return secret


async def remove_peer(uow: UnitOfWork, peer: Peer) -> None:
    """Remove a peer that never showed anything. Raises PeerInUse for one with channels: it can be disabled."""
    if await repository.has_channels(uow.session, peer.id):
        raise PeerInUse(
            Text(
                f"“{peer.name}”已有目录和记录，不能删除；可将其停用",
                f"“{peer.name}” has a catalogue and records and cannot be removed; disable it instead",
            )
        )
    await emit(uow, CHANGED, id=peer.id, code=peer.code, state="removed", organisation_id=peer.organisation_id)
    detail = {"name": peer.name, "code": peer.code}
    await audit.record(uow, "signalling.peer.removed", object_kind="peer", object_id=peer.id, detail=detail)
    await uow.session.delete(peer)
    await uow.session.flush()


async def _tell(uow: UnitOfWork, peer: Peer, state: str, detail: Mapping[str, Any]) -> None:
    await emit(uow, CHANGED, id=peer.id, code=peer.code, state=state, organisation_id=peer.organisation_id)
    await audit.record(uow, CHANGED, object_kind="peer", object_id=peer.id, detail=detail)


def _refuse(found: list[FieldError]) -> None:
    if found:
        raise Invalid(
            Text("；".join(f.message.zh for f in found), "; ".join(f.message.en for f in found)), errors=found
        )


_CHANGEABLE: Final = (
    "name",
    "media_transport",
    "edition",
    "charset",
    "keepalive_interval",
    "keepalive_misses",
    "enabled",
)


def _faults(
    code: str, name: str, media_transport: str, password: str | None, interval: int, misses: int
) -> list[FieldError]:
    return [
        *_code_faults(code),
        *_name_faults(name),
        *_password_faults(password),
        *_setting_faults(media_transport, interval, misses),
    ]


def _code_faults(code: str) -> list[FieldError]:
    try:
        kind = DeviceCode.parse(code).type
    except ProtocolError:
        return [FieldError("code", "shape", Text("编码应为 20 位数字", "The code must be 20 digits"))]
    if kind.startswith(("1", "2")):
        return []
    message = Text(
        f"类型码 {kind} 不是设备或平台，请核对第 11-13 位",
        f"The type digits {kind} are neither a device nor a platform: check digits 11-13",
    )
    return [FieldError("code", "type", message)]


def _name_faults(name: str) -> list[FieldError]:
    if name.strip() and len(name) <= 100:
        return []
    return [FieldError("name", "length", Text("名称应为 1-100 个字", "The name has 1 to 100 characters"))]


def _password_faults(password: str | None) -> list[FieldError]:
    if password is None or (_SHORTEST <= len(password) <= _LONGEST and password.isascii() and password.isprintable()):
        return []
    message = Text("口令应为 8-64 个可见的英文字符", "The password has 8 to 64 printable ASCII characters")
    return [FieldError("password", "form", message)]


def _setting_faults(media_transport: str, interval: int, misses: int) -> list[FieldError]:
    found: list[FieldError] = []
    if media_transport not in MEDIA_TRANSPORTS:
        message = Text("媒体传输方式应为 udp 或 tcp_passive", "The media transport is udp or tcp_passive")
        found.append(FieldError("media_transport", "choice", message))
    if not 5 <= interval <= 3600:
        message = Text("心跳间隔应为 5-3600 秒", "The keepalive interval is 5 to 3600 s")
        found.append(FieldError("keepalive_interval", "range", message))
    if not 0 <= misses <= 20:
        message = Text(
            "心跳丢失次数应为 1-20；0 表示不按心跳判断在线",
            "Missed keepalives are 1 to 20; 0: never judged by keepalives",
        )
        found.append(FieldError("keepalive_misses", "range", message))
    return found


@dataclass(frozen=True, slots=True)
class ChannelTarget:
    """How a camera is reached: what the media room needs to open its stream."""

    channel_id: int
    channel_code: str
    channel_name: str
    channel_online: bool
    peer_id: int
    peer_name: str
    peer_online: bool
    transport: str
    """`udp`, `tcp_passive` or `tcp_active`."""
    remote_host: str | None
    """Where the peer registered from."""


async def channel_for(session: AsyncSession, camera_id: int) -> ChannelTarget | None:
    """The best channel of a camera; None when no catalogue ever listed it.

    When several peers claim the code, one that is online comes first, among those the managing unit's own.
    """
    row = await repository.best_channel(session, camera_id)
    return None if row is None else ChannelTarget(*row)
