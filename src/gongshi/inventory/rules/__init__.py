"""The rules of the form: objects with ids, run over columns. `RULES` lists those that look at rows."""

from gongshi.inventory.rules import cameras, codes, cross, places, platforms
from gongshi.inventory.rules.base import SEVERITIES, Context, Finding, Registered, Rule, Severity, apply

RULES: tuple[Rule, ...] = (*platforms.RULES, *codes.RULES, *cameras.RULES, *places.RULES, *cross.RULES)

__all__ = ["RULES", "SEVERITIES", "Context", "Finding", "Registered", "Rule", "Severity", "apply"]
