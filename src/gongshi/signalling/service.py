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
    if found or unit is None:
        raise Invalid(
            Text("；".join(f.message.zh for f in found), "; ".join(f.message.en for f in found)), errors=found
        )
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


def _faults(
    code: str, name: str, media_transport: str, password: str | None, interval: int, misses: int
) -> list[FieldError]:
    found: list[FieldError] = []
    try:
        kind = DeviceCode.parse(code).type
    except ProtocolError:
        found.append(FieldError("code", "shape", Text("编码应为 20 位数字", "The code must be 20 digits")))
    else:
        if not kind.startswith(("1", "2")):
            found.append(
                FieldError(
                    "code",
                    "type",
                    Text(
                        f"类型码 {kind} 不是设备或平台，请核对第 11-13 位",
                        f"The type digits {kind} are neither a device nor a platform: check digits 11-13",
                    ),
                )
            )
    if not name.strip() or len(name) > 100:
        found.append(FieldError("name", "length", Text("名称应为 1-100 个字", "The name has 1 to 100 characters")))
    if media_transport not in MEDIA_TRANSPORTS:
        found.append(
            FieldError(
                "media_transport",
                "choice",
                Text(
                    "媒体传输方式应为 udp、tcp_passive（我方监听）或 tcp_active（我方连接）",
                    "The media transport is udp, tcp_passive (we listen) or tcp_active (we connect)",
                ),
            )
        )
    if password is not None and (
        not _SHORTEST <= len(password) <= _LONGEST or not password.isascii() or not password.isprintable()
    ):
        found.append(
            FieldError(
                "password",
                "form",
                Text("口令应为 8-64 个可见的英文字符", "The password has 8 to 64 printable ASCII characters"),
            )
        )
    if not 5 <= interval <= 3600:
        found.append(
            FieldError(
                "keepalive_interval", "range", Text("心跳间隔应为 5-3600 秒", "The keepalive interval is 5 to 3600 s")
            )
        )
    if not 1 <= misses <= 20:
        found.append(
            FieldError("keepalive_misses", "range", Text("心跳丢失次数应为 1-20", "Missed keepalives are 1 to 20"))
        )
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
