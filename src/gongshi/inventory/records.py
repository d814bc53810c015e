"""From checked rows to records of the registry: what a filing declares, in the registry's words."""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from gongshi.inventory.form import NETWORK_TYPES, PLANS, REMOVED_MARK, STATES, YES, Sheet
from gongshi.inventory.values import squash
from gongshi.protocols.codes import guess_edition
from gongshi.registry.makers import OTHER, maker_of
from gongshi.registry.models import REMOVED, Organisation

_DOMAINS = {"department_line": "integration", "police_line": "video", "egov": "egov", "internet": "internet"}
"""Where cameras behind a platform of this network type belong (G-101, G-105)."""

AT_CREATION = frozenset({"departments", "domain", "code_edition", "region_code", "address"})
"""Columns that a filing proposes for a new camera and never changes on a known one: others decide them later."""


def values(sheet: Sheet, frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    """Parsed values of every data row, by field key, as `inventory.filing_row.values` keeps them."""
    for row in frame.iter_rows(named=True):
        yield _platform(row) if sheet == "platform" else _camera(row)


def _word(text: str | None, words: Mapping[str, Any]) -> Any:
    return None if text is None else words.get(squash(text))


def _yes(text: str | None) -> bool | None:
    return None if text is None else squash(text) == YES


def _platform(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "vendor": row["vendor"],
        "gbt28181": _yes(row["gbt28181"]),
        "network_type": _word(row["network_type"], NETWORK_TYPES),
        "description": row["description"],
        "joined_xueliang": _yes(row["joined_xueliang"]),
        "built_month": row["_month"],
        "build_cost": row["_build_cost"],
        "yearly_cost": row["_yearly_cost"],
        "remark": row["remark"],
    }


def _camera(row: Mapping[str, Any]) -> dict[str, Any]:
    status = _word(row["status"], STATES)
    if status == STATES["停用"] and REMOVED_MARK in (row["remark"] or ""):
        status = REMOVED
    return {
        "code": row["code"],
        "name": row["name"],
        "platform": row["platform"],
        "brand": row["brand"],
        "model": row["model"],
        "place": row["place"],
        "region_code": row["_county"] if row["_place_issue"] in {"", "township"} else None,
        "township": row["_township"],
        "longitude": row["_longitude"],
        "latitude": row["_latitude"],
        "longitude_text": row["longitude"],
        "latitude_text": row["latitude"],
        "built_month": row["_month"],
        "leased": _yes(row["leased"]),
        "status": status,
        "plan": _word(row["plan"], PLANS),
        "remark": row["remark"],
    }


def platform_record(parsed: Mapping[str, Any], filing_id: int) -> dict[str, Any]:
    """Columns of `registry.platform`."""
    return {**parsed, "source_filing_id": filing_id}


def camera_record(
    parsed: Mapping[str, Any],
    organisation: Organisation,
    platforms: Mapping[str, tuple[int, str | None]],
    filing_id: int | None,
) -> dict[str, Any]:
    """Columns of `registry.camera`. `platforms`: squashed name → (id, network type)."""
    platform_id, network_type = platforms.get(squash(parsed["platform"] or ""), (None, None))
    code: str = parsed["code"]
    brand = parsed["brand"]
    return {
        "code": code,
        "name": parsed["name"],
        "maker": (maker_of(brand) or OTHER) if brand else None,
        "region_code": parsed["region_code"] or code[:6],
        "model": parsed["model"],
        "address": parsed["place"],
        "longitude": parsed["longitude"],
        "latitude": parsed["latitude"],
        "status": parsed["status"] or STATES["在用"],
        "departments": [organisation.department] if organisation.department else [],
        "brand": brand,
        "platform_id": platform_id,
        "place_text": parsed["place"],
        "township": parsed["township"],
        "longitude_text": parsed["longitude_text"],
        "latitude_text": parsed["latitude_text"],
        "built_month": parsed["built_month"],
        "leased": parsed["leased"],
        "plan": parsed["plan"],
        "remark": parsed["remark"],
        "code_edition": (guess_edition(code) or "2016"),
        "domain": _DOMAINS.get(network_type or ""),
        "source": "filing",
        "source_filing_id": filing_id,
    }
