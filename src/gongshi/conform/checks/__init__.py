"""What is tried, case by case. Importing this finds every check."""

from gongshi.conform.checks import (
    catalogue,
    controls,
    history,
    live,
    messages,
    notices,
    platform,
    queries,
    registration,
)
from gongshi.conform.checks.registry import LOWER_CHECKS, UPPER_CHECKS

__all__ = [
    "LOWER_CHECKS",
    "UPPER_CHECKS",
    "catalogue",
    "controls",
    "history",
    "live",
    "messages",
    "notices",
    "platform",
    "queries",
    "registration",
]
