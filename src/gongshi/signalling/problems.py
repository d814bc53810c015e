"""Why a camera could not be asked or did not answer: coded, in both languages, each with what to do (§10.3)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gongshi.kit.errors import Conflict, NotFound, Problem
from gongshi.kit.i18n import Text


class CallFailed(Problem):
    """An INVITE that brought no stream. `data` carries the steps up to the failure."""

    status, code, title = 502, "call_failed", Text("摄像机未能接通", "The camera could not be reached")

    def __init__(self, detail: Text, *, code: str, steps: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(detail, code=code)
        self.data: dict[str, Any] = {"steps": list(steps)}


class UnknownPeer(NotFound):
    code, title = "peer_unknown", Text("没有这个下级平台", "There is no such peer")


class PeerOffline(Conflict):
    code, title = "device_offline", Text("下级平台不在线", "The peer is offline")


class PeerExists(Conflict):
    code, title = "peer_exists", Text("该编码的下级平台已经存在", "A peer with this code exists already")


def channel_unknown() -> CallFailed:
    return CallFailed(
        Text(
            "下级平台的目录中没有这个通道：请在设备页重新查询目录，并核对编码",
            "The peer's catalogue does not list this channel: query the catalogue again and compare the code",
        ),
        code="channel_unknown",
    )


def not_playable(code: str) -> CallFailed:
    return CallFailed(
        Text(
            f"编码 {code} 的类型码 {code[10:13]} 不是摄像机，不能点播：请核对编码第 11-13 位",
            f"The type digits {code[10:13]} of {code} do not name a camera: check digits 11-13 of the code",
        ),
        code="channel_not_playable",
    )


def device_offline(name: str, reason: str | None, steps: Sequence[Mapping[str, Any]] = ()) -> CallFailed:
    why = OFFLINE_REASONS.get(reason or "", Text("从未注册", "it has never registered"))
    return CallFailed(
        Text(
            f"下级平台“{name}”不在线（{why.zh}）：请检查设备供电、网络以及注册参数",
            f"The peer “{name}” is offline ({why.en}): check its power, its network and its registration settings",
        ),
        code="device_offline",
        steps=steps,
    )


def channel_off(name: str) -> Text:
    return Text(
        f"通道“{name}”在目录中为离线状态，仍尝试点播",
        f"The catalogue lists channel “{name}” as off; asked all the same",
    )


def no_answer(name: str, seconds: float, steps: Sequence[Mapping[str, Any]], *, heard: bool) -> CallFailed:
    if heard:
        text = Text(
            f"“{name}”已收到请求但 {seconds:.0f} 秒内未接通摄像机：请检查摄像机与其平台之间的连接",
            f"“{name}” took the request but did not reach the camera within {seconds:.0f} s: check the link between "
            "the camera and its platform",
        )
    else:
        text = Text(
            f"“{name}”在 {seconds:.0f} 秒内没有任何应答：请检查 SIP 端口的双向连通与防火墙",
            f"“{name}” answered nothing within {seconds:.0f} s: check that the SIP port is open in both directions",
        )
    return CallFailed(text, code="no_answer", steps=steps)


OFFLINE_REASONS: Final[Mapping[str, Text]] = {
    "expired": Text("注册已过期未刷新", "its registration expired"),
    "silent": Text("心跳超时", "its keepalives stopped"),
    "unregistered": Text("已主动注销", "it unregistered"),
    "connection_lost": Text("TCP 连接断开", "its TCP connection broke"),
    "disabled": Text("已被停用", "it is disabled"),
    "elsewhere": Text("已改注册到另一台信令服务器", "it registered with another signalling server"),
}

_REFUSALS: Final[Mapping[int, Text]] = {
    400: Text(
        "对方认为请求格式有误：请核对通道编码的类型码与 SIP 域",
        "the peer finds the request malformed: check the channel's type digits and the SIP domain",
    ),
    403: Text(
        "对方平台拒绝了调阅：请联系其管理单位开放权限",
        "the peer refuses to show it: ask its operator to open the channel to us",
    ),
    404: Text(
        "对方没有这个通道：请重新查询目录并核对编码",
        "the peer does not know this channel: query the catalogue again and compare the code",
    ),
    408: Text("对方平台联系不上摄像机", "the peer could not reach the camera"),
    415: Text("对方不接受会话描述", "the peer does not take our session description"),
    480: Text("摄像机当前不在线", "the camera is not available at the moment"),
    486: Text(
        "摄像机的并发路数已满：请稍后重试，或在设备上释放占用",
        "the camera can serve no more viewers: try again later or free a stream on the device",
    ),
    487: Text("对方取消了请求：请核对通道编码", "the peer terminated the request: check the channel's code"),
    488: Text(
        "对方不接受媒体参数：请更换媒体传输方式（UDP 或 TCP）",
        "the peer does not accept the media terms: change the media transport (UDP or TCP)",
    ),
    500: Text("对方平台内部错误", "an internal error of the peer"),
    503: Text("对方平台繁忙，请稍后重试", "the peer is overloaded: try again later"),
    603: Text("对方拒绝接通", "the peer declines the call"),
}


def not_wanted(steps: Sequence[Mapping[str, Any]]) -> CallFailed:
    return CallFailed(Text("打开过程中已取消", "Given up while it was being opened"), code="cancelled", steps=steps)


def hung_up(steps: Sequence[Mapping[str, Any]]) -> CallFailed:
    return CallFailed(
        Text(
            "对方接通后立即挂断：请检查通道是否已被其他平台占满，或稍后重试",
            "The other side hung up as soon as it had answered: its channel may be busy with others; try again later",
        ),
        code="hung_up",
        steps=steps,
    )


def refused(status: int, reason: str, steps: Sequence[Mapping[str, Any]]) -> CallFailed:
    """A final answer of 3xx to 6xx; 486 is `busy`."""
    why = _REFUSALS.get(status, Text("请联系对方平台的管理单位", "ask the operator of the peer"))
    said = f"{status} {reason}".strip()[:80]
    code = "busy" if status == 486 else f"refused_{status}"
    return CallFailed(Text(f"对方应答 {said}：{why.zh}", f"Answered {said}: {why.en}"), code=code, steps=steps)


def unreadable_answer(detail: str, steps: Sequence[Mapping[str, Any]]) -> CallFailed:
    return CallFailed(
        Text(
            f"对方接通了但应答中的会话描述无法识别（{detail}）：请将报文记录发给设备厂商",
            f"The peer accepted, but its session description cannot be read ({detail}): show the trace to its vendor",
        ),
        code="bad_answer",
        steps=steps,
    )
