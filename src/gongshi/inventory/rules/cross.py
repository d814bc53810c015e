"""Rules that look across rows, tables and the registry (G-083, G-089, governance.md §3.6)."""

import polars as pl

from gongshi.inventory.rules.base import Context, Rule, hits, nothing
from gongshi.inventory.values import squash
from gongshi.kit.i18n import Text

_SAME_POINT = 5
_SAME_NAME_MESSAGE = Text("名称“{value}”与第{first}行相同", "“{value}” is also the name in row {first}")


def _known_platforms(context: Context) -> list[str]:
    names = context.frames["platform"]["_name"].drop_nulls().to_list()
    return [*names, *(squash(name) for name in context.registered_platforms)]


def _unknown_platform(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    named = pl.col("_platform").is_not_null() & ~pl.col("_platform").is_in(_known_platforms(context))
    return hits(frame, named, "platform")


def _unused_platform(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    used = context.frames["camera"]["_platform"].drop_nulls().unique().to_list()
    return hits(frame, pl.col("_name").is_not_null() & ~pl.col("_name").is_in(used), "name")


def _older_than_platform(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    built = (
        context.frames["platform"]
        .filter(pl.col("_month").is_not_null() & pl.col("_name").is_not_null())
        .unique("_name")
        .select(pl.col("_name").alias("_platform"), pl.col("_month").alias("platform_month"))
    )
    found = frame.join(built, on="_platform", how="inner", maintain_order="left")
    year = pl.col("_month").str.slice(0, 4).cast(pl.Int32, strict=False)
    platform_year = pl.col("platform_month").str.slice(0, 4).cast(pl.Int32, strict=False)
    return hits(found, year < platform_year - 20, "built_month", pl.col("platform_month"))


def _same_name(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    first = pl.col("ord") == pl.col("ord").min().over("name")
    again = pl.col("name").is_not_null() & (pl.len().over("name") > 1) & ~first
    return hits(frame, again, "name", pl.col("row").first().over("name").alias("first"))


def _same_point(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    placed = frame.filter(pl.col("_longitude").is_not_null() & pl.col("_latitude").is_not_null())
    if placed.height == 0:
        return nothing()
    count = pl.len().over("_longitude", "_latitude")
    return hits(placed, count > _SAME_POINT, "longitude", count.alias("count"), pl.col("latitude").alias("other"))


RULES: tuple[Rule, ...] = (
    Rule(
        "G-083.unknown",
        "G-083",
        "error",
        "camera",
        ("platform",),
        Text("管理平台名称与表1一致", "The platform is one of table 1"),
        Text("“{value}”不在表1中，也未登记过", "“{value}” is neither in table 1 nor registered"),
        Text("在表1补填该平台，或改为表1中的名称", "Add the platform to table 1, or use a name from it"),
        _unknown_platform,
    ),
    Rule(
        "G-083.unused",
        "G-083",
        "advice",
        "platform",
        ("name",),
        Text("每个平台都有摄像机", "Every platform has cameras"),
        Text("平台“{value}”在表2中没有摄像机", "Platform “{value}” has no camera in table 2"),
        Text("补填其摄像机，或在备注说明", "List its cameras, or explain in the remark"),
        _unused_platform,
    ),
    Rule(
        "G-089.platform",
        "G-089",
        "warning",
        "camera",
        ("built_month",),
        Text("摄像机建设时间不早于平台20年以上", "A camera is not 20 years older than its platform"),
        Text(
            "摄像机建于{value}，比平台（{platform_month}）早20年以上",
            "Built {value}, more than 20 years before its platform ({platform_month})",
        ),
        Text("核对摄像机和平台的建设时间", "Check both dates"),
        _older_than_platform,
    ),
    Rule(
        "G-082.repeat",
        "G-082",
        "warning",
        "camera",
        ("name",),
        Text("名称不重复", "Names are unique"),
        _SAME_NAME_MESSAGE,
        Text("加上方向或序号区分，并与画面标注一致", "Add direction or number, as the picture shows"),
        _same_name,
    ),
    Rule(
        "I-28.point",
        "I-28",
        "suspicious",
        "camera",
        ("longitude", "latitude"),
        Text(f"同一坐标不超过{_SAME_POINT}台", f"At most {_SAME_POINT} cameras at one point"),
        Text("{count}台摄像机使用同一坐标（{value}，{other}）", "{count} cameras share one point ({value}, {other})"),
        Text(
            "逐台采集坐标；确为同杆的，在备注写明杆号", "Survey each one; if they share a pole, name it in the remark"
        ),
        _same_point,
    ),
)
