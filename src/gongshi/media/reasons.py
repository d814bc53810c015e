"""Why a session did not open or has ended: one code, one sentence in both languages, and what to check.

"Timed out" without a reason does not exist: whoever opens or loses a picture reads which of address, port,
firewall, SSRC, codec, right or device it was.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gongshi.kit.errors import Conflict, Forbidden, Problem, TooManyRequests
from gongshi.kit.i18n import Lang, Text

Suspect = str
"""`address`, `port`, `firewall`, `ssrc`, `codec`, `right`, `device` or `engine`."""


class SessionFailed(Problem):
    """The picture could not be opened. `data` travels between processes, `extra` stands in the problem's body."""

    status, code, title = 502, "no_picture", Text("画面未能打开", "The picture could not be opened")

    def __init__(
        self,
        detail: Text,
        *,
        code: str,
        which: Sequence[Suspect] = (),
        steps: Sequence[Mapping[str, Any]] = (),
        session_id: str | None = None,
    ) -> None:
        super().__init__(detail, code=code)
        self.which = tuple(which)
        self.steps: list[Mapping[str, Any]] = list(steps)
        self.session_id = session_id

    @property
    def data(self) -> dict[str, Any]:
        """What travels with the error from the agent to the door."""
        return {"which": list(self.which), "steps": self.steps}

    @property
    def extra(self) -> dict[str, Any]:
        """What the page shows beside the sentence."""
        return {"which": list(self.which), "session": self.session_id}

    def body(self, lang: Lang) -> dict[str, object]:
        """With the steps as `StepOut` has them: one text, in the reader's language."""
        steps = [
            {"text": step.get(lang, ""), **{key: value for key, value in step.items() if key not in {"zh", "en"}}}
            for step in self.steps
        ]
        return {**super().body(lang), "steps": steps}


class NoRight(Forbidden):
    """The catalogue shows the camera, but nothing opens it to the caller; says what to ask for."""

    code = "no_right"
    title = Text("没有此摄像机的调阅授权", "No right to open this camera")


class TooManyAtOnce(TooManyRequests):
    code = "concurrency"
    title = Text("同时调阅路数已满", "Too many pictures open at once")


END_TEXTS: Final[Mapping[str, Text]] = {
    "closed": Text("本人关闭", "closed by the viewer"),
    "revoked": Text("授权已被撤销", "the grant was revoked"),
    "given_back": Text("授权已退还", "the grant was given back"),
    "period_over": Text("授权期限已到", "the period of the right is over"),
    "hours_over": Text("每日可调阅时段已过", "the daily hours are over"),
    "suspended": Text("授权已被暂停", "the right was suspended"),
    "no_right": Text("已不再有此摄像机的权限", "the right to this camera is gone"),
    "logged_out": Text("登录已退出或失效", "the login has ended"),
    "control_lost": Text(
        "控制中断：无法继续核实权限，画面已按规定关闭",
        "control lost: rights could no longer be checked, so the picture was closed",
    ),
    "finished": Text("录像已播放完毕", "the recording was played to its end"),
    "target_lost": Text("上级平台不再接收画面", "the upper platform no longer takes the picture"),
    "stream_lost": Text("设备视频中断", "the device's video broke off"),
    "not_started": Text("打开后一直没有播放", "it was opened and never played"),
    "stalled": Text("浏览器长时间没有接收画面", "the browser took no data for too long"),
    "failed": Text("画面未能打开", "the picture could not be opened"),
}

ENGINE_REASONS: Final[Mapping[str, str]] = {
    "viewer_left": "closed",
    "control_lost": "control_lost",
    "period_over": "period_over",
    "stream_closed": "stream_lost",
    "viewer_stalled": "stalled",
    "not_started": "not_started",
    "engine_stopped": "control_lost",
    "target_unreachable": "target_lost",
    "target_broken": "target_lost",
    "target_stalled": "target_lost",
}
"""The engine's own reasons (media.engine.SessionClosed) as end codes."""


def end_text(code: str) -> Text:
    return END_TEXTS.get(code, Text(code, code))


_DEVICE_SUSPECTS: Final[Mapping[str, tuple[Suspect, ...]]] = {
    "no_answer": ("address", "firewall", "device"),
    "no_call_back": ("address", "firewall", "device"),
    "voice_not_understood": ("codec",),
    "refused_415": ("codec",),
    "refused_488": ("codec",),
    "bad_answer": ("codec",),
    "role_unavailable": ("engine",),
}
"""What to check first when the call fails, by the code of `DeviceControl.invite`; else it is the device."""


def device_failure(problem: Problem) -> SessionFailed:
    """What the signal role answered: its own sentence, and what to check."""
    which = _DEVICE_SUSPECTS.get(problem.code, ("device",))
    return SessionFailed(problem.detail, code=problem.code, which=which)


_DEVICE_ENDS: Final[Mapping[str, Text]] = {
    "remote_bye": Text("设备主动结束了视频：可重新打开", "The device ended the video itself; open it again"),
    "peer_offline": Text("下级平台已离线，视频随之中断", "The platform went offline and the video with it"),
    "replaced": Text(
        "设备把视频转给了新的呼叫：可重新打开", "The device gave the video to a newer call; open it again"
    ),
}


def device_end(reason: str) -> Text:
    """Why a running call ended from the other side (`signalling.stream.ended`)."""
    return _DEVICE_ENDS.get(reason, Text("设备视频中断", "The device's video broke off"))


def no_place() -> SessionFailed:
    return SessionFailed(
        Text(
            "设备已应答，但没有给出可连接的地址和端口：请将设备的媒体传输方式改为 UDP 或 TCP 被动",
            "The device agreed but named no address and port to connect to: set its media transport to UDP or passive TCP",
        ),
        code="bad_answer",
        which=("address", "port", "device"),
    )


def not_a_recording() -> Conflict:
    return Conflict(
        Text("实时画面不能暂停、定位或变速", "A live picture cannot be paused, wound or sped up"),
        code="not_a_recording",
    )


def no_channel() -> SessionFailed:
    return SessionFailed(
        Text(
            "没有下级平台上报此摄像机的通道：请核对摄像机编码，或在平台页面重新查询目录",
            "No peer has reported a channel for this camera: compare the codes, or query the peer's catalogue again",
        ),
        code="no_channel",
        which=("device",),
    )


def media_failure(reason: str, detail: Mapping[str, Any], *, address: str, port: int, transport: str) -> SessionFailed:
    """Why no picture came after the device had agreed, read from the engine's counters (media.engine.StreamLost)."""
    place = f"{address}:{port}/{'TCP' if transport.startswith('tcp') else 'UDP'}"
    counted = {name: value for name, value in detail.items() if isinstance(value, int) and not isinstance(value, bool)}
    if reason == "no_frames":
        codec = detail.get("foreign_codec")
        if codec:
            return SessionFailed(
                Text(
                    f"收到的视频编码是 {codec}，目前支持 H.264 与 H.265：请在设备上修改编码",
                    f"The video is coded as {codec}; H.264 and H.265 are supported: change the device's setting",
                ),
                code="unsupported_codec",
                which=("codec",),
            )
        return SessionFailed(
            Text(
                "收到了数据，但没有可用的视频帧：请检查设备的封装是否为 PS，编码是否为 H.264 或 H.265",
                "Data arrived, but no usable video: check that the device sends PS with H.264 or H.265",
            ),
            code="no_video",
            which=("codec",),
        )
    if counted.get("foreign"):
        return SessionFailed(
            Text(
                f"{place} 只收到来源或 SSRC 不符的数据：请检查设备是否按邀请中的 SSRC 发送，以及中间是否有地址转换",
                f"{place} received only data of another source or SSRC: check that the device keeps the SSRC it was "
                "given, and for address translation on the way",
            ),
            code="foreign_media",
            which=("ssrc", "address"),
        )
    if counted.get("malformed"):
        return SessionFailed(
            Text(
                f"{place} 收到的数据不是 RTP：请检查设备的传输方式（UDP 或 TCP）与本平台的设置是否一致",
                f"What {place} received is not RTP: check that device and platform agree on UDP or TCP",
            ),
            code="not_rtp",
            which=("codec", "port"),
        )
    if transport == "tcp_active" and not counted.get("connections"):
        return SessionFailed(
            Text(
                "设备已应答，但无法连接到它给出的地址和端口：请检查设备侧防火墙，或改用 TCP 被动方式",
                "The device agreed but cannot be reached where it listens: check its firewall, or use passive TCP",
            ),
            code="not_reached",
            which=("address", "port", "firewall"),
        )
    if transport == "tcp_passive" and not counted.get("connections"):
        return SessionFailed(
            Text(
                f"设备已应答，但没有连接到 {place}：请检查该端口是否放行，以及设备能否到达该地址",
                f"The device agreed but never connected to {place}: check that the port is open and reachable",
            ),
            code="not_connected",
            which=("port", "firewall", "address"),
        )
    return SessionFailed(
        Text(
            f"设备已应答，但 {place} 没有收到任何数据：请检查收流地址是否填对、端口是否被防火墙拦截",
            f"The device agreed, but nothing arrived at {place}: check the receive address and the firewall",
        ),
        code="no_media",
        which=("address", "port", "firewall"),
    )
