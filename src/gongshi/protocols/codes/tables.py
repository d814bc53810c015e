"""Code tables of GB/T 28181-2011, -2016 annex D, -2022 annex E and GA/T 1400.1 (governance.md §2).

Digits with the same value mean different things in different editions (industry 43-55, network 0-8), so every lookup
takes the edition; without one, a meaning is given only where all editions agree.
"""

from enum import StrEnum
from typing import NamedTuple


class Edition(StrEnum):
    """Which edition's tables give a code its meaning."""

    E2011 = "2011"
    E2016 = "2016"
    E2022 = "2022"
    E1400 = "1400"
    """GA/T 1400.1-2017: types 119 and 504 exist only there; everything else is read as 2016."""


class Words(NamedTuple):
    """One text in both languages (protocols may not import the kit's `Text`)."""

    zh: str
    en: str


_INDUSTRY_COMMON: dict[str, Words] = {
    "00": Words("公安·城市路面", "police: streets"),
    "01": Words("公安·社区", "police: communities"),
    "02": Words("公安·内部", "police: internal"),
    "03": Words("公安·其他", "police: other"),
    "04": Words("交通·道路", "traffic: roads"),
    "05": Words("交通·卡口", "traffic: checkpoints"),
    "06": Words("交通·内部", "traffic: internal"),
    "07": Words("交通·其他", "traffic: other"),
    "08": Words("城市管理", "urban management"),
    "09": Words("卫生环保", "health and environment"),
    "10": Words("商检海关", "inspection and customs"),
    "11": Words("教育", "education"),
    "40": Words("农林牧渔业", "agriculture, forestry, fishery"),
    "41": Words("采矿业", "mining"),
    "42": Words("制造业", "manufacturing"),
}
_INDUSTRY_2016: dict[str, Words] = _INDUSTRY_COMMON | {
    "43": Words("冶金", "metallurgy"),
    "44": Words("电力", "electric power"),
    "45": Words("燃气", "gas"),
    "46": Words("建筑业", "construction"),
    "47": Words("物流", "logistics"),
    "48": Words("邮政", "post"),
    "49": Words("信息业", "information"),
    "50": Words("住宿餐饮", "hotels and catering"),
    "51": Words("金融", "finance"),
    "52": Words("房地产", "real estate"),
    "53": Words("商务服务", "business services"),
    "54": Words("水利", "water"),
    "55": Words("文化娱乐", "culture and entertainment"),
}
_INDUSTRY_2022: dict[str, Words] = _INDUSTRY_COMMON | {
    "12": Words("民航", "civil aviation"),
    "13": Words("铁路", "railway"),
    "14": Words("航运", "shipping"),
    "43": Words("电力热力燃气及水", "electricity, heat, gas, water supply"),
    "44": Words("建筑业", "construction"),
    "45": Words("批发零售业", "wholesale and retail"),
    "46": Words("交通运输仓储邮政", "transport, storage, post"),
    "47": Words("住宿餐饮业", "accommodation and catering"),
    "48": Words("信息传输软件", "information and software"),
    "49": Words("金融业", "finance"),
    "50": Words("房地产业", "real estate"),
    "51": Words("租赁商务服务", "leasing and business services"),
    "52": Words("科研技术服务", "research and technical services"),
    "53": Words("水利环境公共设施", "water, environment, public facilities"),
    "54": Words("居民服务", "resident services"),
    "55": Words("教育（行业）", "education (trade)"),
    "56": Words("卫生社会工作", "health and social work"),
    "57": Words("文化体育娱乐", "culture, sport, entertainment"),
    "58": Words("公共管理社会组织", "public administration"),
    "59": Words("国际组织", "international bodies"),
}
INDUSTRIES: dict[Edition, dict[str, Words]] = {
    Edition.E2011: _INDUSTRY_2016,
    Edition.E2016: _INDUSTRY_2016,
    Edition.E1400: _INDUSTRY_2016,
    Edition.E2022: _INDUSTRY_2022,
}
"""Digits 9-10 that have a meaning. 80-99 (residents, other or custom) are ranges, see `industry_name`."""

_TYPE_COMMON: dict[str, Words] = {
    "111": Words("硬盘录像机 DVR", "DVR"),
    "112": Words("视频服务器", "video server"),
    "113": Words("编码器", "encoder"),
    "114": Words("解码器", "decoder"),
    "115": Words("视频切换矩阵", "video matrix"),
    "116": Words("音频切换矩阵", "audio matrix"),
    "117": Words("报警控制器", "alarm controller"),
    "118": Words("网络录像机 NVR", "NVR"),
    "130": Words("混合硬盘录像机 HVR", "hybrid recorder"),
    "131": Words("摄像机", "camera"),
    "132": Words("网络摄像机 IPC", "network camera"),
    "133": Words("显示器", "display"),
    "134": Words("报警输入设备", "alarm input"),
    "135": Words("报警输出设备", "alarm output"),
    "136": Words("语音输入设备", "voice input"),
    "137": Words("语音输出设备", "voice output"),
    "138": Words("移动传输设备", "mobile transmission device"),
    "139": Words("其他外围设备", "other peripheral"),
    "200": Words("中心信令控制服务器", "signalling control server"),
    "201": Words("Web 应用服务器", "web application server"),
    "202": Words("媒体分发服务器", "media distribution server"),
    "203": Words("代理服务器", "proxy server"),
    "204": Words("安全服务器", "security server"),
    "205": Words("报警服务器", "alarm server"),
    "206": Words("数据库服务器", "database server"),
    "207": Words("GIS 服务器", "GIS server"),
    "208": Words("管理服务器", "management server"),
    "209": Words("接入网关", "access gateway"),
    "210": Words("媒体存储服务器", "media storage server"),
    "211": Words("信令安全路由网关", "signalling security gateway"),
    "215": Words("业务分组", "business group"),
    "216": Words("虚拟组织", "virtual organisation"),
    "300": Words("中心用户", "centre user"),
    "400": Words("终端用户", "terminal user"),
    "500": Words("图像应用平台", "image application platform"),
    "501": Words("运维平台", "operation and maintenance platform"),
}
_TYPE_2022: dict[str, Words] = _TYPE_COMMON | {
    "120": Words("在线视频图像采集系统", "online image collection system"),
    "121": Words("视频卡口", "video checkpoint"),
    "122": Words("多目设备", "multi-lens device"),
    "123": Words("停车场出入口控制设备", "parking entrance controller"),
    "124": Words("人员出入口控制设备", "person access controller"),
    "125": Words("安检设备", "security inspection device"),
    "140": Words("报警输出（继电器或触发器）", "alarm output, relay or trigger"),
    "141": Words("道闸", "barrier gate"),
    "142": Words("智能门", "smart door"),
    "143": Words("凭证识读设备", "credential reader"),
    "502": Words("分析系统", "analysis system"),
    "503": Words("视图库", "image database"),
    "505": Words("分析设备", "analysis device"),
}
_TYPE_1400: dict[str, Words] = _TYPE_COMMON | {
    "119": Words("采集设备", "collection device"),
    "120": Words("采集系统", "collection system"),
    "121": Words("视频卡口", "video checkpoint"),
    "502": Words("分析系统", "analysis system"),
    "503": Words("视图库", "image database"),
    "504": Words("应用平台", "application platform"),
}
TYPES: dict[Edition, dict[str, Words]] = {
    Edition.E2011: _TYPE_COMMON,
    Edition.E2016: _TYPE_COMMON,
    Edition.E2022: _TYPE_2022,
    Edition.E1400: _TYPE_1400,
}
"""Digits 11-13 with a fixed meaning; the rest belong to ranges, see `type_name`."""

_NETWORK_2016: dict[str, Words] = {
    **{digit: Words("监控报警专网", "surveillance private network") for digit in "01234"},
    "5": Words("公安信息网", "police information network"),
    "6": Words("政务网", "government network"),
    "7": Words("Internet 网", "Internet"),
    "8": Words("社会资源接入网", "social-resource access network"),
}
NETWORKS: dict[Edition, dict[str, Words]] = {
    Edition.E2011: {
        "0": Words("监控专网", "surveillance private network"),
        "1": Words("公安网", "police network"),
        "2": Words("政务网", "government network"),
        "3": Words("互联网", "Internet"),
        "4": Words("社会资源接入网", "social-resource access network"),
    },
    Edition.E2016: _NETWORK_2016,
    Edition.E1400: _NETWORK_2016,
    Edition.E2022: {
        "0": Words("公安视频传输网", "police video transport network"),
        "1": Words("公安视频传输网", "police video transport network"),
        "2": Words("行业专网", "industry private network"),
        "3": Words("政法网", "political-legal network"),
        "4": Words("公安移动信息网", "police mobile network"),
        "5": Words("公安信息网", "police information network"),
        "6": Words("电子政务外网", "e-government extranet"),
        "7": Words("互联网等公共网络", "Internet and other public networks"),
        "8": Words("专线", "dedicated line"),
    },
}
"""Digit 14; 9 (and 5-9 of 2011) is reserved everywhere."""

NETWORK_TYPE_DIGITS: dict[str, dict[Edition, frozenset[str]]] = {
    "互联网": {Edition.E2011: frozenset("3"), Edition.E2016: frozenset("7"), Edition.E2022: frozenset("7")},
    "部门专线": {Edition.E2011: frozenset("4"), Edition.E2016: frozenset("8"), Edition.E2022: frozenset("28")},
    "公安视频专线": {Edition.E2011: frozenset("0"), Edition.E2016: frozenset("01234"), Edition.E2022: frozenset("01")},
    "电子政务外网": {Edition.E2011: frozenset("2"), Edition.E2016: frozenset("6"), Edition.E2022: frozenset("6")},
}
"""Which network digits fit a network type as declared in the inventory form (G-065, governance.md §2.4)."""

_TYPE_RANGES: tuple[tuple[int, int, Words], ...] = (
    (111, 130, Words("前端主设备（扩展）", "front-end main device (extension)")),
    (131, 199, Words("前端外围设备（扩展）", "front-end peripheral (extension)")),
    (200, 299, Words("平台设备（扩展）", "platform device (extension)")),
    (300, 399, Words("中心用户（行业角色）", "centre user (trade role)")),
    (400, 499, Words("终端用户（行业角色）", "terminal user (trade role)")),
    (500, 599, Words("平台外接服务器（扩展）", "external server (extension)")),
    (600, 999, Words("扩展类型", "extension")),
)


def _agreed(tables: dict[Edition, dict[str, Words]], key: str) -> Words | None:
    meanings = {table.get(key) for table in tables.values()}
    return meanings.pop() if len(meanings) == 1 else None


def industry_name(digits: str, edition: Edition | None) -> Words | None:
    """What digits 9-10 mean; None when reserved, unknown, or different between editions and none is given."""
    if digits[:1] == "8":
        return Words("居民（自建）", "residents")
    if digits[:1] == "9":
        return Words("其他主体", "other bodies")
    return _agreed(INDUSTRIES, digits) if edition is None else INDUSTRIES[edition].get(digits)


def industry_ambiguous(digits: str) -> bool:
    """True when the 2016 and 2022 tables give the digits different meanings (43-55)."""
    return _INDUSTRY_2016.get(digits) != _INDUSTRY_2022.get(digits)


def type_name(digits: str, edition: Edition | None) -> Words | None:
    """What digits 11-13 mean, by table, else by range; None below 111. Any edition's meaning will do without one."""
    tables = [TYPES[edition]] if edition else [TYPES[Edition.E2022], TYPES[Edition.E1400]]
    for table in tables:
        if digits in table:
            return table[digits]
    number = int(digits)
    return next((words for first, last, words in _TYPE_RANGES if first <= number <= last), None)


def type_known(digits: str, edition: Edition | None) -> bool:
    """True when the edition's table (any edition's, without one) names the type itself, not only its range."""
    return any(digits in TYPES[e] for e in ([edition] if edition else TYPES))


def network_name(digit: str, edition: Edition | None) -> Words | None:
    """What digit 14 means; None when reserved, or when editions differ and none is given."""
    return _agreed(NETWORKS, digit) if edition is None else NETWORKS[edition].get(digit)
