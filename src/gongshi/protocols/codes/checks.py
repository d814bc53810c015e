"""Checks on one code in its context (governance.md §2.1, G-061, G-062, G-142). Set checks belong to the inventory.

Every finding has the clause's id, a severity, a cause and a remedy in both languages. Checks are independent: all that
is wrong is said at once, except that nothing can be said about segments of something without the shape of a code.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from gongshi.protocols.codes.code import DeviceCode
from gongshi.protocols.codes.tables import (
    Edition,
    Words,
    industry_ambiguous,
    industry_name,
    network_name,
    type_known,
    type_name,
)

Severity = Literal["error", "warning", "suspicious", "advice"]

_FLOAT = re.compile(r"[0-9]+(\.[0-9]+)?[eE]\+?[0-9]+|[0-9]{18,20}\.0+")
_DIGITS = re.compile(r"[0-9]+", re.ASCII)

EXAMPLES = frozenset(
    {
        "34020000001320000001",
        "34020000002000000001",
        "34020000001110000001",
        "34020000001180000001",
        "34020000001340000001",
        "34020000001310000001",
    }
)
"""Defaults shipped with devices and open-source servers: the same code in many places."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a code, and what to do about it."""

    code: str
    severity: Severity
    message: Words
    remedy: Words


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about the camera besides its code. Empty means: not known, so not checked."""

    edition: Edition | None = None
    city: str = ""
    """Six-digit division code of the tenant's city, such as 341500."""
    counties: Mapping[str, str] = field(default_factory=dict[str, str])
    """Valid six-digit county codes and their names."""
    retired: Mapping[str, Words] = field(default_factory=dict[str, Words])
    """Six-digit codes that no longer belong to the city, with a hint what replaced them."""
    county: str = ""
    """The county that the declared place names."""
    cross_border: bool = False
    """A waiver: the device may belong to another city's centre."""
    units: frozenset[str] | None = None
    """Allocated basic access units as eight digits (county + unit)."""
    industries: frozenset[str] | None = None
    """Industry digits that fit the owner's department."""
    local_industries: Mapping[str, str] = field(default_factory=dict[str, str])
    """The city's own allocations inside the reserved block 15-39, with their names."""
    networks: frozenset[str] | None = None
    """Network digits that fit the real access network (see `NETWORK_TYPE_DIGITS`)."""
    types: frozenset[str] | None = frozenset({"131", "132"})
    """Type digits that the place accepts; None: any known type."""


def findings(text: str, context: Context | None = None) -> tuple[Finding, ...]:
    """Everything wrong with `text` as a device code, in the order of the digits. Never raises."""
    ctx = context or Context()
    if len(text) != 20 or not _DIGITS.fullmatch(text):
        return (_shape(text),)
    code = DeviceCode.parse(text, ctx.edition)
    checks = (_rounded, _region, _unit, _industry, _type, _network, _serial)
    return tuple(finding for check in checks for finding in check(code, ctx))


def _rounded(code: DeviceCode, _: Context) -> Iterator[Finding]:
    if code.value[15:] == "00000":
        yield Finding(
            "C-SHAPE",
            "error",
            Words(
                "第15位以后全为0，编码可能已被电子表格按数字截断",
                "digits after the 15th are all zero: a spreadsheet probably rounded the code",
            ),
            Words(
                "将单元格设为文本格式后，从视频监控平台重新导出编码",
                "format the column as text and export the code again from the video platform",
            ),
        )


def _shape(text: str) -> Finding:
    if not text.strip():
        cause, remedy = (
            Words("编码为空", "the code is empty"),
            Words("填写平台导出的20位编码", "enter the 20-digit code exported by the platform"),
        )
    elif _FLOAT.fullmatch(text.strip()):
        cause = Words(
            "编码被电子表格转成了科学计数法或小数", "the spreadsheet turned the code into a floating-point number"
        )
        remedy = Words(
            "将单元格设为文本格式后重新填写完整20位", "format the cell as text and enter all 20 digits again"
        )
    elif any(c.isspace() or c in "\u200b\ufeff" for c in text):
        cause = Words("编码中含有空格或不可见字符", "the code contains blanks or invisible characters")
        remedy = Words("删除空格后重新填写", "remove the blanks")
    elif not text.isascii() and text.isdigit():
        cause, remedy = (
            Words("编码使用了全角数字", "the code uses full-width digits"),
            Words("改用半角数字", "use half-width digits"),
        )
    elif not _DIGITS.fullmatch(text):
        cause = Words("编码中含有数字以外的字符", "the code contains something other than digits")
        remedy = Words("仅保留20位数字", "keep the 20 digits only")
    elif len(text) == 18:
        cause = Words("18位编码（规则B）不能用于整合接入", "18-digit codes (rule B) are not accepted for integration")
        remedy = Words("按规则A重新编制20位编码", "assign a 20-digit code by rule A")
    else:
        cause = Words(f"编码应为20位，实际为{len(text)}位", f"the code must have 20 digits but has {len(text)}")
        remedy = Words("补齐或更正为20位", "correct it to 20 digits")
    return Finding("C-SHAPE", "error", cause, remedy)


def _region(code: DeviceCode, ctx: Context) -> Iterator[Finding]:
    remedy = Words("核对设备所属中心的行政区划代码", "check the division code of the centre that the device belongs to")
    if ctx.city and code.value[:2] != ctx.city[:2]:
        yield Finding(
            "C-PROV",
            "warning" if ctx.cross_border else "error",
            Words(
                f"第1-2位{code.value[:2]}不是本省代码{ctx.city[:2]}",
                f"digits 1-2 are {code.value[:2]}, not the province {ctx.city[:2]}",
            ),
            remedy,
        )
    if ctx.city and code.value[2:4] not in {ctx.city[2:4], "00"}:
        yield Finding(
            "C-CITY",
            "warning" if ctx.cross_border else "error",
            Words(
                f"第3-4位{code.value[2:4]}不是本市代码{ctx.city[2:4]}",
                f"digits 3-4 are {code.value[2:4]}, not the city {ctx.city[2:4]}",
            ),
            Words(
                "更正编码；确属跨区域接入的，申请豁免",
                "correct the code, or ask for a waiver if the device really is across the border",
            ),
        )
    yield from _county(code, ctx)


def _county(code: DeviceCode, ctx: Context) -> Iterator[Finding]:
    region = code.region
    if region in ctx.retired:
        hint = ctx.retired[region]
        yield Finding(
            "C-COUNTY",
            "error",
            Words(
                f"区划代码{region}已不属于本市：{hint.zh}",
                f"division {region} no longer belongs to the city: {hint.en}",
            ),
            Words("按现行区划重新核定编码", "settle the code by the present division"),
        )
        return
    centre = region[4:] == "00"
    if region[4:] == "01" and ctx.city:
        yield Finding(
            "C-COUNTY",
            "error",
            Words(
                f"{region}为“市辖区”统计代码，不能用于摄像机编码",
                f"{region} stands for the city districts as a whole and cannot be used in a camera's code",
            ),
            Words("改用摄像机所在区的代码", "use the code of the district"),
        )
    elif ctx.counties and not centre and region not in ctx.counties:
        yield Finding(
            "C-COUNTY",
            "warning" if ctx.cross_border else "error",
            Words(f"区划代码{region}不在本市县区表中", f"division {region} is not a county or district of the city"),
            Words("改为所在县区的6位代码", "use the six-digit code of the county"),
        )
    elif ctx.county in ctx.counties and not centre and region != ctx.county:
        name = ctx.counties[ctx.county]
        yield Finding(
            "C-COUNTY",
            "warning",
            Words(
                f"编码区划{region}与填报所在地“{name}”不一致",
                f"division {region} differs from the declared place {name}",
            ),
            Words("核对所在地与编码", "check the place and the code"),
        )


def _unit(code: DeviceCode, ctx: Context) -> Iterator[Finding]:
    if ctx.units is not None and code.unit != "00" and code.centre not in ctx.units:
        yield Finding(
            "C-UNIT",
            "warning",
            Words(
                f"第7-8位{code.unit}不在本地基层接入单位分配表中",
                f"digits 7-8 ({code.unit}) are not in the local allocation table",
            ),
            Words("向编码管理单位申请分配，或改为00", "ask for an allocation, or use 00"),
        )


def _industry(code: DeviceCode, ctx: Context) -> Iterator[Finding]:
    digits = code.industry
    known = industry_name(digits, code.edition)
    if ctx.industries is not None and digits not in ctx.industries:
        fitting = "、".join(sorted(ctx.industries))
        yield Finding(
            "C-IND",
            "error",
            Words(
                f"行业码{digits}与权属部门不符，应为{fitting}",
                f"industry {digits} does not fit the owner's department (expected {', '.join(sorted(ctx.industries))})",
            ),
            Words("社会资源的行业码应反映真实权属（G-142）", "the industry digits must tell the real owner (G-142)"),
        )
    elif known is None and digits not in ctx.local_industries:
        if code.edition is None and industry_ambiguous(digits):
            yield Finding(
                "C-IND",
                "advice",
                Words(
                    f"行业码{digits}在2016版与2022版中含义不同",
                    f"industry {digits} means different things in the 2016 and 2022 editions",
                ),
                Words("注明编码所依据的标准版本", "state the edition that the code follows"),
            )
        else:
            yield Finding(
                "C-IND",
                "warning",
                Words(f"行业码{digits}为保留代码", f"industry {digits} is reserved"),
                Words("改用标准或本市分配表中的行业码", "use an industry of the standard or of the city's table"),
            )


def _type(code: DeviceCode, ctx: Context) -> Iterator[Finding]:
    digits = code.type
    name = type_name(digits, code.edition)
    if name is None or not type_known(digits, code.edition):
        edition = code.edition or ""
        yield Finding(
            "C-TYPE",
            "error" if name is None else "warning",
            Words(
                f"类型码{digits}未在标准{edition}中定义",
                f"type {digits} is not defined by the standard {edition}".rstrip(),
            ),
            Words("改为设备的实际类型，摄像机为131或132", "use the real type; a camera is 131 or 132"),
        )
    elif ctx.types is not None and digits not in ctx.types:
        yield Finding(
            "C-TYPE",
            "error",
            Words(f"类型码{digits}为{name.zh}，不是摄像机", f"type {digits} is {name.en}, not a camera"),
            Words("填写摄像机（131、132）的编码", "enter the code of the camera (131 or 132)"),
        )


def _network(code: DeviceCode, ctx: Context) -> Iterator[Finding]:
    digit = code.network
    if ctx.networks is not None and digit not in ctx.networks:
        fitting = "、".join(sorted(ctx.networks))
        name = network_name(digit, code.edition)
        meaning = Words(f"（{name.zh}）", f" ({name.en})") if name else Words("", "")
        yield Finding(
            "C-NET",
            "error",
            Words(
                f"第14位{digit}{meaning.zh}与实际接入网络不符，应为{fitting}",
                f"network digit {digit}{meaning.en} does not fit the real access network (expected {', '.join(sorted(ctx.networks))})",
            ),
            Words("网络标识应反映真实接入网络（G-142）", "the network digit must tell the real access network (G-142)"),
        )
    elif digit == "9":
        yield Finding(
            "C-NET",
            "warning",
            Words("第14位9为保留代码", "network digit 9 is reserved"),
            Words("改为实际接入网络的代码", "use the digit of the real access network"),
        )


def _serial(code: DeviceCode, _: Context) -> Iterator[Finding]:
    if code.serial == "000000":
        yield Finding(
            "C-SERIAL",
            "error",
            Words("序号000000不能使用", "serial 000000 is not used"),
            Words("从000001起编号", "number from 000001"),
        )
    if code.value in EXAMPLES:
        yield Finding(
            "C-EXAMPLE",
            "error",
            Words("这是设备出厂或开源软件的默认编码", "this is a vendor's or open-source default"),
            Words("在设备上改为正式分配的编码", "set the assigned code in the device"),
        )
