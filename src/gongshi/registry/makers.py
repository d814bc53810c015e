"""Makers of the archive (SBCS, governance.md §3.1 row 3) and the brand names under which agencies know them."""

import unicodedata

from gongshi.kit.i18n import Text

MAKERS: dict[int, Text] = {
    1: Text("海康威视", "Hikvision"),
    2: Text("大华", "Dahua"),
    3: Text("天地伟业", "Tiandy"),
    4: Text("科达", "Kedacom"),
    5: Text("安讯士", "Axis"),
    6: Text("博世", "Bosch"),
    7: Text("亚安", "Yaan"),
    8: Text("英飞拓", "Infinova"),
    9: Text("宇视", "Uniview"),
    10: Text("海信", "Hisense"),
    11: Text("中星微", "Vimicro"),
    12: Text("明景", "Mingjing"),
    13: Text("联想", "Lenovo"),
    14: Text("中兴", "ZTE"),
    15: Text("华为", "Huawei"),
    99: Text("其他", "Other"),
}

OTHER = 99

_ALIASES = {"海康": 1, "hik": 1, "浙江大华": 2, "天地": 3, "苏州科达": 4, "bosch安防": 6, "浙江宇视": 9, "unv": 9}


def _plain(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


_NAMES = {
    **{_plain(name): code for code, text in MAKERS.items() for name in (text.zh, text.en)},
    **{_plain(name): code for name, code in _ALIASES.items()},
}


def maker_of(brand: str) -> int | None:
    """The maker's number, or None when the brand is none of the table's."""
    plain = _plain(brand)
    for suffix in ("股份有限公司", "有限公司", "数字技术", "技术", "科技", "牌"):
        plain = plain.removesuffix(suffix)
    if plain in _NAMES:
        return _NAMES[plain]
    return next((code for name, code in _NAMES.items() if len(name) >= 3 and plain.startswith(name)), None)
