"""Roles, who may give them, and which may not meet in one person (S-13, F-1788 8.1.5)."""

from collections.abc import Iterable
from typing import Final

from gongshi.kit.i18n import Text

AGENCY_CONTACT: Final = "agency_contact"
COUNTY_OFFICE: Final = "county_office"
LEADING_OFFICE: Final = "leading_office"
DATA_BUREAU: Final = "data_bureau"
POLICE_OFFICER: Final = "police_officer"
VIEWER: Final = "viewer"
AUDITOR: Final = "auditor"
SYSTEM_ADMIN: Final = "system_admin"
SECURITY_ADMIN: Final = "security_admin"
AUDIT_ADMIN: Final = "audit_admin"

ROLES: Final[dict[str, Text]] = {
    AGENCY_CONTACT: Text("单位联络员", "Agency contact"),
    COUNTY_OFFICE: Text("县区办公室", "County office"),
    LEADING_OFFICE: Text("领导小组办公室", "Leading-group office"),
    DATA_BUREAU: Text("数据资源管理部门", "Data bureau"),
    POLICE_OFFICER: Text("公安视频管理员", "Police video officer"),
    VIEWER: Text("调阅人员", "Viewer"),
    AUDITOR: Text("审计员", "Auditor"),
    SYSTEM_ADMIN: Text("系统管理员", "System administrator"),
    SECURITY_ADMIN: Text("安全管理员", "Security administrator"),
    AUDIT_ADMIN: Text("审计管理员", "Audit administrator"),
}

BUSINESS: Final = frozenset({AGENCY_CONTACT, COUNTY_OFFICE, LEADING_OFFICE, DATA_BUREAU, POLICE_OFFICER, VIEWER})
"""Roles of people who do the city's work with cameras; only they may use camera rights."""

ADMINISTRATORS: Final = frozenset({SYSTEM_ADMIN, SECURITY_ADMIN, AUDIT_ADMIN})

RESERVED: Final = frozenset({AUDITOR, AUDIT_ADMIN, SECURITY_ADMIN})
"""Roles that watch over the system administrator, who therefore neither gives them nor touches their holders."""

MAY_GIVE: Final[dict[str, frozenset[str]]] = {
    SYSTEM_ADMIN: BUSINESS,
    SECURITY_ADMIN: BUSINESS | {SYSTEM_ADMIN, SECURITY_ADMIN},
    AUDIT_ADMIN: frozenset({AUDITOR, AUDIT_ADMIN}),
}
"""Three-way separation: the system administrator opens accounts for the business, the security administrator
decides who administers, the audit administrator decides who inspects. Nobody changes their own roles."""

KINDS: Final[dict[str, frozenset[str]]] = {
    POLICE_OFFICER: frozenset({"police"}),
    DATA_BUREAU: frozenset({"data_bureau"}),
    LEADING_OFFICE: frozenset({"leading_office"}),
    COUNTY_OFFICE: frozenset({"county_government"}),
}
"""Roles that speak for one authority fit only organisations of that kind; the others fit everywhere."""


def givable(by: Iterable[str]) -> frozenset[str]:
    """Every role that someone with the roles `by` may give and take."""
    return frozenset[str]().union(*(MAY_GIVE.get(role, frozenset()) for role in by))


def conflict(roles: frozenset[str]) -> frozenset[str]:
    """The roles of a set that may not meet in one person; empty when they may.

    The three administrators exclude each other, and neither they nor the auditor do business with cameras.
    """
    alone = roles & (ADMINISTRATORS | {AUDITOR})
    if not alone or len(roles) == 1:
        return frozenset()
    return roles
