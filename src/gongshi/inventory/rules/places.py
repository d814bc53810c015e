"""Where a camera stands: the place column and the two coordinates (G-086 to G-088, X-12)."""

import polars as pl

from gongshi.inventory.rules.base import Context, Rule, hits, nothing
from gongshi.kit.i18n import Text

_AXES = (("longitude", "G-087", Text("经度", "Longitude")), ("latitude", "G-088", Text("纬度", "Latitude")))


def swapped() -> pl.Expr:
    """True where the two columns hold each other's values."""
    return pl.col("_longitude").is_between(15, 56) & pl.col("_latitude").is_between(72, 137)


def outside(context: Context) -> pl.Expr:
    """True where the point lies outside the city's box."""
    if context.box is None:
        return pl.lit(False)
    west, south, east, north = context.box
    return ~pl.col("_longitude").is_between(west, east) | ~pl.col("_latitude").is_between(south, north)


def _axis_rules(key: str, clause: str, label: Text) -> list[Rule]:
    how = Text("按WGS-84坐标重新采集，小数点后不少于6位", "Survey again in WGS-84 with at least 6 decimals")

    def with_issue(issue: str) -> "Rule":
        title, severity, message, remedy = _ISSUES[issue]

        def check(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
            return hits(frame, pl.col(f"_{key}_issue") == issue, key, pl.col(f"_{key}").alias("number"))

        return Rule(
            f"{clause}.{issue}",
            "X-12" if issue == "sixth" else clause,
            severity,  # pyright: ignore[reportArgumentType] -- words of the table below
            "camera",
            (key,),
            Text(label.zh + title.zh, f"{label.en} {title.en}"),
            Text(label.zh + message.zh, f"{label.en} {message.en}"),
            remedy or how,
            check,
        )

    def city(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
        if context.box is None:
            return nothing()
        low, high = (context.box[0], context.box[2]) if key == "longitude" else (context.box[1], context.box[3])
        far = ~pl.col(f"_{key}").is_between(low, high) & ~swapped()
        return hits(
            frame,
            far & (pl.col(f"_{key}_issue") != "number"),
            key,
            pl.lit(low).alias("low"),
            pl.lit(high).alias("high"),
            pl.lit(context.divisions.city_name).alias("city"),
        )

    return [
        *(with_issue(issue) for issue in _ISSUES),
        Rule(
            f"{clause}.city",
            clause,
            "error",
            "camera",
            (key,),
            Text(f"{label.zh}在本市范围内", f"{label.en} lies within the city"),
            Text(
                f"{label.zh}{{value}}超出{{city}}范围（{{low}}至{{high}}）",
                f"{label.en} {{value}} lies outside the city ({{low}} to {{high}})",
            ),
            Text("核对坐标及坐标系（应为WGS-84）", "Check the point and its datum (WGS-84)"),
            city,
        ),
    ]


_ISSUES: dict[str, tuple[Text, str, Text, Text | None]] = {
    "number": (
        Text("应为十进制度数", "is decimal degrees"),
        "error",
        Text("“{value}”不是数字", "“{value}” is not a number"),
        None,
    ),
    "degrees": (
        Text("应为十进制度数", "is decimal degrees, not degrees and minutes"),
        "error",
        Text("“{value}”是度分秒格式", "“{value}” is in degrees and minutes"),
        Text("换算为十进制度数，约为{number}", "Convert it to decimal degrees, about {number}"),
    ),
    "decimals": (
        Text("小数点后不少于6位", "has at least 6 decimals"),
        "error",
        Text("“{value}”小数点后不足6位", "“{value}” has fewer than 6 decimals"),
        None,
    ),
    "sixth": (
        Text("第6位小数不为0", "has a 6th decimal other than 0"),
        "error",
        Text("“{value}”第6位小数为0", "“{value}” has 0 as its 6th decimal"),
        Text(
            "重新采集；确为实测值的，附测量依据申请豁免",
            "Survey again, or ask for a waiver with the survey as evidence",
        ),
    ),
}


def _swapped(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    return hits(frame, swapped(), "longitude", pl.col("latitude").alias("other"))


def _county(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    known = "、".join(context.divisions.counties.values())
    return hits(frame, pl.col("_place_issue") == "county", "place", pl.lit(known).alias("known"))


def _other_city(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    city = pl.lit(context.divisions.city_name).alias("city")
    return hits(frame, pl.col("_place_issue") == "city", "place", city)


def _retired(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    found = hits(frame, pl.col("_place_issue") == "retired", "place", pl.col("_county").alias("old"))
    hints = context.retired_hints
    return found.with_columns(
        pl.col("old").replace_strict({code: hint.zh for code, hint in hints.items()}, default="").alias("hint_zh"),
        pl.col("old").replace_strict({code: hint.en for code, hint in hints.items()}, default="").alias("hint_en"),
    )


def _township(frame: pl.DataFrame, _: Context) -> pl.DataFrame:
    return hits(frame, pl.col("_place_issue") == "township", "place")


def _outline(frame: pl.DataFrame, context: Context) -> pl.DataFrame:
    """The point lies in another county than the place says; only where the deployer supplied outlines."""
    if not context.outlines:
        return nothing()
    import shapely  # noqa: PLC0415 -- heavy, and only with outlines

    found: list[pl.DataFrame] = []
    inside = frame.filter(pl.col("_longitude").is_not_null() & pl.col("_latitude").is_not_null() & ~outside(context))
    for code, outline in context.outlines.items():
        rows = inside.filter(pl.col("_county") == code)
        if rows.height:
            within = shapely.contains_xy(outline, rows["_longitude"].to_numpy(), rows["_latitude"].to_numpy())
            wrong = rows.filter(~pl.Series(within))
            name = pl.lit(context.divisions.counties.get(code, code)).alias("county")
            found.append(hits(wrong, pl.lit(True), "longitude", name))
    return pl.concat(found) if found else nothing()


RULES: tuple[Rule, ...] = (
    Rule(
        "G-086.county",
        "G-086",
        "error",
        "camera",
        ("place",),
        Text("所在地写明本市县区", "The place names a county of the city"),
        Text("从“{value}”中认不出县（区）", "No county or district can be recognised in “{value}”"),
        Text(
            "依次写明市、县区、乡镇街道；县区为{known}之一",
            "Write city, county and township; the county is one of {known}",
        ),
        _county,
    ),
    Rule(
        "G-086.city",
        "G-086",
        "error",
        "camera",
        ("place",),
        Text("所在地属于本市", "The place is in this city"),
        Text("“{value}”不属于{city}", "“{value}” is not in this city"),
        Text("核对所在地；跨市设备由所在市填报", "Check the place; cameras elsewhere are filed there"),
        _other_city,
    ),
    Rule(
        "G-086.retired",
        "G-086",
        "error",
        "camera",
        ("place",),
        Text("所在县区仍属本市", "The county still belongs to the city"),
        Text("“{value}”所写县区已不属于本市：{hint_zh}", "The county in “{value}” left the city: {hint_en}"),
        Text("按现行区划核对", "Check against the present divisions"),
        _retired,
    ),
    Rule(
        "G-086.township",
        "G-086",
        "advice",
        "camera",
        ("place",),
        Text("所在地写到乡镇街道", "The place names the township"),
        Text("“{value}”没有写到乡镇（街道）", "“{value}” names no township or street"),
        Text("补充乡镇（街道）", "Add the township or street"),
        _township,
    ),
    *(rule for key, clause, label in _AXES for rule in _axis_rules(key, clause, label)),
    Rule(
        "G-087.swapped",
        "G-087",
        "error",
        "camera",
        ("longitude", "latitude"),
        Text("经度和纬度不颠倒", "Longitude and latitude are not swapped"),
        Text("经度{value}与纬度{other}填反了", "Longitude {value} and latitude {other} are swapped"),
        Text("互换两列的值", "Exchange the two values"),
        _swapped,
    ),
    Rule(
        "G-087.county",
        "G-087",
        "error",
        "camera",
        ("longitude", "latitude"),
        Text("坐标在所填县区内", "The point lies in the county that the place names"),
        Text("坐标不在所填的{county}内", "The point does not lie in {county}"),
        Text("核对坐标、坐标系和所在地", "Check the point, its datum and the place"),
        _outline,
    ),
)
