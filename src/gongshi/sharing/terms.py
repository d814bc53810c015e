"""The terms of a request or grant: what is asked, and whether it may be asked at all. Pure (S-01, S-04, G-033)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from gongshi.access.actions import ACTION_WORDS, Action, parse_actions
from gongshi.access.hours import Hours
from gongshi.kit import clock
from gongshi.kit.errors import FieldError, Invalid
from gongshi.kit.i18n import Text
from gongshi.sharing.vocabulary import LEGAL_BASES, PURPOSES, code_of

LONGEST: Final = timedelta(days=366)
MAX_CAMERAS: Final = 2000
MAX_CONCURRENCY: Final = 64
MAX_PLAYBACK_HOURS: Final = 24 * 90
DELIVERIES: Final = ("portal",)
"""What a grant can be delivered by today; API, cascade and industry push come with their rooms."""

ASKABLE: Final = Action.LIVE | Action.PLAYBACK | Action.DOWNLOAD | Action.SNAPSHOT | Action.PTZ | Action.RESULTS
"""`see` comes with each of them; talk is not shared."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What is asked for all cameras of a request. Moments are aware."""

    title: str
    purpose: str
    """A code of `vocabulary.PURPOSES` or free text."""
    legal_basis: str
    actions: tuple[str, ...]
    valid_from: datetime
    valid_to: datetime
    hours: dict[str, Any] | None
    playback_hours: int | None
    concurrency: int
    delivery: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Narrow:
    """Terms that replace the asked ones for one camera; None keeps what was asked."""

    actions: tuple[str, ...] | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    hours: dict[str, Any] | None = None
    playback_hours: int | None = None
    concurrency: int | None = None

    def stored(self) -> dict[str, Any]:
        """As the request's row keeps it; empty when nothing is narrowed."""
        moments = {"valid_from": self.valid_from, "valid_to": self.valid_to}
        return {
            **({"actions": list(self.actions)} if self.actions is not None else {}),
            **{name: value.isoformat() for name, value in moments.items() if value is not None},
            **({"hours": self.hours} if self.hours is not None else {}),
            **({"playback_hours": self.playback_hours} if self.playback_hours is not None else {}),
            **({"concurrency": self.concurrency} if self.concurrency is not None else {}),
        }


@dataclass(frozen=True, slots=True)
class Effective:
    """The terms that hold for one camera in the end; equal ones share a right."""

    actions: Action
    valid_from: datetime
    valid_to: datetime
    hours: tuple[tuple[int, ...], str, str] | None
    playback_hours: int | None
    concurrency: int

    def hours_stored(self) -> dict[str, Any] | None:
        if self.hours is None:
            return None
        days, begin, end = self.hours
        return {"days": list(days), "from": begin, "to": end}


def _hours_key(hours: Mapping[str, Any] | None) -> tuple[tuple[int, ...], str, str] | None:
    if hours is None:
        return None
    stored = Hours.parse(hours).stored()
    return tuple(stored["days"]), stored["from"], stored["to"]


def _wrong(field: str, code: str, zh: str, en: str) -> FieldError:
    return FieldError(field, code, Text(zh, en))


def parse_hours(value: Mapping[str, Any] | None, field: str, errors: list[FieldError]) -> dict[str, Any] | None:
    """The one spelling of daily hours; None when they leave no gap. Adds what is wrong to `errors`."""
    if value is None:
        return None
    try:
        hours = Hours.parse(value)
    except ValueError as error:
        errors.append(
            _wrong(
                field,
                "hours",
                '每日时段有误，请按 {"days": [1-7], "from": "08:00", "to": "18:00"} 填写',
                f'The daily hours are wrong ({error}); write {{"days": [1-7], "from": "08:00", "to": "18:00"}}',
            )
        )
        return None
    return None if hours.always else hours.stored()


def _check_actions(actions: Sequence[str], errors: list[FieldError]) -> None:
    unknown = [word for word in actions if word not in ACTION_WORDS]
    if unknown or not actions:
        errors.append(
            _wrong(
                "actions",
                "actions",
                f"请选择至少一项操作，可用：{'、'.join(ASKABLE.words)}",
                f"Choose at least one action of {', '.join(ASKABLE.words)}",
            )
        )
        return
    mask = parse_actions(actions)
    if mask & ~(ASKABLE | Action.SEE):
        errors.append(_wrong("actions", "not_shared", "语音对讲不通过共享开放", "Talking is not opened by sharing"))
    if not mask & ~Action.SEE:
        errors.append(
            _wrong(
                "actions",
                "only_see",
                "查看信息随其他操作附带，请选择要做的操作",
                "`see` comes with the others; say what to do",
            )
        )
    if mask & (Action.DOWNLOAD | Action.PTZ) and not mask & (Action.LIVE | Action.PLAYBACK):
        errors.append(
            _wrong(
                "actions",
                "needs_picture",
                "下载须同时申请回放，云台须同时申请实时调阅",
                "Download needs playback, and moving the camera needs live viewing",
            )
        )


def check(terms: Terms, camera_count: int, now: datetime) -> Terms:
    """The terms in their one spelling. Invalid with everything that is wrong at once.

    Purpose and legal basis are mandatory (S-01), the period at most a year (S-04). `live` never implies `ptz`:
    only what is named is asked for.
    """
    errors: list[FieldError] = []
    purpose, legal_basis = terms.purpose.strip(), terms.legal_basis.strip()
    if len(purpose) < 2:
        errors.append(
            _wrong("purpose", "missing", "请填写申请目的，例如：防汛值守", "State the purpose, for example flood watch")
        )
    if len(legal_basis) < 2:
        errors.append(
            _wrong(
                "legal_basis", "missing", "请填写依据的法律法规或职责文件", "State the law or the mandate this rests on"
            )
        )
    _check_actions(terms.actions, errors)
    for field, moment in (("valid_from", terms.valid_from), ("valid_to", terms.valid_to)):
        if moment.tzinfo is None:
            errors.append(
                _wrong(
                    field, "no_time_zone", "时间缺少时区（例如 +08:00）", "The time lacks its offset, such as +08:00"
                )
            )
    if not any(error.code == "no_time_zone" for error in errors):
        if terms.valid_to <= terms.valid_from:
            errors.append(
                _wrong("valid_to", "period", "截止时间须晚于开始时间", "The end must be later than the beginning")
            )
        elif terms.valid_to - terms.valid_from > LONGEST:
            errors.append(
                _wrong(
                    "valid_to",
                    "too_long",
                    "期限不得超过一年，到期可再申请",
                    "At most a year; ask again when it is over",
                )
            )
        if terms.valid_to <= now:
            errors.append(_wrong("valid_to", "past", "截止时间已经过去", "The end lies in the past"))
    hours = parse_hours(terms.hours, "hours", errors)
    if not 1 <= terms.concurrency <= MAX_CONCURRENCY:
        errors.append(
            _wrong(
                "concurrency",
                "range",
                f"同时调阅路数须在 1 至 {MAX_CONCURRENCY} 之间",
                f"Between 1 and {MAX_CONCURRENCY} pictures at once",
            )
        )
    if terms.playback_hours is not None and not 1 <= terms.playback_hours <= MAX_PLAYBACK_HOURS:
        errors.append(
            _wrong(
                "playback_hours",
                "range",
                f"可回放的时长须在 1 至 {MAX_PLAYBACK_HOURS} 小时之间",
                f"Between 1 and {MAX_PLAYBACK_HOURS} hours back",
            )
        )
    if not terms.delivery or any(way not in DELIVERIES for way in terms.delivery):
        errors.append(
            _wrong("delivery", "delivery", "目前的交付方式只有 portal（门户）", "The only delivery so far is portal")
        )
    if not 1 <= camera_count <= MAX_CAMERAS:
        errors.append(
            _wrong(
                "cameras", "count", f"请选择 1 至 {MAX_CAMERAS} 台摄像机", f"Choose between 1 and {MAX_CAMERAS} cameras"
            )
        )
    if errors:
        raise Invalid(errors=errors)
    mask = parse_actions(terms.actions) & ~Action.SEE
    return Terms(
        title=terms.title.strip()[:120],
        purpose=code_of(PURPOSES, purpose),
        legal_basis=code_of(LEGAL_BASES, legal_basis),
        actions=tuple(mask.words),
        valid_from=terms.valid_from,
        valid_to=terms.valid_to,
        hours=hours,
        playback_hours=terms.playback_hours,
        concurrency=terms.concurrency,
        delivery=tuple(dict.fromkeys(terms.delivery)),
    )


def _week(hours: Mapping[str, Any] | None) -> list[bool]:
    """The minutes of a week that daily hours open, Monday first."""
    if hours is None:
        return [True] * (7 * 1440)
    parsed, week = Hours.parse(hours), [False] * (7 * 1440)
    for day in parsed.days:
        for minute in range(parsed.start, parsed.end):
            week[((day - 1) * 1440 + minute) % (7 * 1440)] = True
    return week


def inside(inner: Mapping[str, Any] | None, outer: Mapping[str, Any] | None) -> bool:
    """Whether daily hours lie inside others; None is all day."""
    return outer is None or all(
        allowed or not wanted for wanted, allowed in zip(_week(inner), _week(outer), strict=True)
    )


def narrowed(asked: Terms, narrow: Narrow, field: str, errors: list[FieldError]) -> Narrow:
    """The narrower terms in their one spelling; adds to `errors` whatever would widen the request."""
    hours = parse_hours(narrow.hours, f"{field}.hours", errors)
    actions = narrow.actions
    if actions is not None:
        if unknown := [word for word in actions if word not in ACTION_WORDS]:
            errors.append(
                _wrong(f"{field}.actions", "actions", f"没有操作 {unknown[0]}", f"There is no action {unknown[0]}")
            )
            return narrow
        mask = parse_actions(actions) & ~Action.SEE
        if not mask or mask & ~parse_actions(asked.actions):
            errors.append(
                _wrong(
                    f"{field}.actions", "wider", "限缩只能在所申请的操作之内", "Narrowing may only take actions away"
                )
            )
        actions = tuple(mask.words)
    begin, end = narrow.valid_from or asked.valid_from, narrow.valid_to or asked.valid_to
    if begin.tzinfo is None or end.tzinfo is None:
        errors.append(
            _wrong(f"{field}.valid_to", "no_time_zone", "时间缺少时区（例如 +08:00）", "The time lacks its offset")
        )
    elif begin < asked.valid_from or end > asked.valid_to or begin >= end:
        errors.append(
            _wrong(
                f"{field}.valid_to",
                "wider",
                "限缩后的期限须在所申请的期限之内",
                "The period must lie inside the one asked for",
            )
        )
    legible = not any(error.field == f"{field}.hours" for error in errors)
    if narrow.hours is not None and legible and not inside(hours, asked.hours):
        errors.append(
            _wrong(
                f"{field}.hours",
                "wider",
                "限缩后的时段须在所申请的时段之内",
                "The hours must lie inside those asked for",
            )
        )
    depth, most = narrow.playback_hours, narrow.concurrency
    if depth is not None and (depth < 1 or (asked.playback_hours is not None and depth > asked.playback_hours)):
        errors.append(
            _wrong(f"{field}.playback_hours", "wider", "回放时长只能缩短", "Playback may only become shorter")
        )
    if most is not None and not 1 <= most <= asked.concurrency:
        errors.append(_wrong(f"{field}.concurrency", "wider", "同时路数只能减少", "Fewer at once, not more"))
    return Narrow(actions, narrow.valid_from, narrow.valid_to, hours, depth, most)


def effective(asked: Terms, narrow: Mapping[str, Any] | None) -> Effective:
    """What holds for one camera, from the asked terms and what the decision stored for it."""
    changed = narrow or {}
    return Effective(
        actions=parse_actions(changed.get("actions", asked.actions)),
        valid_from=datetime.fromisoformat(changed["valid_from"]) if "valid_from" in changed else asked.valid_from,
        valid_to=datetime.fromisoformat(changed["valid_to"]) if "valid_to" in changed else asked.valid_to,
        hours=_hours_key(changed.get("hours", asked.hours)),
        playback_hours=changed.get("playback_hours", asked.playback_hours),
        concurrency=changed.get("concurrency", asked.concurrency),
    )


def period_text(begin: datetime, end: datetime, hours: Mapping[str, Any] | None) -> Text:
    """`2026-11-22 至 2026-12-22 18:00，每日 08:00–18:00` on a Chinese wall clock."""
    first, last = (clock.local(moment).strftime("%Y-%m-%d %H:%M") for moment in (begin, end))
    daily, daily_en = "", ""
    if hours is not None:
        days: list[int] = list(hours["days"])
        names = "一二三四五六日"
        which = "每日" if len(days) == 7 else "每周" + "、".join(names[day - 1] for day in days)
        which_en = (
            "daily"
            if len(days) == 7
            else ", ".join(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[d - 1] for d in days)
        )
        daily, daily_en = f"，{which} {hours['from']}–{hours['to']}", f", {which_en} {hours['from']}–{hours['to']}"
    return Text(f"{first} 至 {last}{daily}", f"{first} to {last}{daily_en}")
