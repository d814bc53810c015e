"""What can be wrong with an upper, for people."""

from gongshi.kit.errors import Conflict, NotFound
from gongshi.kit.i18n import Text


class UnknownUpper(NotFound):
    code, title = "upper_unknown", Text("没有这个上级平台", "There is no such upper platform")


class UpperExists(Conflict):
    code, title = "upper_exists", Text("该编码的上级平台已经存在", "An upper platform with this code exists already")


class AliasTaken(Conflict):
    """An alias is for ever: neither changed nor given to another camera (G-143, §13.2)."""

    code, title = (
        "alias_taken",
        Text(
            "此摄像机在该上级平台已有别名，或此编码已被使用；别名一经设定不得更改",
            "The camera has an alias at this upper platform already, or the code is in use; an alias never changes",
        ),
    )


REASONS: dict[str, Text] = {
    "no_answer": Text(
        "对方没有应答：请检查地址、端口和双向连通", "it does not answer: check address, port and both directions"
    ),
    "unreachable": Text("无法连接：请检查地址、端口和防火墙", "it cannot be reached: check address, port and firewall"),
    "credentials": Text("用户名或口令不被接受", "user name or password are not accepted"),
    "realm": Text("质询的域与配置的不一致", "the challenge names another realm than configured"),
    "connection_lost": Text("TCP 连接断开", "the TCP connection broke"),
    "keepalive_unanswered": Text("心跳没有应答", "keepalives were not answered"),
    "redirected_twice": Text("被连续重定向", "it redirects again and again"),
    "internal": Text("内部错误，请查看日志", "an internal error: see the log"),
}
"""Why a registration does not stand, by the first word of `reason`."""


def reason_text(reason: str | None) -> Text | None:
    """A state's reason as a sentence; what the upper said is given as it said it."""
    if not reason:
        return None
    word = reason.partition(" ")[0].rstrip(":")
    if word in REASONS:
        return REASONS[word]
    if word.startswith("redirect_untrusted"):
        where = reason.partition(" ")[2]
        return Text(f"被重定向到未受信任的 {where}", f"it redirects to {where}, which is not trusted")
    if word.startswith("keepalive_"):
        return Text(f"心跳被拒（{word[10:]}），重新注册", f"a keepalive was refused ({word[10:]}); registering again")
    return Text(f"对方应答 {reason}", f"answered {reason}")
