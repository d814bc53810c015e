"""How a registration with an upper goes (GB/T 28181 §9.1): one table, from which the diagram in the docs is drawn."""

from collections.abc import Mapping
from typing import Final, Literal

State = Literal["off", "trying", "challenged", "registered", "refreshing", "failing"]
Signal = Literal["start", "challenge", "accept", "refuse", "silence", "redirect", "refresh", "loss", "stop"]

TABLE: Final[Mapping[tuple[State, Signal], State]] = {
    ("off", "start"): "trying",
    ("trying", "challenge"): "challenged",
    ("trying", "accept"): "registered",
    ("trying", "redirect"): "trying",
    ("trying", "refuse"): "failing",
    ("trying", "silence"): "failing",
    # Once more when the nonce was stale.
    ("challenged", "challenge"): "challenged",
    ("challenged", "accept"): "registered",
    ("challenged", "redirect"): "trying",
    ("challenged", "refuse"): "failing",
    ("challenged", "silence"): "failing",
    ("registered", "refresh"): "refreshing",
    # Keepalives unanswered or answered with a refusal (the upper restarted), or the TCP connection broke.
    ("registered", "loss"): "trying",
    ("refreshing", "challenge"): "refreshing",
    ("refreshing", "accept"): "registered",
    ("refreshing", "redirect"): "trying",
    ("refreshing", "refuse"): "failing",
    ("refreshing", "silence"): "failing",
    ("failing", "start"): "trying",
    ("off", "stop"): "off",
    ("trying", "stop"): "off",
    ("challenged", "stop"): "off",
    ("registered", "stop"): "off",
    ("refreshing", "stop"): "off",
    ("failing", "stop"): "off",
}

STATES: Final[tuple[State, ...]] = ("off", "trying", "challenged", "registered", "refreshing", "failing")

ONLINE: Final[frozenset[State]] = frozenset({"registered", "refreshing"})
"""The upper counts as online."""


def follow(state: State, signal: Signal) -> State:
    """The next state. KeyError when the table knows no such step: a fault of the program."""
    return TABLE[state, signal]
