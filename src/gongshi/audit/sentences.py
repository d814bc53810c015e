"""One sentence per entry, as a person would tell it (ui.md page 8), in both languages.

Everything said comes from the entry itself: names as they were at that moment, never looked up again.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from gongshi.kit import clock
from gongshi.kit.i18n import Text

_PLAIN: dict[str, Text] = {
    "identity.login.succeeded": Text("登录", "logged in"),
    "identity.login.failed": Text("登录失败{as_user}", "failed to log in{as_user}"),
    "identity.login.ended": Text("退出登录", "logged out"),
    "identity.account.locked": Text("账号{named}被锁定", "account{named} was locked"),
    "identity.account.created": Text("新建账号{named}", "created account{named}"),
    "identity.account.changed": Text("修改账号{named}", "changed account{named}"),
    "identity.password.changed": Text("修改了密码", "changed the password"),
    "identity.password.reset": Text("重置了账号{named}的密码", "reset the password of account{named}"),
    "inventory.filing.uploaded": Text("上传填报表{file}{of}", "uploaded the inventory form{file}{of}"),
    "inventory.filing.submitted": Text("提交填报{file}{of}", "submitted the filing{file}{of}"),
    "inventory.filing.accepted": Text("接收填报{file}{of}{filed}", "accepted the filing{file}{of}{filed}"),
    "inventory.filing.sent_back": Text("退回填报{file}{of}{because}", "sent the filing{file}{of} back{because}"),
    "inventory.filing.cancelled": Text("取消填报{file}{of}", "cancelled the filing{file}{of}"),
    "inventory.finding.waived": Text("豁免填报{of}的校验问题{because}", "waived a finding of the filing{of}{because}"),
    "registry.camera.created": Text("登记摄像机{camera}{of}{counts}", "registered camera{camera}{of}{counts}"),
    "registry.camera.updated": Text(
        "变更摄像机档案{camera}{of}{counts}", "changed the record of camera{camera}{of}{counts}"
    ),
    "signalling.peer.created": Text("新增下级平台{named}", "added peer{named}"),
    "signalling.peer.changed": Text("修改下级平台{named}", "changed peer{named}"),
    "signalling.peer.registered": Text("作为下级平台注册上线", "registered as a peer"),
    "signalling.peer.moved": Text(
        "作为下级平台换地址注册{because}", "registered as a peer from another address{because}"
    ),
    "signalling.peer.offline": Text("作为下级平台离线{because}", "went offline as a peer{because}"),
    "signalling.peer.refused": Text("注册被拒绝{times}", "was refused registration{times}"),
    "signalling.upper.created": Text("新增上级平台{named}", "added upper platform{named}"),
    "signalling.upper.changed": Text("修改上级平台{named}", "changed upper platform{named}"),
    "signalling.upper.password_set": Text(
        "更换上级平台{named}的口令", "replaced the password at upper platform{named}"
    ),
    "signalling.upper.removed": Text("删除上级平台{named}", "removed upper platform{named}"),
    "signalling.upper.refused": Text(
        "以上级平台{named}名义的请求被拒绝{because}{times}",
        "a request in the name of upper platform{named} was refused{because}{times}",
    ),
    "signalling.upper.controlled": Text("控制摄像机{camera}{times}", "controlled camera{camera}{times}"),
    "signalling.upper.shared": Text(
        "向上级平台{named}开放{cameras}", "opened cameras to upper platform{named}{cameras}"
    ),
    "signalling.upper.unshared": Text(
        "收回上级平台{named}的权限{because}", "ended a right of upper platform{named}{because}"
    ),
    "signalling.upper.alias_given": Text(
        "设定摄像机{camera}在上级平台的编码", "gave camera{camera} a code of its own at an upper platform"
    ),
    "signalling.peer.removed": Text("删除下级平台{named}", "removed peer{named}"),
    "signalling.peer.queried": Text("查询下级平台{named}的设备信息", "asked peer{named} about itself"),
    "signalling.subscription.chosen": Text("设置对下级平台{named}的订阅", "chose the subscriptions to peer{named}"),
    "signalling.camera.refused": Text(
        "操作摄像机{camera}被拒{because}", "was refused the use of camera{camera}{because}"
    ),
    "signalling.ptz.taken": Text("开始控制摄像机{camera}的云台", "began to move camera{camera}"),
    "signalling.preset.changed": Text("修改摄像机{camera}的预置位", "changed a preset of camera{camera}"),
    "signalling.recordings.searched": Text("检索摄像机{camera}的录像", "searched recordings of camera{camera}"),
    "signalling.device.commanded": Text("向设备{named}发出控制命令", "sent a command to device{named}"),
    "signalling.alarm.confirmed": Text("确认设备报警", "confirmed an alarm"),
    "signalling.catalogue.queried": Text("查询下级平台{named}的目录", "queried the catalogue of peer{named}"),
    "sharing.request.created": Text("起草共享申请 {request}{cameras}", "drafted sharing request {request}{cameras}"),
    "sharing.request.changed": Text("修改共享申请 {request}", "changed sharing request {request}"),
    "sharing.camera.refused": Text(
        "审批共享申请 {request}：不予批准{camera}{because}", "refused{camera} in sharing request {request}{because}"
    ),
    "sharing.request.submitted": Text(
        "提交共享申请 {request}{cameras}{purpose}", "submitted sharing request {request}{cameras}{purpose}"
    ),
    "sharing.request.withdrawn": Text("撤回共享申请 {request}", "withdrew sharing request {request}"),
    "sharing.request.consulted": Text(
        "会商共享申请 {request}：{outcome}{comment}", "was consulted on sharing request {request}: {outcome}{comment}"
    ),
    "sharing.decision.made": Text(
        "审批共享申请 {request}：{outcome}{comment}", "decided on sharing request {request}: {outcome}{comment}"
    ),
    "sharing.grant.opened": Text(
        "开通授权 {grant}{grantee}{cameras}{purpose}{until}", "opened grant {grant}{grantee}{cameras}{purpose}{until}"
    ),
    "sharing.grant.revoked": Text("撤销授权 {grant}{grantee}{because}", "revoked grant {grant}{grantee}{because}"),
    "sharing.grant.given_back": Text("退还授权 {grant}{because}", "gave grant {grant} back{because}"),
    "sharing.grant.expired": Text("授权 {grant} 到期{grantee}", "grant {grant} expired{grantee}"),
    "media.session.opened": Text("申请{action}{camera}{reason}{basis}", "asked to {action}{camera}{reason}{basis}"),
    "media.session.refused": Text("{action}{camera}被拒绝{because}", "was refused to {action}{camera}{because}"),
    "media.session.started": Text("开始{action}{camera}{basis}", "began to {action}{camera}{basis}"),
    "media.session.failed": Text("{action}{camera}未能打开{because}", "could not {action}{camera}{because}"),
    "media.session.ended": Text(
        "{action}{camera}{seconds}{basis}{reason}，结束原因：{end}",
        "{action_past}{camera}{seconds}{basis}{reason}; it ended because: {end}",
    ),
    "audit.log.read": Text("查阅审计日志{filters}", "read the log{filters}"),
    "audit.log.verified": Text("验证审计日志：{result}", "verified the log: {result}"),
    "audit.log.exported": Text("导出审计日志", "exported the log"),
    "access.denied": Text("访问被拒绝{route}{because}", "was denied access{route}{because}"),
}

_ACTIONS = {
    "see": ("查看", "see", "saw"),
    "live": ("观看", "watch", "watched"),
    "playback": ("回放", "play back", "played back"),
    "download": ("下载", "download", "downloaded"),
    "snapshot": ("抓拍", "take a snapshot of", "took a snapshot of"),
}
_NOBODY = {
    "person": Text("未知账号", "An unknown account"),
    "service": Text("接口账号", "A service account"),
    "upper": Text("上级平台", "An upper platform"),
}
"""Who acted, where no name is on record."""

_CONDITIONS = {
    "q": Text("关键词", "words"),
    "action": Text("操作", "action"),
    "person": Text("人员", "person"),
    "organisation": Text("单位", "unit"),
    "camera": Text("摄像机", "camera"),
    "grant": Text("授权", "grant"),
    "session": Text("调阅", "session"),
    "since": Text("自", "from"),
    "until": Text("至", "to"),
}

_OUTCOMES = {
    "agreed": Text("同意", "agreed"),
    "objected": Text("不同意", "objected"),
    "sent_back": Text("退回补充", "sent back"),
    "approved": Text("批准", "approved"),
    "partly_approved": Text("部分批准", "approved in part"),
    "refused": Text("不予批准", "refused"),
}


def detail_of(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry's detail as an object; empty when someone has put anything else there."""
    try:
        value: Any = json.loads(entry["detail"] or "{}")
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _both(value: Any) -> Text | None:
    """A text in a detail: either `{"zh", "en"}` or one string for both."""
    if isinstance(value, Mapping):
        pair = cast("Mapping[str, Any]", value)
        return Text(str(pair.get("zh", "")), str(pair.get("en", "")))
    if isinstance(value, str | int | float) and value != "":
        return Text(str(value), str(value))
    return None


def _part(value: Text | None, zh: str, en: str) -> Text:
    return Text(zh.format(value.zh), en.format(value.en)) if value is not None else Text("", "")


def _conditions(value: Any) -> Text | None:
    """What the log was searched for, each condition by its name on the page."""
    if not isinstance(value, Mapping) or not value:
        return None
    pairs = [
        (_CONDITIONS.get(str(key), Text(str(key), str(key))), str(word))
        for key, word in cast("Mapping[Any, Any]", value).items()
    ]
    return Text(
        "，".join(f"{name.zh} {word}" for name, word in pairs), ", ".join(f"{name.en} {word}" for name, word in pairs)
    )


def _pieces(entry: Mapping[str, Any], detail: Mapping[str, Any]) -> dict[str, Text]:
    def of(*keys: str) -> Text | None:
        return next((text for key in keys if (text := _both(detail.get(key))) is not None), None)

    camera = of("camera_name", "camera_code")
    if camera is None and entry.get("camera_id") is not None:
        camera = Text(f"（{entry['camera_id']} 号）", f"no. {entry['camera_id']}")
    grant = of("grant_number")
    action = _ACTIONS.get(str(detail.get("action", "live")), ("调阅", "open", "opened"))
    seconds, cameras = detail.get("seconds"), detail.get("cameras")
    new, changed = detail.get("new"), detail.get("changed")
    counts, number = detail.get("counts"), (detail.get("created"), detail.get("count"))
    total = next((value for value in number if isinstance(value, int)), None)
    if isinstance(counts, Mapping):
        counted = cast("Mapping[str, Any]", counts).get("cameras")
        total = counted if isinstance(counted, int) else total
    basis = {
        "duty": Text("，依据本职", ", by duty"),
        "emergency": Text("，依据应急授权", ", by an emergency grant"),
    }.get(str(detail.get("basis")), Text("", ""))
    purpose = _part(of("purpose"), "，目的 {}", ", purpose {}")
    if grant is not None:
        basis = Text(f"，依据授权 {grant.zh}", f", under grant {grant.en}")
    session = str(entry.get("action", "")).startswith("media.")
    return {
        "camera": _part(camera, " {}", " {}"),
        "grant": grant or Text("", ""),
        "basis": Text(basis.zh + purpose.zh, basis.en + purpose.en) if session else basis,
        "purpose": purpose,
        "action": Text(action[0], action[1]),
        "action_past": Text("", action[2]),
        "seconds": Text(f" {seconds:.0f} 秒", f" for {seconds:.0f} s")
        if isinstance(seconds, int | float)
        else Text("", ""),
        "cameras": Text(f"，摄像机 {cameras} 台", f", {cameras} cameras") if isinstance(cameras, int) else Text("", ""),
        "counts": Text(f"，{total} 台", f", {total} cameras") if total is not None else Text("", ""),
        "request": of("request_number", "number") or Text("", ""),
        "outcome": _OUTCOMES.get(str(detail.get("outcome")), Text("", "")),
        "comment": _part(of("comment"), "（{}）", " ({})"),
        "because": _part(of("because", "reason", "comment"), "，原因：{}", ", because: {}"),
        "of": _part(of("organisation"), "（{}）", " ({})"),
        "filed": Text(f"，新增 {new} 台，变更 {changed} 台", f", {new} cameras new, {changed} changed")
        if isinstance(new, int) and isinstance(changed, int)
        else Text("", ""),
        "times": _part(of("count"), "，共 {} 次", ", {} times"),
        "reason": _part(of("reason"), "，事由 {}", ", reason {}") if session else Text("", ""),
        "end": of("end_reason", "end_code", "code") or Text("未记录", "not recorded"),
        "until": _part(of("until"), "，至 {}", ", until {}"),
        "grantee": _part(of("grantee"), "（{}）", " ({})"),
        "as_user": _part(of("username"), "（账号 {}）", " as {}"),
        "named": _part(of("name", "username", "code"), " {} ", " {}"),
        "file": _part(of("file_name"), "《{}》", " “{}”"),
        "filters": _part(_conditions(detail.get("conditions")) or of("filters"), "（{}）", " ({})"),
        "result": of("result") or Text("", ""),
        "route": _part(of("permission", "route", "path"), "（{}）", " ({})"),
    }


def sentence(entry: Mapping[str, Any]) -> Text:
    """The entry in one sentence, for example `市应急局 值班员 于 10:31:07 观看 城东路口 43 秒，依据授权 G-2026-0142…`.

    `entry` holds the columns of `audit.entry`. An action without words of its own is told by its name.
    """
    moment = entry["at"] if isinstance(entry["at"], datetime) else datetime.fromisoformat(str(entry["at"]))
    time_text = clock.local(moment).strftime("%H:%M:%S")
    name, unit = str(entry.get("actor_name") or ""), str(entry.get("organisation_name") or "")
    if entry.get("actor_kind") == "system":
        who = Text("系统", "The system")
    else:
        words, kind = " ".join(word for word in (unit, name) if word), str(entry.get("actor_kind"))
        who = Text(words, words) if words else _NOBODY.get(kind, Text(kind, kind))
    action = str(entry["action"])
    template = _PLAIN.get(action)
    if template is None:
        return Text(f"{who.zh} 于 {time_text} 执行 {action}", f"{who.en} at {time_text}: {action}")
    pieces = _pieces(entry, detail_of(entry))
    zh = template.zh.format(**{key: value.zh for key, value in pieces.items()})
    en = template.en.format(**{key: value.en for key, value in pieces.items()})
    # A name at the very end brings a space for words that do not follow.
    return Text(f"{who.zh} 于 {time_text} {zh}".rstrip(), f"{who.en} at {time_text} {en}".rstrip())
