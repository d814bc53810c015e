"""Steering a recording that plays: MANSRTSP commands in INFO requests inside its call (annex B; gb28181.md §11.2)."""

from typing import Any, Final, Literal

from gongshi.kit.errors import Conflict, Problem
from gongshi.kit.i18n import Text
from gongshi.protocols.errors import RemoteProtocolError
from gongshi.protocols.sip import Response
from gongshi.protocols.sip.mansrtsp import PlaybackAnswer, PlaybackCommand

Action = Literal["pause", "resume", "scale", "seek", "teardown"]


class NoRecording(Conflict):
    code, title = "not_a_recording", Text("没有正在播放的录像", "No recording is playing")


class SteeringFailed(Problem):
    """The device did not do it; the recording goes on as before."""

    status, code, title = 502, "steering_failed", Text("设备没有执行播放控制", "The device did not follow the command")


def command(action: Action, value: float | None, cseq: int) -> PlaybackCommand:
    """The command of an action. Scale alone for speed, Range alone for a place, as the annex wants."""
    match action:
        case "pause":
            return PlaybackCommand.pause(cseq)
        case "resume":
            return PlaybackCommand.resume(cseq)
        case "scale":
            return PlaybackCommand.speed(cseq, value or 1.0)
        case "seek":
            return PlaybackCommand.seek(cseq, value or 0.0)
        case "teardown":
            return PlaybackCommand.teardown(cseq)


_REFUSED: Final[dict[int, Text]] = {
    403: Text("设备不允许", "the device does not allow it"),
    405: Text("设备不支持播放控制", "the device does not take playback commands"),
    455: Text("当前状态下不能执行", "it cannot be done in this state"),
    457: Text("时间超出录像范围", "the time lies outside the recording"),
    481: Text("设备上的回放已经结束", "the playback has ended at the device"),
    501: Text("设备不支持这种速度或操作", "the device does not know this speed or command"),
}


def done(response: Response) -> dict[str, Any]:
    """What the device says: `{"position"?}`. Raises SteeringFailed when it refuses, in SIP or in the body (2022)."""
    status, position = response.status, None
    if response.body.strip():
        try:
            answer = PlaybackAnswer.parse(response.body)
        except RemoteProtocolError:
            # A body of another kind says nothing; the status does.
            pass
        else:
            position = answer.start
            status = max(status, answer.status)
    if status >= 300:
        why = _REFUSED.get(status, Text("设备拒绝", "the device refuses"))
        raise SteeringFailed(
            Text(f"应答 {status}：{why.zh}", f"Answered {status}: {why.en}"), code=f"steering_refused_{status}"
        )
    return {} if position is None else {"position": position}


def silent(seconds: float) -> SteeringFailed:
    return SteeringFailed(
        Text(
            f"设备在 {seconds:.0f} 秒内没有应答播放控制：请检查网络，或关闭后重新回放",
            f"The device did not answer the command within {seconds:.0f} s: check the network, or play it again",
        ),
        code="steering_unanswered",
    )
