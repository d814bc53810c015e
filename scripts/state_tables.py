"""The page of state tables: drawn from the tables that the program itself runs on (scripts/reference.py writes it)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from gongshi.protocols.sip.subscription import NOTIFIER, SUBSCRIBER
from gongshi.protocols.sip.transactions import client_steps
from gongshi.signalling.uppers.states import TABLE as REGISTRATION

State = TypeVar("State", bound=str)
Signal = TypeVar("Signal", bound=str)
Steps = Iterable[tuple[str, str, str]]
"""State, signal, next state."""

INTRODUCTION = """\
# 状态表 · States

程序按这些表运行，本页由表生成：列是状态，箭头是信号；线旁的注是停在原状态的信号。表里没有的信号不改变状态。

The program runs on these tables, and this page is made from them: columns are states, arrows are signals, remarks are
signals that leave the state as it is. A signal that the table does not name changes nothing.
"""


def plain(table: Mapping[tuple[State, Signal], State]) -> Steps:
    """The steps of a table `{(state, signal): next state}`."""
    return [(state, signal, after) for (state, signal), after in table.items()]


def diagram(steps: Steps) -> list[str]:
    """One block for the mkdocs hook scripts/sequence_diagrams.py."""
    known = list(steps)
    order = list(dict.fromkeys(name for state, _, after in known for name in (state, after)))
    joined: dict[tuple[str, str], list[str]] = {}
    for state, signal, after in known:
        joined.setdefault((state, after), []).append(signal)
    lines = ["```sequence", f"actors: {', '.join(order)}"]
    for (state, after), signals in joined.items():
        text = ", ".join(signals)
        lines.append(f"note {state}: {text}" if state == after else f"{state} -> {after}: {text}")
    return [*lines, "```"]


def page(mark: str) -> str:
    """The whole page; `mark` is the remark that it is written by a program."""
    chapters: list[tuple[str, str, Steps]] = [
        (
            "向上级注册 · Registration with an upper",
            "GB/T 28181-2022 §9.1, §9.6; `signalling.uppers.states`",
            plain(REGISTRATION),
        ),
        (
            "订阅（我方发起） · Subscriptions of ours",
            "§9.11; `protocols.sip.subscription.SUBSCRIBER`",
            plain(SUBSCRIBER),
        ),
        ("订阅（对方发起） · Subscriptions to us", "§9.11; `protocols.sip.subscription.NOTIFIER`", plain(NOTIFIER)),
        (
            "INVITE 事务（我方发起） · INVITE transactions of ours",
            "RFC 3261 §17.1.1, RFC 6026",
            client_steps(invite=True),
        ),
        ("其他事务（我方发起） · Other transactions of ours", "RFC 3261 §17.1.2", client_steps(invite=False)),
    ]
    lines = [mark, INTRODUCTION]
    for title, source, steps in chapters:
        lines += [f"## {title}", "", source, "", *diagram(steps), ""]
    return "\n".join(lines)
