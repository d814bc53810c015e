"""Who may do what to everything that is not a camera: one table, read by `permit` and by every door.

A permission is `room.noun.verb`. Each role that has it reaches so far as the table says; a name that is not here
cannot be declared by a route, and the node does not start (design.md §6).
"""

from dataclasses import dataclass
from typing import Final, Literal

from gongshi.access.subjects import Subject, within
from gongshi.identity.roles import (
    AGENCY_CONTACT,
    AUDIT_ADMIN,
    AUDITOR,
    COUNTY_OFFICE,
    DATA_BUREAU,
    LEADING_OFFICE,
    POLICE_OFFICER,
    ROLES,
    SECURITY_ADMIN,
    SYSTEM_ADMIN,
    VIEWER,
)
from gongshi.kit.i18n import Text

PUBLIC: Final = "public"
"""Open without a login: the login itself, the node's name, health."""

SIGNED_IN: Final = "signed_in"
"""Open to every login: one's own account, the vocabulary."""

Reach = Literal["all", "own", "self", "area", "over", "authority"]
"""How far a role's permission goes.

- `all`: every object.
- `own`: objects of the subject's organisation.
- `self`: objects that the subject made.
- `area`: objects of the subject's organisation or inside its jurisdiction.
- `over`: objects of *other* organisations inside the jurisdiction, made by someone else: nobody judges their own case.
- `authority`: as `over`, and of the same level, for approvals (G-028, G-033, S-03).
"""

_BUSINESS: Final = (AGENCY_CONTACT, COUNTY_OFFICE, LEADING_OFFICE, DATA_BUREAU, POLICE_OFFICER, VIEWER)


def _by(reach: Reach, *roles: str) -> dict[str, Reach]:
    return dict.fromkeys(roles, reach)


_EVERYONE: Final = _by("all", *ROLES)
_FILERS: Final = _by("own", AGENCY_CONTACT, COUNTY_OFFICE, DATA_BUREAU, POLICE_OFFICER)
_REQUESTERS: Final = _by("own", AGENCY_CONTACT, COUNTY_OFFICE)

TABLE: Final[dict[str, dict[str, Reach]]] = {
    # identity: three administrators apart; which accounts each may touch is identity.roles.MAY_GIVE
    "identity.account.see": {SYSTEM_ADMIN: "all", SECURITY_ADMIN: "all", AUDIT_ADMIN: "all"},
    "identity.account.create": {SYSTEM_ADMIN: "all"},
    "identity.account.change": {SYSTEM_ADMIN: "all", SECURITY_ADMIN: "all", AUDIT_ADMIN: "all"},
    # registry: cameras are filtered by access.visible, these say who gets to the page at all
    "registry.region.see": _EVERYONE,
    "registry.organisation.see": _EVERYONE,
    "registry.organisation.change": {SYSTEM_ADMIN: "all"},
    "registry.platform.see": {
        LEADING_OFFICE: "area",
        DATA_BUREAU: "area",
        POLICE_OFFICER: "area",
        COUNTY_OFFICE: "own",
        AGENCY_CONTACT: "own",
        AUDITOR: "all",
    },
    "registry.camera.see": _EVERYONE,
    "registry.camera.history": {
        AGENCY_CONTACT: "own",
        COUNTY_OFFICE: "own",
        LEADING_OFFICE: "area",
        DATA_BUREAU: "area",
        POLICE_OFFICER: "area",
        AUDITOR: "all",
    },
    "registry.camera.access": {AGENCY_CONTACT: "own", COUNTY_OFFICE: "own", POLICE_OFFICER: "area", AUDITOR: "all"},
    "registry.camera.change": {AGENCY_CONTACT: "own", COUNTY_OFFICE: "own", POLICE_OFFICER: "own"},
    "registry.statistics.see": _EVERYONE,
    # inventory: an organisation files for itself, the leading-group office of its city accepts
    "inventory.form.get": _by("all", *_BUSINESS, AUDITOR),
    "inventory.filing.see": _FILERS | _by("area", LEADING_OFFICE) | _by("all", AUDITOR),
    "inventory.filing.create": _FILERS,
    "inventory.filing.submit": _FILERS,
    "inventory.filing.cancel": _FILERS,
    "inventory.filing.accept": {LEADING_OFFICE: "over"},
    "inventory.finding.waive": {LEADING_OFFICE: "over"},
    "inventory.reconciliation.see": _FILERS | _by("area", LEADING_OFFICE) | _by("all", AUDITOR),
    # signalling
    "signalling.peer.see": {
        SYSTEM_ADMIN: "all",
        POLICE_OFFICER: "area",
        DATA_BUREAU: "area",
        LEADING_OFFICE: "area",
        AGENCY_CONTACT: "own",
        COUNTY_OFFICE: "own",
        AUDITOR: "all",
    },
    "signalling.peer.change": {SYSTEM_ADMIN: "all"},
    "signalling.peer.query": {SYSTEM_ADMIN: "all", POLICE_OFFICER: "area", AGENCY_CONTACT: "own"},
    "signalling.channel.see": {
        SYSTEM_ADMIN: "all",
        POLICE_OFFICER: "area",
        DATA_BUREAU: "area",
        AGENCY_CONTACT: "own",
        COUNTY_OFFICE: "own",
        AUDITOR: "all",
    },
    # Whether this person may steer or search this camera is access.decide (actions ptz, playback).
    "signalling.camera.control": _by("all", *_BUSINESS),
    "signalling.camera.search": _by("all", *_BUSINESS),
    # Commands to a device itself; each group is a permission of its own, the first only opens the route.
    "signalling.device.command": {SYSTEM_ADMIN: "all", POLICE_OFFICER: "area", AGENCY_CONTACT: "own"},
    "signalling.device.operate": {SYSTEM_ADMIN: "all", POLICE_OFFICER: "area", AGENCY_CONTACT: "own"},
    "signalling.device.reboot": {SYSTEM_ADMIN: "all", AGENCY_CONTACT: "own"},
    "signalling.device.upgrade": {SYSTEM_ADMIN: "all"},
    "signalling.device.format": {SYSTEM_ADMIN: "all"},
    "signalling.alarm.see": {
        SYSTEM_ADMIN: "all",
        POLICE_OFFICER: "area",
        AGENCY_CONTACT: "own",
        COUNTY_OFFICE: "own",
        AUDITOR: "all",
    },
    "signalling.alarm.confirm": {POLICE_OFFICER: "area", AGENCY_CONTACT: "own", COUNTY_OFFICE: "own"},
    # uppers: administrators connect them, police decides what they may see, each inside its jurisdiction
    "signalling.upper.see": _by("all", SYSTEM_ADMIN, POLICE_OFFICER, DATA_BUREAU, LEADING_OFFICE, AUDITOR),
    "signalling.upper.change": {SYSTEM_ADMIN: "all"},
    "signalling.upper.share": {POLICE_OFFICER: "all"},
    # sharing (G-033): a department asks, the data bureau is consulted, police decides
    "sharing.vocabulary.see": _EVERYONE,
    "sharing.request.see": _by("own", AGENCY_CONTACT, COUNTY_OFFICE, VIEWER)
    | _by("area", DATA_BUREAU, POLICE_OFFICER, LEADING_OFFICE)
    | _by("all", AUDITOR),
    "sharing.request.create": _REQUESTERS,
    "sharing.request.change": _REQUESTERS,
    "sharing.request.submit": _REQUESTERS,
    "sharing.request.withdraw": _REQUESTERS,
    "sharing.request.decide": {DATA_BUREAU: "authority", POLICE_OFFICER: "authority"},
    "sharing.request.consult": {DATA_BUREAU: "authority"},
    "sharing.request.approve": {POLICE_OFFICER: "authority"},
    "sharing.grant.see": _by("own", AGENCY_CONTACT, COUNTY_OFFICE, VIEWER)
    | _by("area", DATA_BUREAU, POLICE_OFFICER, LEADING_OFFICE)
    | _by("all", AUDITOR),
    "sharing.grant.revoke": {POLICE_OFFICER: "authority", AGENCY_CONTACT: "own", COUNTY_OFFICE: "own"},
    # media: whether this person may watch this camera is access.decide; auditors read the register of sessions
    "media.session.open": _by("all", *_BUSINESS),
    "media.session.see": _by("self", *_BUSINESS) | _by("all", AUDITOR),
    "media.session.close": _by("self", *_BUSINESS),
    "media.session.control": _by("self", *_BUSINESS),
    "media.stream.see": {SYSTEM_ADMIN: "all", POLICE_OFFICER: "area", AUDITOR: "all"},
    # audit: who works with cameras does not read the log, and reading it is logged
    "audit.entry.see": {AUDITOR: "all", AUDIT_ADMIN: "all"},
    "audit.checkpoint.see": {AUDITOR: "all", AUDIT_ADMIN: "all"},
    "audit.log.verify": {AUDITOR: "all", AUDIT_ADMIN: "all"},
    "audit.log.export": {AUDITOR: "all", AUDIT_ADMIN: "all"},
    # system
    "system.event.follow": _EVERYONE,
    "system.state.see": {SYSTEM_ADMIN: "all", SECURITY_ADMIN: "all"},
    "system.setting.change": {SYSTEM_ADMIN: "all"},
}

PERMISSIONS: Final[dict[str, frozenset[str]]] = {name: frozenset(reaches) for name, reaches in TABLE.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """What the rules need to know of an object. Unknown stays None, and matches nothing but `all`."""

    organisation_id: int | None = None
    region_code: str | None = None
    level: str | None = None
    """Level of the organisation it belongs to: `city` or `county`."""
    created_by: int | None = None
    """Account that made it."""


_YES: Final = Text("可以", "Allowed")


@dataclass(frozen=True, slots=True)
class Permit:
    """The answer of `permit`."""

    allowed: bool
    known: bool = True
    """Whether the subject may know that the object exists; when not, the answer is "not found"."""
    reason: Text = _YES


_NO_ROLE = Permit(False, True, Text("您的角色没有此项权限", "Your role does not have this permission"))
_OUT_OF_REACH = Permit(False, True, Text("此项不在您的职责范围内", "This lies outside what your duty covers"))
_OWN_CASE = Permit(
    False,
    True,
    Text("不能审批本单位或本人提出的事项", "Nobody decides on what they or their own organisation asked for"),
)
_UNKNOWN = Permit(False, False, Text("没有找到，或您无权查看", "Not found, or not yours to see"))
_ALLOWED = Permit(True)


def holds(subject: Subject, permission: str) -> bool:
    """Whether any role of the subject has the permission at all: what a route asks before it does anything."""
    if permission == PUBLIC:
        return True
    if subject.kind != "person":
        return False
    return permission == SIGNED_IN or bool(subject.roles & PERMISSIONS[permission])


def permissions_of(subject: Subject) -> list[str]:
    """All names that the subject's roles give, sorted: what a page may offer."""
    return sorted(name for name in PERMISSIONS if holds(subject, name))


def permit(subject: Subject, permission: str, thing: Thing | None = None) -> Permit:
    """May the subject use the permission, on `thing` when given? KeyError for a name that is not in the table.

    A refusal says whether the subject may know of the object: only if the `see` permission of the same noun (when
    there is one) reaches it.
    """
    reaches = TABLE[permission]
    if subject.kind != "person" or not subject.roles & reaches.keys():
        return _NO_ROLE if _sees(subject, permission, thing) else _UNKNOWN
    if thing is None:
        return _ALLOWED
    wanted: set[Reach] = {reaches[role] for role in subject.roles & reaches.keys()}
    if any(_reaches(reach, subject, thing) for reach in wanted):
        return _ALLOWED
    if not _sees(subject, permission, thing):
        return _UNKNOWN
    return _OWN_CASE if wanted & {"over", "authority"} and _is_own(subject, thing) else _OUT_OF_REACH


def _sees(subject: Subject, permission: str, thing: Thing | None) -> bool:
    if thing is None:
        return True
    see = permission.rpartition(".")[0] + ".see"
    if see not in TABLE:
        return True
    return any(_reaches(reach, subject, thing) for role, reach in TABLE[see].items() if role in subject.roles)


def _is_own(subject: Subject, thing: Thing) -> bool:
    return (thing.organisation_id is not None and thing.organisation_id == subject.organisation_id) or (
        thing.created_by is not None and thing.created_by == subject.id
    )


def _reaches(reach: Reach, subject: Subject, thing: Thing) -> bool:
    if reach == "all":
        return True
    if reach == "self":
        return thing.created_by is not None and thing.created_by == subject.id
    own = thing.organisation_id is not None and thing.organisation_id == subject.organisation_id
    if reach == "own":
        return own
    inside = thing.region_code is not None and within(thing.region_code, subject.region_code)
    if reach == "area":
        return own or inside
    over = thing.organisation_id is not None and not _is_own(subject, thing) and inside
    return over and (reach == "over" or (thing.level is not None and thing.level == subject.level))
