"""The answer of the one door: may this subject do this with this camera now, why, and until when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from gongshi.kit.i18n import Text

Basis = Literal["duty", "grant", "emergency", "catalogue"]

NO_LIMITS: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed or not. `not_after` is the next moment at which the answer must be asked again; None: open-ended."""

    allowed: bool
    basis: Basis | None = None
    right_id: int | None = None
    grant_id: int | None = None
    """The grant's id for basis `grant`, the emergency's for basis `emergency`."""
    not_after: datetime | None = None
    """Earliest end of the period and of the daily hours; the right holds strictly before it."""
    limits: Mapping[str, Any] = field(default_factory=lambda: NO_LIMITS)
    """`concurrency`, `playback_hours`, `delivery` as granted; empty: none set."""
    code: str = "no_right"
    """`allowed`, or why not: `no_right`, `not_yet`, `period_over`, `outside_hours`, `suspended`."""

    @property
    def reason(self) -> Text:
        """The code as a sentence."""
        if self.allowed:
            return REASONS[self.basis or "catalogue"]
        return REASONS[self.code]


REASONS: Final[dict[str, Text]] = {
    "duty": Text("因职责可用", "Allowed by duty"),
    "grant": Text("依授权可用", "Allowed by a grant"),
    "emergency": Text("因应急授权可用", "Allowed by an emergency grant"),
    "catalogue": Text("目录信息对各单位公开", "Catalogue information is open to all organisations"),
    "no_right": Text("没有覆盖此摄像机和此操作的授权", "No right covers this camera and this action"),
    "not_yet": Text("授权尚未开始", "The right has not begun yet"),
    "period_over": Text("授权期限已到", "The period of the right is over"),
    "outside_hours": Text("现在不在授权的时段内", "Now is outside the granted hours"),
    "suspended": Text("授权已暂停", "The right is suspended"),
    "rights_unavailable": Text(
        "暂时无法核实权限，按规定不予放行，请稍后重试",
        "Rights cannot be checked at the moment, so access is refused; try again shortly",
    ),
}

DENIALS: Final[dict[str, Decision]] = {
    code: Decision(allowed=False, code=code)
    for code in ("no_right", "not_yet", "period_over", "outside_hours", "suspended", "rights_unavailable")
}
"""One shared object per refusal: the hot path allocates nothing to say no."""

CATALOGUE: Final = Decision(allowed=True, basis="catalogue", code="allowed")
