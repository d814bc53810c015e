"""Why a device did not do what it was asked: coded, in both languages, each with what to do (gb28181.md §6-8)."""

from collections.abc import Mapping
from typing import Any

from gongshi.kit.errors import BadRequest, Conflict, NotFound, Problem
from gongshi.kit.i18n import Lang, Text


class QueryFailed(Problem):
    """A query or command that brought no answer, or a refusal."""

    status, code, title = 502, "device_failed", Text("设备没有完成请求", "The device did not do what it was asked")


class PtzHeld(Conflict):
    """Somebody else moves the camera. `data` names the holder."""

    code, title = "ptz_held", Text("云台正被他人控制", "Somebody else is moving the camera")

    def __init__(self, detail: Text, data: Mapping[str, Any]) -> None:
        super().__init__(detail)
        self.data = dict(data)

    def body(self, lang: Lang) -> dict[str, object]:
        """With the holder."""
        return {**super().body(lang), "holder": self.data}


class PeerInUse(Conflict):
    code, title = "peer_in_use", Text("下级平台已有记录，不能删除", "The peer has records and cannot be removed")


class UnknownChannel(NotFound):
    code, title = "channel_unknown", Text("没有这个通道", "There is no such channel")


class NotInEdition(BadRequest):
    """A peer of 2016 is asked for what 2022 brought."""

    code, title = "not_in_edition", Text("对方的协议版本没有这项功能", "The peer's edition does not have this")


def silent(name: str, seconds: float, *, acknowledged: bool) -> QueryFailed:
    if acknowledged:
        text = Text(
            f"“{name}”已收到请求，但 {seconds:.0f} 秒内没有回复结果：设备可能不支持此项，可查看报文记录",
            f"“{name}” took the request but sent no result within {seconds:.0f} s: it may not support it; see the trace",
        )
        return QueryFailed(text, code="no_result")
    text = Text(
        f"“{name}”没有应答：请检查网络与 SIP 端口的双向连通",
        f"“{name}” did not answer: check the network and that the SIP port is open in both directions",
    )
    return QueryFailed(text, code="no_answer")


_REFUSALS: Mapping[int, Text] = {
    400: Text(
        "对方认为请求有误：请核对编码第 11-13 位的类型码",
        "the peer finds the request malformed: check the type digits 11-13 of the code",
    ),
    403: Text("对方不允许此操作：请联系其管理单位", "the peer does not allow it: ask its operator"),
    404: Text("对方没有这个通道：请重新查询目录", "the peer does not know the channel: query the catalogue again"),
    481: Text("对方已丢失会话，请重试", "the peer lost the session: try again"),
    487: Text("对方中止了请求：请核对编码的类型码", "the peer terminated the request: check the code's type digits"),
    503: Text("对方繁忙，请稍后重试", "the peer is overloaded: try again later"),
}


def refused(name: str, status: int) -> QueryFailed:
    """A SIP status of 3xx to 6xx (Q-40)."""
    why = _REFUSALS.get(status, Text("请查看报文记录", "see the trace"))
    return QueryFailed(
        Text(f"“{name}”应答 {status}：{why.zh}", f"“{name}” answered {status}: {why.en}"), code=f"refused_{status}"
    )


def declined(name: str) -> QueryFailed:
    """Result ERROR."""
    return QueryFailed(
        Text(
            f"“{name}”报告执行失败：该设备可能不支持，或通道当前不在线",
            f"“{name}” reports an error: it may not support this, or the channel is not online",
        ),
        code="device_error",
    )


def unreadable(name: str, detail: str) -> QueryFailed:
    return QueryFailed(
        Text(
            f"“{name}”的回复无法识别（{detail}）：请将报文记录发给设备厂商",
            f"The answer of “{name}” cannot be read ({detail}): show the trace to its vendor",
        ),
        code="bad_answer",
    )


def gone(name: str) -> QueryFailed:
    return QueryFailed(
        Text(f"“{name}”在等待结果时离线", f"“{name}” went offline before its result came"), code="device_offline"
    )


def not_in_edition(name: str, detail: str) -> NotInEdition:
    return NotInEdition(
        Text(
            f"“{name}”使用的协议版本或参数不允许此项（{detail}）",
            f"The edition or the values for “{name}” do not allow this ({detail})",
        )
    )
