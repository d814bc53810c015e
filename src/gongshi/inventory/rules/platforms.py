"""Rules of table 1, 监控管理平台 (G-061 to G-071)."""

import polars as pl

from gongshi.inventory.form import NO, PLATFORMS, YES
from gongshi.inventory.rules.base import Context, Rule, hits
from gongshi.inventory.rules.common import blanks, choice, missing, months, placeholder, serials
from gongshi.kit.i18n import Text

_PER_CAMERA = 10.0
"""Build cost per camera, in 10,000 CNY, above which somebody should look again."""


def _repeated(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    first = pl.col("row").min().over("_name")
    return hits(
        frame,
        pl.col("_name").is_not_null()
        & (pl.len().over("_name") > 1)
        & (pl.col("ord") > pl.col("ord").min().over("_name")),
        "name",
        first.alias("first"),
    )


def _short(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    return hits(frame, pl.col("description").str.len_chars() < 4, "description")


def _not_conforming(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    return hits(frame, pl.col("gbt28181") == NO, "gbt28181")


def _amount_rules(key: str, clause: str, label: Text) -> list[Rule]:
    def unreadable(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
        return hits(frame, pl.col(key).is_not_null() & (pl.col(f"_{key}").is_null() | (pl.col(f"_{key}") < 0)), key)

    return [
        Rule(
            f"{clause}.number",
            clause,
            "error",
            "platform",
            (key,),
            Text(f"{label.zh}为不小于0的数", f"{label.en} is a number of at least 0"),
            Text("“{value}”不是不小于0的数", "“{value}” is not a number of at least 0"),
            Text("只填数字，单位为万元", "Enter digits only, in 10,000 CNY"),
            unreadable,
        )
    ]


def _per_camera(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    cameras = context.frames["camera"]
    counts = cameras.group_by("_platform").agg(pl.len().alias("cameras"))
    costs = frame.join(counts, left_on="_name", right_on="_platform", how="inner")
    each = (pl.col("_build_cost") / pl.col("cameras")).round(1)
    return hits(costs, (each > _PER_CAMERA) & (pl.col("_build_cost") > 50), "build_cost", "cameras", each.alias("each"))  # pyright: ignore[reportArgumentType] -- names stand for columns


def _lease_without_cost(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    leasing = context.frames["camera"].filter(pl.col("leased") == YES)["_platform"].drop_nulls().unique().to_list()
    return hits(frame, pl.col("_name").is_in(leasing) & (pl.col("_yearly_cost").fill_null(0) == 0), "yearly_cost")


RULES: tuple[Rule, ...] = (
    *(missing("platform", field) for field in PLATFORMS.fields if field.required and field.key != "serial"),
    *serials("platform"),
    Rule(
        "G-062.repeat",
        "G-062",
        "error",
        "platform",
        ("name",),
        Text("平台名称在本单位内不重复", "Platform names are unique within the unit"),
        Text("平台名称“{value}”与第{first}行重复", "Platform “{value}” already stands in row {first}"),
        Text("合并为一行，或用不同名称区分", "Merge the rows or give different names"),
        _repeated,
    ),
    placeholder("platform", PLATFORMS.field("vendor")),
    choice("platform", PLATFORMS.field("gbt28181")),
    Rule(
        "G-064.no",
        "G-064",
        "advice",
        "platform",
        ("gbt28181",),
        Text("不符合GB/T 28181的平台需改造", "Platforms that do not conform need a gateway"),
        Text(
            "平台不符合GB/T 28181，接入需经转换网关", "The platform does not conform, so a converting gateway is needed"
        ),
        Text("论证系统升级改造成本（G-025）", "Study the cost of an upgrade (G-025)"),
        _not_conforming,
    ),
    choice("platform", PLATFORMS.field("network_type")),
    Rule(
        "G-066.short",
        "G-066",
        "warning",
        "platform",
        ("description",),
        Text("平台描述应写明管理范围", "The description tells what the platform manages"),
        Text("平台描述“{value}”过于简单", "“{value}” is too short to tell what the platform manages"),
        Text("写明管理哪些场所、哪些部位的视频", "Say which places it looks after"),
        _short,
    ),
    choice("platform", PLATFORMS.field("joined_xueliang")),
    *months("platform", "G-068"),
    *_amount_rules("build_cost", "G-069", PLATFORMS.field("build_cost").label),
    *_amount_rules("yearly_cost", "G-070", PLATFORMS.field("yearly_cost").label),
    Rule(
        "G-069.outlier",
        "G-069",
        "suspicious",
        "platform",
        ("build_cost",),
        Text("单台建设费用合理", "The build cost per camera is plausible"),
        Text(
            "建设费用{value}万元对应{cameras}台摄像机，平均每台{each}万元，明显偏高",
            "{value} for {cameras} cameras is {each} each (10,000 CNY), which is unusually high",
        ),
        Text("核对单位是否为万元，摄像机是否填报齐全", "Check the unit (10,000 CNY) and that all cameras are listed"),
        _per_camera,
    ),
    Rule(
        "G-070.lease",
        "G-070",
        "warning",
        "platform",
        ("yearly_cost",),
        Text("以租代建的平台应有年费用", "A leased platform has a yearly cost"),
        Text("有摄像机以租代建，但运维费为0或未填", "Cameras are leased but the yearly cost is 0 or blank"),
        Text("填写每年租赁及运维费用", "Enter the yearly rent and maintenance"),
        _lease_without_cost,
    ),
    blanks("platform"),
)
