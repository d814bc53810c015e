"""The 20-digit code of a row (governance.md §2.1): the checks of `protocols.codes`, run over columns.

All that can be wrong with a code but its serial depends on its first 14 digits and on where the row says the camera is,
so each distinct combination is judged once, however many rows share it.
"""

from collections.abc import Iterable
from typing import Any

import polars as pl

from gongshi.inventory.rules.base import Context, Rule, hits, nothing
from gongshi.kit.i18n import Text
from gongshi.protocols.codes import NETWORK_TYPE_DIGITS, Edition, Words, findings
from gongshi.protocols.codes import Context as CodeContext

_SCHEMA: dict[str, Any] = {
    "found": pl.String,
    "severity": pl.String,
    "message_zh": pl.String,
    "message_en": pl.String,
    "remedy_zh": pl.String,
    "remedy_en": pl.String,
}
_SHAPED = r"^[0-9]{20}$"
_OWN_SERIAL = ("C-SHAPE", "C-SERIAL", "C-EXAMPLE")
"""Findings that depend on the whole code."""


def _fitting_networks(network_type: str | None) -> frozenset[str] | None:
    """Digits of 2016 and 2022 alike, because a form does not tell the edition of its codes."""
    if network_type is None:
        return None
    by_edition = NETWORK_TYPE_DIGITS[network_type]
    return by_edition[Edition.E2016] | by_edition[Edition.E2022]


def _code_context(context: Context, county: str | None, network: str | None) -> CodeContext:
    return CodeContext(
        city=context.divisions.city_code,
        counties=context.divisions.counties,
        retired={code: Words(hint.zh, hint.en) for code, hint in context.retired_hints.items()},
        county=county or "",
        units=context.units,
        industries=context.industries,
        local_industries=context.local_industries,
        networks=_fitting_networks(network),
    )


def _judged(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """Every finding of every code: `ord`, `column`, `value` and the texts. Computed once per run."""
    cached = context.cache.get("codes")
    if cached is not None:
        return cached
    coded = frame.select(
        "ord", pl.col("code").fill_null(""), pl.col("_county").alias("county"), pl.col("_network").alias("network")
    )
    if "code" in context.absent.get("camera", ()):
        coded = coded.filter(pl.col("code") != "")
    shaped = coded.filter(pl.col("code").str.contains(_SHAPED)).with_columns(
        pl.col("code").str.slice(0, 14).alias("prefix")
    )
    by_prefix = _by_prefix(shaped, context)
    odd = coded.filter(
        ~pl.col("code").str.contains(_SHAPED)
        | pl.col("code").str.ends_with("00000")
        | pl.col("code").str.starts_with("3402000000")
    )
    whole = _by_code(odd["code"].unique().to_list())
    parts = [
        shaped.join(by_prefix, on=["prefix", "county", "network"], how="inner", nulls_equal=True).drop("prefix"),
        odd.join(whole, on="code", how="inner"),
    ]
    texts = ["severity", "message_zh", "message_en", "remedy_zh", "remedy_en"]
    result = pl.concat(
        part.select("ord", pl.lit("code").alias("column"), pl.col("code").alias("value"), "found", *texts)
        for part in parts
    ).sort("ord")
    context.cache["codes"] = result
    return result


def _by_prefix(shaped: pl.DataFrame, context: Context) -> pl.DataFrame:
    rows: list[dict[str, Any]] = []
    for prefix, county, network in shaped.select("prefix", "county", "network").unique().iter_rows():
        # Serial 000002 breaks no rule of its own, so that only the prefix is judged.
        found = findings(f"{prefix}000002", _code_context(context, county, network))
        fits = context.industries is not None and prefix[8:10] in context.industries
        keys = {"prefix": prefix, "county": county, "network": network}
        rows.extend(
            keys | _texts(each)
            for each in found
            # Digits that fit the owner are right in the edition that the owner uses; that editions differ is no news.
            if each.code not in _OWN_SERIAL and not (fits and each.code == "C-IND" and each.severity == "advice")
        )
    schema = {"prefix": pl.String, "county": pl.String, "network": pl.String, **_SCHEMA}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _by_code(codes: Iterable[str]) -> pl.DataFrame:
    rows = [{"code": code} | _texts(each) for code in codes for each in findings(code) if each.code in _OWN_SERIAL]
    return pl.DataFrame(rows, schema={"code": pl.String, **_SCHEMA}, orient="row")


def _texts(finding: Any) -> dict[str, Any]:
    return {
        "found": finding.code,
        "severity": finding.severity,
        "message_zh": finding.message.zh,
        "message_en": finding.message.en,
        "remedy_zh": finding.remedy.zh,
        "remedy_en": finding.remedy.en,
    }


def _code_rule(id: str, title: Text) -> Rule:
    def check(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        return _judged(frame, context).filter(pl.col("found") == id).drop("found")

    return Rule(id, "G-081", "error", "camera", ("code",), title, Text("", ""), Text("", ""), check)


def _repeated(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    shaped = frame.filter(pl.col("code").str.contains(_SHAPED))
    where = (
        pl.when(pl.col("tab").n_unique().over("code") > 1)
        .then(pl.col("tab") + " " + pl.col("row").cast(pl.String))
        .otherwise(pl.col("row").cast(pl.String))
    )
    groups = (
        shaped.with_columns(where.alias("where"))
        .group_by("code")
        .agg(pl.col("ord"), pl.col("where").head(6), pl.len().alias("times"))
        .filter(pl.col("times") > 1)
        .with_columns(pl.col("where").list.join("、").alias("rows"))
    )
    if groups.height == 0:
        return nothing()
    return (
        groups.explode("ord")
        .sort("ord")
        .select("ord", pl.lit("code").alias("column"), pl.col("code").alias("value"), "rows", "times")
    )


def _elsewhere(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """The registry has the code for another unit."""
    others = {
        code: camera.organisation_name
        for code, camera in context.registered.items()
        if camera.organisation_id != context.organisation_id
    }
    if not others:
        return nothing()
    owner = pl.col("code").replace_strict(others, default="").alias("owner")
    return hits(frame, pl.col("code").is_in(list(others)), "code", owner)


def _recoded(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """A camera of the unit stands in the registry at the same place under the same name, but with another code."""
    listed = set(frame["code"].drop_nulls().to_list())
    known = [
        {"name": camera.name, "_longitude": camera.longitude, "_latitude": camera.latitude, "old": camera.code}
        for camera in context.own
        if camera.longitude is not None and camera.code not in listed
    ]
    if not known:
        return nothing()
    schema = {"name": pl.String, "_longitude": pl.Float64, "_latitude": pl.Float64, "old": pl.String}
    table = pl.DataFrame(known, schema=schema, orient="row").unique(["name", "_longitude", "_latitude"])
    found = frame.join(table, on=["name", "_longitude", "_latitude"], how="inner")
    return hits(found, pl.col("code") != pl.col("old"), "code", pl.col("old"))


RULES: tuple[Rule, ...] = (
    _code_rule("C-SHAPE", Text("编码为20位半角数字", "A code is 20 digits")),
    _code_rule("C-PROV", Text("第1-2位为本省代码", "Digits 1-2 are the province")),
    _code_rule("C-CITY", Text("第3-4位为本市代码", "Digits 3-4 are the city")),
    _code_rule("C-COUNTY", Text("第5-6位与所在县区一致", "Digits 5-6 are the county of the place")),
    _code_rule("C-UNIT", Text("第7-8位在本地分配表内", "Digits 7-8 are in the local allocation")),
    _code_rule("C-IND", Text("第9-10位反映真实权属部门", "Digits 9-10 tell the real owner")),
    _code_rule("C-TYPE", Text("第11-13位为摄像机", "Digits 11-13 say camera")),
    _code_rule("C-NET", Text("第14位反映真实接入网络", "Digit 14 tells the real network")),
    _code_rule("C-SERIAL", Text("第15-20位不为000000", "Digits 15-20 are not 000000")),
    _code_rule("C-EXAMPLE", Text("编码不是出厂默认值", "A code is no vendor's default")),
    Rule(
        "C-UNIQ",
        "G-081",
        "error",
        "camera",
        ("code",),
        Text("编码在本次填报中不重复", "Codes are unique within the filing"),
        Text("编码{value}出现{times}次（第{rows}行）", "Code {value} occurs {times} times (rows {rows})"),
        Text("每台摄像机一个编码；同一台只保留一行", "One code per camera; keep one row for each"),
        _repeated,
    ),
    Rule(
        "C-UNIQ.city",
        "G-081",
        "error",
        "camera",
        ("code",),
        Text("编码在全市不重复", "Codes are unique in the city"),
        Text("编码{value}已由{owner}登记", "Code {value} is already registered by {owner}"),
        Text("与该单位核实由谁填报，或更正编码", "Settle with that unit who files it, or correct the code"),
        _elsewhere,
    ),
    Rule(
        "C-RECODE",
        "G-143",
        "suspicious",
        "camera",
        ("code",),
        Text("编码一经确定不再改变", "A code never changes once fixed"),
        Text(
            "同名同位置的摄像机已登记为{old}，疑似更换了编码",
            "A camera of this name and position is registered as {old}: it seems to have been given a new code",
        ),
        Text(
            "沿用原编码；确为新设备的，原设备按停用填报",
            "Keep the old code; for a new device, file the old one as out of use",
        ),
        _recoded,
    ),
)
