"""What one can do with a camera (design.md §2), as a bit mask so that a right is one integer."""

from collections.abc import Iterable
from enum import IntFlag

from gongshi.kit.errors import BadRequest, FieldError
from gongshi.kit.i18n import Text


class Action(IntFlag):
    """One bit per action; the numbers are stored in `access.right.actions` and must never change."""

    SEE = 1
    LIVE = 2
    PLAYBACK = 4
    DOWNLOAD = 8
    SNAPSHOT = 16
    PTZ = 32
    TALK = 64
    RESULTS = 128

    @property
    def label(self) -> Text:
        """What people call it; a single action only."""
        return LABELS[self]

    @property
    def words(self) -> list[str]:
        """The names on the wire, in the order of the bits."""
        return [action.wire for action in Action if action in self]

    @property
    def wire(self) -> str:
        """The name of a single action in the API, for example `live`."""
        return WIRE[self]


WIRE: dict[Action, str] = {
    Action.SEE: "see",
    Action.LIVE: "live",
    Action.PLAYBACK: "playback",
    Action.DOWNLOAD: "download",
    Action.SNAPSHOT: "snapshot",
    Action.PTZ: "ptz",
    Action.TALK: "talk",
    Action.RESULTS: "results",
}

LABELS: dict[Action, Text] = {
    Action.SEE: Text("查看信息", "see details"),
    Action.LIVE: Text("实时调阅", "watch live"),
    Action.PLAYBACK: Text("录像回放", "play back"),
    Action.DOWNLOAD: Text("录像下载", "download"),
    Action.SNAPSHOT: Text("抓图", "take snapshots"),
    Action.PTZ: Text("云台控制", "move the camera"),
    Action.TALK: Text("语音对讲", "talk"),
    Action.RESULTS: Text("分析结果", "read analysis results"),
}

_BY_WORD = {word: action for action, word in WIRE.items()}

ACTION_WORDS: tuple[str, ...] = tuple(WIRE.values())


def parse_action(word: str) -> Action:
    """One action from its name on the wire; BadRequest when there is none of that name."""
    action = _BY_WORD.get(word)
    if action is None:
        message = Text(
            "没有名为“{word}”的操作，可用：{words}", "There is no action “{word}”; use one of {words}"
        ).format(word=word[:32], words=", ".join(ACTION_WORDS))
        raise BadRequest(message, code="unknown_action", errors=[FieldError("action", "unknown_action", message)])
    return action


def parse_actions(words: Iterable[str]) -> Action:
    """The mask of several names; BadRequest at the first unknown one."""
    mask = Action(0)
    for word in words:
        mask |= parse_action(word)
    return mask
