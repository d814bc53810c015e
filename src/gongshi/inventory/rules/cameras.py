"""Rules of table 2, 平台接入摄像机, that look at one row (G-080 to G-093)."""

import polars as pl

from gongshi.inventory.form import CAMERAS, REMOVED_MARK, YES
from gongshi.inventory.rules.base import Context, Rule, hits, nothing
from gongshi.inventory.rules.common import blanks, choice, missing, months, placeholder, serials
from gongshi.inventory.values import is_meaningless_name, is_placeholder
from gongshi.kit.i18n import Text
from gongshi.registry.makers import maker_of


def _long(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    return hits(frame, pl.col("name").str.len_chars() > 100, "name")


def _meaningless(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    wrong = [name for name in frame["name"].drop_nulls().unique().to_list() if is_meaningless_name(name)]
    return hits(frame, pl.col("name").is_in(wrong), "name") if wrong else nothing()


def _unknown_brand(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    unknown = [
        brand
        for brand in frame["brand"].drop_nulls().unique().to_list()
        if maker_of(brand) is None and not is_placeholder(brand)
    ]
    return hits(frame, pl.col("brand").is_in(unknown), "brand") if unknown else nothing()


def _leased(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    return hits(frame, (pl.col("leased") == YES) & pl.col("remark").is_null(), "leased")


def _stopped(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    return hits(
        frame, (pl.col("status") == "停用") & ~pl.col("remark").fill_null("").str.contains(REMOVED_MARK), "status"
    )


def _move(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    return hits(frame, (pl.col("plan") == "迁移") & pl.col("remark").is_null(), "plan")


def _remove(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    return hits(frame, (pl.col("plan") == "拆除") & pl.col("remark").is_null(), "plan")


RULES: tuple[Rule, ...] = (
    *(missing("camera", field) for field in CAMERAS.fields if field.required and field.key not in {"serial", "code"}),
    *serials("camera"),
    Rule(
        "G-082.long",
        "G-082",
        "error",
        "camera",
        ("name",),
        Text("名称不超过100字", "Names have at most 100 characters"),
        Text("名称超过100字", "The name has more than 100 characters"),
        Text("缩短为画面标注所用的名称", "Shorten it to what the picture shows"),
        _long,
    ),
    Rule(
        "G-082.meaning",
        "G-082",
        "warning",
        "camera",
        ("name",),
        Text("名称应说明地点", "The name tells a place"),
        Text(
            "名称“{value}”是设备默认名或地址，看不出地点", "“{value}” is a device default or address and tells no place"
        ),
        Text("按画面标注填写道路、部位和方向", "Name road, spot and direction as the picture shows them"),
        _meaningless,
    ),
    placeholder("camera", CAMERAS.field("brand")),
    Rule(
        "G-084.maker",
        "G-084",
        "advice",
        "camera",
        ("brand",),
        Text("品牌对应档案厂商代码", "The brand maps to a maker of the archive"),
        Text(
            "品牌“{value}”不在厂商代码表中，档案记为“其他”", "“{value}” is not in the table of makers; filed as other"
        ),
        Text("如为别名，请写常用品牌名", "If it is an alias, write the usual brand"),
        _unknown_brand,
    ),
    placeholder("camera", CAMERAS.field("model")),
    *months("camera", "G-089"),
    choice("camera", CAMERAS.field("leased")),
    Rule(
        "G-090.lease",
        "G-090",
        "advice",
        "camera",
        ("leased",),
        Text("以租代建的写明出租方和租期", "A leased camera names lessor and term"),
        Text("以租代建，但备注未写明出租方和租期", "Leased, but the remark names neither lessor nor term"),
        Text("在备注中写明出租方、起止时间", "Give the lessor and the period in the remark"),
        _leased,
    ),
    choice("camera", CAMERAS.field("status")),
    Rule(
        "G-091.stopped",
        "X-09",
        "advice",
        "camera",
        ("status",),
        Text("停用在档案中分维修和拆除", "Out of use is either repair or removed in the archive"),
        Text("状态为停用，受理时按“维修”登记", "Out of use is filed as “under repair”"),
        Text("已拆除的，请在备注写明“已拆除”", "If it was removed, say 已拆除 in the remark"),
        _stopped,
    ),
    choice("camera", CAMERAS.field("plan")),
    Rule(
        "G-092.move",
        "G-092",
        "warning",
        "camera",
        ("plan",),
        Text("迁移的写明去处", "A move names its target"),
        Text("计划迁移，但备注未写明迁往何处", "To be moved, but the remark does not say where"),
        Text("在备注中写明迁移去处", "Name the target place in the remark"),
        _move,
    ),
    Rule(
        "G-092.remove",
        "G-092",
        "warning",
        "camera",
        ("plan",),
        Text("拆除的写明时间和杆体处置", "A removal names date and pole"),
        Text(
            "计划拆除，但备注未写明时间和杆体处置",
            "To be removed, but the remark tells neither date nor what becomes of the pole",
        ),
        Text("在备注中写明拆除时间和杆体处置方式", "Give the date and the decision about the pole"),
        _remove,
    ),
    blanks("camera"),
)
