"""Rules about uppers as people manage them: adding, changing, removing one; what it may see and do (design.md §6)."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.access import service as access
from gongshi.access.actions import Action
from gongshi.access.service import HeldRight
from gongshi.access.subjects import Subject, within
from gongshi.audit import service as audit
from gongshi.db.events import emit
from gongshi.db.uow import UnitOfWork
from gongshi.kit import clock
from gongshi.kit.errors import FieldError, Forbidden, Invalid, NotFound
from gongshi.kit.i18n import Text
from gongshi.kit.secretbox import SecretBox
from gongshi.protocols.codes import DeviceCode
from gongshi.protocols.errors import ProtocolError
from gongshi.registry.models import Organisation
from gongshi.registry.service import organisation_named
from gongshi.signalling.uppers import repository
from gongshi.signalling.uppers.accounts import secret_label
from gongshi.signalling.uppers.commands import GROUPS
from gongshi.signalling.uppers.models import Upper
from gongshi.signalling.uppers.problems import AliasTaken, UnknownUpper, UpperExists
from gongshi.signalling.uppers.repository import Target

TREES: Final = ("none", "region", "organisation", "device")
CHANGED: Final = "signalling.upper.changed"
SHAREABLE: Final = Action.SEE | Action.LIVE | Action.PLAYBACK | Action.DOWNLOAD | Action.PTZ | Action.SNAPSHOT
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}")
_PLACE: Final = re.compile(r"[^\s:]{1,253}:[0-9]{1,5}")
_MOST_CAMERAS: Final = 5_000

Scope = Literal["cameras", "organisation", "region"]


async def create_upper(
    uow: UnitOfWork, box: SecretBox, *, organisation: int | str, password: str, **values: Any
) -> Upper:
    """Add a platform to register with; one that was removed comes back with its aliases.

    `values` are columns of `Upper`; `domain` and `username` follow from the codes when left out. Raises Invalid
    naming the fields, UpperExists.
    """
    values["domain"] = values.get("domain") or str(values.get("code", ""))[:10]
    values["username"] = values.get("username") or str(values.get("own_code", ""))
    found = [*_faults(values), *_password_faults(password)]
    unit = await organisation_named(uow.session, str(organisation))
    if unit is None:
        found.append(FieldError("organisation", "unknown", Text("没有这个单位", "There is no such organisation")))
    if found or unit is None:
        raise _invalid(found)
    code = str(values["code"])
    known = await repository.by_code(uow.session, code)
    if known is not None and known.removed_at is None:
        raise UpperExists(Text(f"编码 {code} 的上级平台已经存在", f"An upper platform {code} exists already"))
    values |= {"organisation_id": unit.id, "secret": box.seal(password, secret_label(code))}
    if known is None:
        upper = Upper(**values)
        uow.session.add(upper)
    else:
        upper = known
        upper.removed_at, upper.enabled, upper.version = None, True, upper.version + 1
        _set(upper, values)
    await uow.session.flush()
    await _tell(uow, upper, "signalling.upper.created", _described(upper, unit))
    return upper


async def change_upper(uow: UnitOfWork, upper: Upper, unit: Organisation, values: Mapping[str, Any]) -> None:
    """Change settings; who it is (code, organisation) stays. Raises Invalid."""
    merged = {name: getattr(upper, name) for name in _CHECKED} | dict(values)
    if found := _faults(merged):
        raise _invalid(found)
    before = {name: getattr(upper, name) for name in values}
    changed = {name: value for name, value in values.items() if before[name] != value}
    if not changed:
        return
    _set(upper, changed)
    upper.version += 1
    await uow.session.flush()
    detail = _described(upper, unit) | {
        "before": {name: before[name] for name in changed},
        "after": changed,
    }
    await _tell(uow, upper, CHANGED, detail)


async def set_password(uow: UnitOfWork, box: SecretBox, upper: Upper, unit: Organisation, password: str) -> None:
    """Replace the password that the upper gave us."""
    if found := _password_faults(password):
        raise _invalid(found)
    upper.secret = box.seal(password, secret_label(upper.code))
    upper.version += 1
    await uow.session.flush()
    await _tell(uow, upper, "signalling.upper.password_set", _described(upper, unit))


async def remove_upper(uow: UnitOfWork, upper: Upper, unit: Organisation) -> None:
    """Stop dealing with an upper: its rights end, its row stays for the log and for its aliases."""
    held = await access.rights_held(uow.session, "upper", upper.id)
    await access.end_rights_by_id(
        uow, [right.id for right in held], code="revoked", reason="上级平台已删除 The upper platform was removed"
    )
    upper.removed_at, upper.enabled, upper.state = clock.now(), False, "off"
    upper.version += 1
    await uow.session.flush()
    await _tell(uow, upper, "signalling.upper.removed", _described(upper, unit) | {"rights": len(held)})


def _set(upper: Upper, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(upper, name, value)


def _described(upper: Upper, unit: Organisation) -> dict[str, Any]:
    return {"name": upper.name, "code": upper.code, "organisation": unit.name, "address": f"{upper.host}:{upper.port}"}


async def _tell(uow: UnitOfWork, upper: Upper, action: str, detail: Mapping[str, Any]) -> None:
    """The signal role hears one event, whatever changed; the log is told exactly what."""
    await emit(uow, CHANGED, id=upper.id, code=upper.code, state=upper.state, organisation_id=upper.organisation_id)
    await audit.record(uow, action, object_kind="upper", object_id=upper.id, detail=detail)


# -- what it may see ----------------------------------------------------------------------------------------------------


async def share(
    uow: UnitOfWork,
    giver: Subject,
    upper: Upper,
    *,
    scope: Scope,
    value: str | None,
    cameras: Sequence[str],
    actions: Action,
    valid_to: datetime | None,
    limits: Mapping[str, Any],
) -> int:
    """Give an upper a right over cameras inside the giver's jurisdiction; the right's id.

    Raises Invalid when the terms make no sense, Forbidden for cameras outside the giver's jurisdiction.
    """
    if actions & ~SHAREABLE:
        raise _invalid(
            [FieldError("actions", "not_offered", Text("不能向上级平台开放这一操作", "Not offered to uppers"))]
        )
    unknown = set(limits.get("commands") or ()) - set(GROUPS)
    if unknown:
        raise _invalid([FieldError("commands", "unknown", Text("没有这类控制命令", "No such group of commands"))])
    ids: list[int] | None = None
    if scope == "cameras":
        ids = await _camera_ids(uow.session, giver, cameras)
    else:
        await _within_reach(uow.session, giver, scope, value)
        if scope == "organisation":
            unit = await organisation_named(uow.session, value or "")
            value = str(unit.id) if unit is not None else None
    right_id = await access.grant_right(
        uow,
        subject_kind="upper",
        subject_id=upper.id,
        basis="duty",
        basis_id=None,
        actions=actions,
        camera_ids=ids,
        scope=scope,
        scope_value=value if scope != "cameras" else None,
        valid_from=clock.now(),
        valid_to=valid_to,
        limits={name: item for name, item in limits.items() if item},
    )
    detail = {
        "name": upper.name,
        "code": upper.code,
        "scope": scope,
        "value": value,
        **({"cameras": len(ids), "camera_codes": list(cameras)[:100]} if ids is not None else {}),
        "actions": [action.wire for action in Action if action & actions],
        "valid_to": valid_to,
        "limits": dict(limits),
    }
    await audit.record(uow, "signalling.upper.shared", object_kind="upper", object_id=upper.id, detail=detail)
    return right_id


async def _camera_ids(session: AsyncSession, giver: Subject, cameras: Sequence[str]) -> list[int]:
    if not 1 <= len(cameras) <= _MOST_CAMERAS:
        raise _invalid([FieldError("cameras", "length", Text("应选择 1-5000 台摄像机", "Choose 1 to 5,000 cameras"))])
    found = await repository.cameras_by_code(session, cameras)
    if missing := [code for code in cameras if code not in found]:
        shown = "、".join(missing[:5])
        raise _invalid(
            [
                FieldError(
                    "cameras", "unknown", Text(f"没有摄像机 {shown}", f"No such cameras: {', '.join(missing[:5])}")
                )
            ]
        )
    if any(not within(camera.region_code, giver.region_code) for camera in found.values()):
        raise _outside()
    return [camera.id for camera in found.values()]


async def _within_reach(session: AsyncSession, giver: Subject, scope: Scope, value: str | None) -> None:
    if scope == "region":
        if not within(value or "", giver.region_code):
            raise _outside()
        return
    unit = await organisation_named(session, value or "")
    if unit is None:
        raise _invalid([FieldError("value", "unknown", Text("没有这个单位", "There is no such organisation"))])
    if not within(unit.region_code, giver.region_code):
        raise _outside()


def _outside() -> Forbidden:
    return Forbidden(
        Text("超出您的管辖范围，不能向上级平台开放", "Outside your jurisdiction: it is not yours to share upwards")
    )


async def shares(session: AsyncSession, upper_id: int) -> Sequence[HeldRight]:
    """Running rights of an upper."""
    return await access.rights_held(session, "upper", upper_id)


async def unshare(uow: UnitOfWork, upper: Upper, right_id: int, reason: str) -> None:
    """End one right of an upper; its pictures end within 2 s. Raises NotFound for a right that is not its own."""
    held = {right.id: right for right in await shares(uow.session, upper.id)}
    if right_id not in held:
        raise NotFound
    text = reason.strip()[:200] or "—"
    await access.end_rights_by_id(uow, [right_id], code="revoked", reason=text)
    detail = {"name": upper.name, "code": upper.code, "right": right_id, "reason": text}
    await audit.record(uow, "signalling.upper.unshared", object_kind="upper", object_id=upper.id, detail=detail)


async def give_alias(uow: UnitOfWork, upper: Upper, camera: Target, alias: str) -> None:
    """Name a camera at one upper, for ever. Raises Invalid, AliasTaken; the camera's own code stays (G-143)."""
    try:
        DeviceCode.parse(alias)
    except ProtocolError:
        raise _invalid([FieldError("alias", "shape", _CODE)]) from None
    taken = await repository.cameras_by_code(uow.session, [alias])
    if taken or not await repository.insert_alias(uow.session, upper.id, camera.id, alias):
        raise AliasTaken
    detail = {"name": upper.name, "camera_code": camera.code, "camera_name": camera.name, "alias": alias}
    await _tell(uow, upper, "signalling.upper.alias_given", detail)


async def standing_upper(session: AsyncSession, upper_id: int) -> repository.UpperRow:
    """An upper that was not removed. Raises UnknownUpper."""
    row = await repository.upper(session, upper_id)
    if row is None:
        raise UnknownUpper
    return row


# -- checks -------------------------------------------------------------------------------------------------------------

_CODE: Final = Text("编码应为 20 位数字", "The code must be 20 digits")
_CHECKED: Final = (
    "code",
    "name",
    "own_code",
    "domain",
    "username",
    "host",
    "port",
    "transport",
    "edition",
    "charset",
    "expires",
    "keepalive_interval",
    "keepalive_misses",
    "retry_seconds",
    "tree",
    "contact",
    "sources",
    "media_networks",
    "redirects",
)


def _invalid(found: Sequence[FieldError]) -> Invalid:
    return Invalid(
        Text("；".join(f.message.zh for f in found), "; ".join(f.message.en for f in found)), errors=list(found)
    )


def _faults(values: Mapping[str, Any]) -> list[FieldError]:
    found: list[FieldError] = []
    for name in ("code", "own_code"):
        try:
            platform = DeviceCode.parse(str(values.get(name, ""))).is_platform
        except ProtocolError:
            found.append(FieldError(name, "shape", _CODE))
            continue
        if not platform:
            found.append(
                FieldError(
                    name,
                    "type",
                    Text("平台编码第 11-13 位应为 200", "Digits 11-13 of a platform's code are 200"),
                )
            )
    if values.get("code") == values.get("own_code"):
        found.append(
            FieldError("own_code", "same", Text("上级编码不能与本平台相同", "The upper's code cannot be our own"))
        )
    for name, longest in (("name", 100), ("domain", 100), ("username", 64)):
        text = str(values.get(name) or "").strip()
        if not text or len(text) > longest or any(not c.isprintable() for c in text):
            found.append(
                FieldError(name, "length", Text(f"应为 1-{longest} 个字符", f"It has 1 to {longest} characters"))
            )
    if not _HOST.fullmatch(str(values.get("host", ""))):
        found.append(FieldError("host", "form", Text("应为 IP 地址或主机名", "An IP address or a host name")))
    for name, choices in (("transport", ("udp", "tcp")), ("tree", TREES)):
        if values.get(name, choices[0]) not in choices:
            found.append(FieldError(name, "choice", Text(f"应为 {'/'.join(choices)}", f"One of {', '.join(choices)}")))
    for name, choices in (("edition", ("2016", "2022")), ("charset", ("gb18030", "utf-8"))):
        if values.get(name) is not None and values[name] not in choices:
            found.append(FieldError(name, "choice", Text(f"应为 {'/'.join(choices)}", f"One of {', '.join(choices)}")))
    found += _number_faults(values)
    found += _network_faults(values)
    return found


_RANGES: Final[Mapping[str, tuple[int, int]]] = {
    "port": (1, 65_535),
    "expires": (60, 604_800),
    "keepalive_interval": (5, 3_600),
    "keepalive_misses": (1, 20),
    "retry_seconds": (60, 3_600),
}


def _number_faults(values: Mapping[str, Any]) -> list[FieldError]:
    found: list[FieldError] = []
    for name, (least, most) in _RANGES.items():
        value = values.get(name)
        if value is not None and not (isinstance(value, int) and least <= value <= most):
            found.append(FieldError(name, "range", Text(f"应为 {least}-{most}", f"From {least} to {most}")))
    return found


def _network_faults(values: Mapping[str, Any]) -> list[FieldError]:
    found: list[FieldError] = []
    for name in ("sources", "media_networks"):
        for text in values.get(name) or ():
            try:
                ipaddress.ip_network(str(text), strict=False)
            except ValueError:
                found.append(
                    FieldError(name, "network", Text(f"“{text}”不是网段", f"“{text}” is no network (10.1.0.0/16)"))
                )
    places = [("redirects", place) for place in values.get("redirects") or ()]
    if values.get("contact"):
        places.append(("contact", values["contact"]))
    for name, place in places:
        if not _PLACE.fullmatch(str(place)) or not 0 < int(str(place).rpartition(":")[2]) <= 65_535:
            found.append(FieldError(name, "place", Text("应写作 主机:端口", "Write it as host:port")))
    return found


def _password_faults(password: str) -> list[FieldError]:
    if 1 <= len(password) <= 128 and password.isprintable():
        return []
    return [FieldError("password", "form", Text("口令应为 1-128 个可见字符", "The password has 1 to 128 characters"))]
