"""Device codes: value type, tables of every edition, and checks that return coded findings."""

from gongshi.protocols.codes.checks import Context, Finding, Severity, findings
from gongshi.protocols.codes.code import PLAYABLE_TYPES, DeviceCode, Segment, guess_edition
from gongshi.protocols.codes.tables import (
    INDUSTRIES,
    NETWORK_TYPE_DIGITS,
    NETWORKS,
    TYPES,
    Edition,
    Words,
    industry_ambiguous,
    industry_name,
    network_name,
    type_known,
    type_name,
)

__all__ = [
    "INDUSTRIES",
    "NETWORKS",
    "NETWORK_TYPE_DIGITS",
    "PLAYABLE_TYPES",
    "TYPES",
    "Context",
    "DeviceCode",
    "Edition",
    "Finding",
    "Segment",
    "Severity",
    "Words",
    "findings",
    "guess_edition",
    "industry_ambiguous",
    "industry_name",
    "network_name",
    "type_known",
    "type_name",
]
