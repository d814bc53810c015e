"""The form 《公共场所视频监控资源整合接入清单》 as data: two tables, their columns and their vocabulary.

Labels are those that agencies know, in their order (inventory-form.md); what a field means and how it is checked is
G-060 to G-093. Everything that writes or reads a form (blank workbook, parser, rules, marked workbook, API) uses this.
"""

import unicodedata
from dataclasses import dataclass
from typing import Literal

from gongshi.kit.i18n import Text

Sheet = Literal["platform", "camera"]

TITLE = Text("公共场所视频监控资源整合接入清单", "Inventory of public-place video resources for integration")

YES, NO = "是", "否"
NETWORK_TYPES = {
    "互联网": "internet",
    "部门专线": "department_line",
    "公安视频专线": "police_line",
    "电子政务外网": "egov",
}
"""G-065: what may be written, and what the registry keeps."""
STATES = {"在用": 1, "停用": 2}
"""G-091 to SBZT (X-09): 停用 is taken as under repair until the unit says that the camera was removed."""
REMOVED_MARK = "已拆除"
"""What a unit writes into the remark of such a camera."""
PLANS = {"保留": "keep", "拆除": "remove", "迁移": "move"}
"""G-092."""
EXAMPLE = "示例"
"""What the serial column of the example row says."""


@dataclass(frozen=True, slots=True)
class Field:
    """One column of the form."""

    key: str
    label: Text
    help: Text
    clause: str
    required: bool = True
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """Other headings under which agencies write the same thing."""
    width: int = 14
    example: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One of the form's two tables."""

    sheet: Sheet
    title: Text
    fields: tuple[Field, ...]
    notes: tuple[Text, ...]

    def field(self, key: str) -> Field:
        return next(field for field in self.fields if field.key == key)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(field.key for field in self.fields)


_MONTH_HELP = Text("年份和月份，如 2020.03", "Year and month, for example 2020.03")
_REMARK = Field("remark", Text("备注", "Remark"), Text("可不填", "Optional"), "G-093", required=False, width=20)
_YES_NO = Text("填写 是 或 否", "是 (yes) or 否 (no)")

PLATFORMS = Table(
    "platform",
    Text("监控管理平台", "Management platforms"),
    (
        Field("serial", Text("序号", "No."), Text("从1起连续编号", "Number from 1"), "G-061", width=7, example=EXAMPLE),
        Field(
            "name",
            Text("名称", "Name"),
            Text("平台名称，本单位内不重复；表2以此对应", "Unique in your unit; table 2 refers to it"),
            "G-062",
            aliases=("平台名称", "监控管理平台名称"),
            width=24,
            example="旅游视频管理平台",
        ),
        Field(
            "vendor",
            Text("平台厂商", "Vendor"),
            Text("平台软件的生产厂商", "Who makes the platform software"),
            "G-063",
            aliases=("厂商",),
            example="XXX",
        ),
        Field(
            "gbt28181",
            Text("是否符合GB/T 28181", "Conforms to GB/T 28181"),
            _YES_NO,
            "G-064",
            choices=(YES, NO),
            aliases=("是否符合国标28181", "是否符合28181"),
            example=YES,
        ),
        Field(
            "network_type",
            Text("网络类型", "Network type"),
            Text("填写 互联网、部门专线、公安视频专线 或 电子政务外网", "One of the four listed networks"),
            "G-065",
            choices=tuple(NETWORK_TYPES),
            example="部门专线",
        ),
        Field(
            "description",
            Text("平台描述", "Description"),
            Text("平台管理哪些场所、哪些部位的视频", "Which places the platform looks after"),
            "G-066",
            width=28,
            example="管理4A级景区出入口视频",
        ),
        Field(
            "joined_xueliang",
            Text("是否已对接本级“雪亮平台”", "Joined to the Xueliang platform of its level"),
            _YES_NO,
            "G-067",
            choices=(YES, NO),
            aliases=("是否已对接雪亮平台", "是否对接本级雪亮平台"),
            width=16,
            example=NO,
        ),
        Field("built_month", Text("建设时间", "Built"), _MONTH_HELP, "G-068", width=11, example="2020.03"),
        Field(
            "build_cost",
            Text("建设费用（万元）", "Build cost (10,000 CNY)"),
            Text("单位为万元，无费用填0", "In 10,000 CNY; 0 when there was none"),
            "G-069",
            aliases=("建设费用",),
            example="100",
        ),
        Field(
            "yearly_cost",
            Text("运维费（万元/年）", "O&M per year (10,000 CNY)"),
            Text("单位为万元每年，无费用填0", "In 10,000 CNY per year; 0 when there is none"),
            "G-070",
            aliases=("运维费", "运维费用（万元/年）", "运维费用"),
            example="10",
        ),
        Field("remark", Text("备注", "Remark"), Text("可不填", "Optional"), "G-071", required=False, width=20),
    ),
    (
        Text(
            "网络类型填写 互联网、部门专线、公安视频专线 或 电子政务外网。",
            "Network type is one of 互联网, 部门专线, 公安视频专线, 电子政务外网.",
        ),
    ),
)

CAMERAS = Table(
    "camera",
    Text("平台接入摄像机", "Cameras on the platforms"),
    (
        Field("serial", Text("序号", "No."), Text("从1起连续编号", "Number from 1"), "G-080", width=7, example=EXAMPLE),
        Field(
            "code",
            Text("20位编码", "20-digit code"),
            Text("由视频监控平台导出，单元格保持文本格式", "Exported by the video platform; keep the cell as text"),
            "G-081",
            aliases=("20位国标编码", "国标编码", "设备编码", "摄像机编码", "编码", "二十位编码"),
            width=24,
            example="34012341001320175079",
        ),
        Field(
            "name",
            Text("名称", "Name"),
            Text("由视频监控平台导出，与画面标注一致", "Exported by the video platform; as shown in the picture"),
            "G-082",
            aliases=("摄像机名称", "设备名称", "点位名称"),
            width=24,
            example="望潜交口东南角",
        ),
        Field(
            "platform",
            Text("管理平台名称", "Platform"),
            Text("与表1的名称一致", "A name of table 1"),
            "G-083",
            aliases=("所属平台", "平台名称"),
            width=22,
            example="旅游视频管理平台",
        ),
        Field("brand", Text("品牌", "Brand"), Text("摄像机品牌", "Maker's brand"), "G-084", width=11, example="XXX"),
        Field("model", Text("型号", "Model"), Text("摄像机型号", "Maker's model"), "G-085", width=16, example="XXX"),
        Field(
            "place",
            Text("所在市、县（区）、乡镇（街道）", "City, county (district), township (street)"),
            Text("依次写明市、县区、乡镇街道", "City, county and township, in this order"),
            "G-086",
            aliases=("所在市县乡镇", "所在地", "所在市县（区）乡镇（街道）", "所在地区", "安装地址"),
            width=26,
            example="六安市金安区",
        ),
        Field(
            "longitude",
            Text("经度", "Longitude"),
            Text("小数点后不少于6位，第6位不为0；WGS-84", "At least 6 decimals, the 6th not 0; WGS-84"),
            "G-087",
            aliases=("东经",),
            example="117.266573",
        ),
        Field(
            "latitude",
            Text("纬度", "Latitude"),
            Text("小数点后不少于6位，第6位不为0；WGS-84", "At least 6 decimals, the 6th not 0; WGS-84"),
            "G-088",
            aliases=("北纬",),
            example="31.870837",
        ),
        Field("built_month", Text("建设时间", "Built"), _MONTH_HELP, "G-089", width=11, example="2020.3"),
        Field(
            "leased",
            Text("是否以租代建", "Leased instead of built"),
            _YES_NO,
            "G-090",
            choices=(YES, NO),
            width=11,
            example=NO,
        ),
        Field(
            "status",
            Text("状态", "State"),
            Text("填写 在用 或 停用", "在用 (in use) or 停用 (out of use)"),
            "G-091",
            choices=tuple(STATES),
            aliases=("使用状态", "设备状态"),
            width=9,
            example="在用",
        ),
        Field(
            "plan",
            Text("计划整合方式", "Integration plan"),
            Text("填写 保留、拆除 或 迁移", "保留 (keep), 拆除 (remove) or 迁移 (move)"),
            "G-092",
            choices=tuple(PLANS),
            aliases=("整合方式",),
            width=11,
            example="保留",
        ),
        _REMARK,
    ),
    (
        Text("20位编码及名称由视频监控平台导出。", "Code and name are exported by the video platform."),
        Text(
            "经度、纬度小数点后不小于6位，第6位不为0。",
            "Longitude and latitude have at least 6 decimals, the 6th of which is not 0.",
        ),
        Text("状态填写 在用 或 停用。", "State is 在用 or 停用."),
        Text("计划整合方式填写 保留、拆除 或 迁移。", "Integration plan is 保留, 拆除 or 迁移."),
    ),
)

TABLES: dict[Sheet, Table] = {"platform": PLATFORMS, "camera": CAMERAS}

HEAD = (
    Field("unit", Text("填报单位", "Reporting unit"), Text("单位全称", "Full name of the unit"), "G-060"),
    Field("contact", Text("联系人", "Contact"), Text("填报联系人", "Who can be asked"), "G-060"),
    Field(
        "phone",
        Text("联系方式", "Phone"),
        Text("座机或手机号码", "Land line or mobile"),
        "G-060",
        aliases=("联系电话", "电话"),
    ),
)
"""G-060."""


def squeeze(text: str) -> str:
    """A heading without white space, punctuation and full/half-width differences, for comparing."""
    return "".join(c for c in unicodedata.normalize("NFKC", text) if c.isalnum()).casefold()


def headings(table: Table) -> dict[str, str]:
    """Squeezed heading or alias → field key."""
    found: dict[str, str] = {}
    for field in table.fields:
        for label in (field.label.zh, *field.aliases):
            found.setdefault(squeeze(label), field.key)
    return found
