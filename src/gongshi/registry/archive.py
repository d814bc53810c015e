"""The archive of a camera (一机一档) for readers: 27 national fields, two of the city's, and ours, in groups.

Governance.md §3.1, §3.2, §3.5. Code tables turn numbers into words in both languages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gongshi.kit import clock
from gongshi.kit.i18n import Lang, Text
from gongshi.registry.makers import MAKERS
from gongshi.registry.models import Camera
from gongshi.registry.place_classes import PLACE_CLASSES

POINT_CLASSES = {
    1: Text("一类监控点", "class one"),
    2: Text("二类监控点", "class two"),
    3: Text("三类监控点", "class three"),
    4: Text("公安内部监控点", "police internal"),
    9: Text("其他点位", "other"),
}
CAMERA_TYPES = {
    1: Text("球机", "dome, pan-tilt-zoom"),
    2: Text("半球", "half dome"),
    3: Text("固定枪机", "fixed bullet"),
    4: Text("遥控枪机", "remote bullet"),
    5: Text("卡口枪机", "checkpoint bullet"),
    99: Text("未知", "unknown"),
}
FUNCTIONS = {
    1: Text("车辆卡口", "vehicle checkpoint"),
    2: Text("人员卡口", "person checkpoint"),
    3: Text("微卡口", "micro checkpoint"),
    4: Text("特征摄像机", "feature camera"),
    5: Text("普通监控", "ordinary"),
    6: Text("高空瞭望", "high lookout"),
    99: Text("其他", "other"),
}
FILL_LIGHTS = {
    1: Text("无补光", "none"),
    2: Text("红外补光", "infrared"),
    3: Text("白光补光", "white"),
    9: Text("其他", "other"),
}
CODECS = {1: Text("MPEG-4", "MPEG-4"), 2: Text("H.264", "H.264"), 3: Text("SVAC", "SVAC"), 4: Text("H.265", "H.265")}
DIRECTIONS = {
    1: Text("东", "east"),
    2: Text("西", "west"),
    3: Text("南", "south"),
    4: Text("北", "north"),
    5: Text("东南", "south-east"),
    6: Text("东北", "north-east"),
    7: Text("西南", "south-west"),
    8: Text("西北", "north-west"),
    9: Text("全向", "all round"),
}
STATUSES = {1: Text("在用", "in use"), 2: Text("维修", "under repair"), 3: Text("拆除", "removed")}
DEPARTMENTS = {
    1: Text("公安", "police"),
    2: Text("环保", "environment"),
    3: Text("文博", "culture relics"),
    4: Text("医疗", "medical"),
    5: Text("旅游", "tourism"),
    6: Text("新闻广电", "press and broadcast"),
    7: Text("食药", "food and drug"),
    8: Text("教育", "education"),
    9: Text("检察", "procuratorate"),
    10: Text("法院", "court"),
    11: Text("金融", "finance"),
    12: Text("交通", "transport"),
    13: Text("住建", "housing and construction"),
    14: Text("水利", "water"),
    15: Text("林业", "forestry"),
    16: Text("安监", "work safety"),
    17: Text("市容", "city appearance"),
    18: Text("国土", "land"),
    19: Text("农业", "agriculture"),
    20: Text("应急", "emergency"),
    21: Text("文化", "culture"),
    22: Text("国资", "state assets"),
    23: Text("市场监管", "market supervision"),
}
LOCATION_TYPES = {
    1: Text("省际检查站、公安检查站", "inter-province checkpoint"),
    2: Text("党政机关", "party or government organ"),
    3: Text("车站码头", "station or dock"),
    4: Text("中心广场", "central square"),
    5: Text("体育场馆", "sports venue"),
    6: Text("商业中心", "commercial centre"),
    7: Text("宗教场所", "religious site"),
    8: Text("校园周边", "around schools"),
    9: Text("治安复杂区域", "public-order complex area"),
    10: Text("交通干线", "trunk road"),
    11: Text("医院周边", "around hospitals"),
    12: Text("金融机构周边", "around finance outlets"),
    13: Text("危险物品场所周边", "around dangerous goods"),
    14: Text("博物馆、展览馆", "museum or exhibition"),
    15: Text("重点水域、航道", "key waters"),
    96: Text("市际公安检查站", "inter-city police checkpoint"),
    97: Text("涉外场所", "foreign-related site"),
    98: Text("边境沿线", "border line"),
    99: Text("旅游景区", "tourist site"),
}
PLANS = {"keep": Text("保留", "keep"), "remove": Text("拆除", "remove"), "move": Text("迁移", "move")}
DOMAINS = {
    "integration": Text("整合域", "integration domain"),
    "video": Text("视频专网", "video private network"),
    "egov": Text("电子政务外网", "e-government extranet"),
    "industry": Text("行业专网", "industry network"),
    "internet": Text("互联网", "internet"),
}
SHARING_CLASSES = {
    "unconditional": Text("无条件共享", "shared without conditions"),
    "conditional": Text("有条件共享", "shared on conditions"),
    "none": Text("不予共享", "not shared"),
}
_YES_NO = {True: Text("是", "yes"), False: Text("否", "no")}
_DATUMS = {"wgs84": Text("WGS-84", "WGS-84"), "gcj02": Text("GCJ-02", "GCJ-02"), "bd09": Text("BD-09", "BD-09")}

Table = Mapping[Any, Text]


@dataclass(frozen=True, slots=True)
class ArchiveField:
    """One line of the archive page."""

    key: str
    label: Text
    column: str
    table: Table | None = None
    source: str = "declared"
    """`declared`, `decided` or `derived`."""


@dataclass(frozen=True, slots=True)
class ArchiveGroup:
    key: str
    label: Text
    fields: tuple[ArchiveField, ...]


def _f(key: str, zh: str, en: str, column: str, table: Table | None = None, source: str = "declared") -> ArchiveField:
    return ArchiveField(key, Text(zh, en), column, table, source)


GROUPS: tuple[ArchiveGroup, ...] = (
    ArchiveGroup(
        "identity",
        Text("身份", "Identity"),
        (
            _f("SBBM", "设备编码", "Device code", "code"),
            _f("SBMC", "设备名称", "Device name", "name"),
            _f("DWSC", "点位俗称", "Common name", "common_name"),
            _f("SBCS", "设备厂商", "Maker", "maker", MAKERS),
            _f("brand", "品牌（填报）", "Brand as declared", "brand"),
            _f("SBXH", "设备型号", "Model", "model"),
            _f("code_edition", "编码依据版本", "Edition of the code", "code_edition", source="decided"),
            _f("code_frozen_at", "编码固化时间", "Code frozen at", "code_frozen_at", source="decided"),
        ),
    ),
    ArchiveGroup(
        "place",
        Text("位置", "Place"),
        (
            _f("XZQY", "行政区域", "Division", "region_code"),
            _f("place_text", "所在地（填报）", "Place as declared", "place_text"),
            _f("AZDZ", "安装地址", "Address", "address"),
            _f("JD", "经度", "Longitude", "longitude"),
            _f("WD", "纬度", "Latitude", "latitude"),
            _f("datum", "坐标系", "Datum", "datum", _DATUMS),
            _f("JKDWLX", "监控点位类型", "Point class", "point_class", POINT_CLASSES),
            _f("SXJWZLX", "摄像机位置类型", "Location type", "location_types", LOCATION_TYPES),
            _f("JSFW", "监视方位", "View direction", "direction", DIRECTIONS),
            _f("place_class", "场所类别", "Place class", "place_class", PLACE_CLASSES),
        ),
    ),
    ArchiveGroup(
        "device",
        Text("设备与网络", "Device and network"),
        (
            _f("SXJLX", "摄像机类型", "Camera type", "camera_type", CAMERA_TYPES),
            _f("SXJGNLX", "摄像机功能类型", "Functions", "functions", FUNCTIONS),
            _f("BGSX", "补光属性", "Fill light", "fill_light", FILL_LIGHTS),
            _f("SXJBMGS", "编码格式", "Codec", "codec", CODECS),
            _f("IPV4", "IPv4地址", "IPv4", "ipv4"),
            _f("IPV6", "IPv6地址", "IPv6", "ipv6"),
            _f("MACDZ", "MAC地址", "MAC", "mac"),
            _f("LWSX", "联网", "Networked", "networked", _YES_NO),
            _f("domain", "网络域", "Domain", "domain", DOMAINS, "decided"),
            _f("security_level", "GB 35114等级", "GB 35114 level", "security_level", source="decided"),
        ),
    ),
    ArchiveGroup(
        "duty",
        Text("责任", "Duty"),
        (
            _f("GLDW", "管理单位", "Managing unit", "organisation_id"),
            _f("GLDWLXFS", "管理单位联系方式", "Contact", "contact"),
            _f("SSXQGAJG", "所属辖区公安机关", "Police area", "police_code"),
            _f("SSBMHY", "所属部门/行业", "Department", "departments", DEPARTMENTS),
            _f("demand", "建设需求提出单位", "Unit that asked for it", "demand_organisation_id"),
            _f("purpose", "用途", "Purpose", "purpose", source="decided"),
            _f("legal_basis", "法律依据", "Legal basis", "legal_basis", source="decided"),
        ),
    ),
    ArchiveGroup(
        "life",
        Text("建设与状态", "Life and state"),
        (
            _f("built_month", "建设时间", "Built", "built_month"),
            _f("AZSJ", "安装时间", "Installed", "installed_on"),
            _f("SBZT", "设备状态", "State", "status", STATUSES),
            _f("LXBCTS", "录像保存天数", "Days kept", "days_kept"),
            _f("leased", "以租代建", "Leased", "leased", _YES_NO),
            _f("plan", "计划整合方式", "Integration plan", "plan", PLANS),
            _f("sharing_class", "共享类别", "Sharing class", "sharing_class", SHARING_CLASSES, "decided"),
            _f("key_position", "重点部位", "Key position", "key_position", _YES_NO, "decided"),
            _f("core_area", "反恐等核心区域", "Core area", "core_area", _YES_NO, "decided"),
            _f("remark", "备注", "Remark", "remark"),
        ),
    ),
)

REDUCED = frozenset({"SBBM", "SBMC", "GLDW", "XZQY", "JD", "WD", "JKDWLX", "place_class", "sharing_class"})
"""What the catalogue shows to those who have no right to the camera (design.md §6)."""


def display(field: ArchiveField, value: Any, lang: Lang) -> str | None:
    """A value in words; codes that no table has are shown as they are."""
    if value is None or value == []:
        return None
    if isinstance(value, list):
        items: list[Any] = value  # pyright: ignore[reportUnknownVariableType] -- integer arrays of the model
        return " / ".join(_word(field.table, item, lang) for item in items)
    return _word(field.table, value, lang)


def _word(table: Table | None, value: Any, lang: Lang) -> str:
    if table is not None and value in table:
        return table[value].pick(lang)
    if isinstance(value, bool):
        return _YES_NO[value].pick(lang)
    if hasattr(value, "astimezone"):
        return clock.local(value).strftime("%Y-%m-%d %H:%M")
    return str(value)


def archive(
    camera: Camera, lang: Lang, names: Mapping[str, Callable[[Any], str | None]], *, reduced: bool
) -> list[dict[str, Any]]:
    """The groups with values and words. `names` turns columns that hold ids or codes into names."""
    groups: list[dict[str, Any]] = []
    for group in GROUPS:
        fields: list[dict[str, Any]] = []
        for field in group.fields:
            if reduced and field.key not in REDUCED:
                continue
            value = getattr(camera, field.column)
            named = names[field.column](value) if field.column in names and value is not None else None
            fields.append(
                {
                    "key": field.key,
                    "label": field.label.pick(lang),
                    "value": value,
                    "display": named or display(field, value, lang),
                    "source": field.source,
                }
            )
        if fields:
            groups.append({"group": group.key, "group_name": group.label.pick(lang), "fields": fields})
    return groups
