"""What pydantic finds wrong, said to people in both languages: no English inside a Chinese answer."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import PydanticCustomError

from gongshi.kit.i18n import Text

_DIGITS: Final = re.compile(r"\^\[0-9\]\{([0-9]+)\}\$")

_SAID: Final[Mapping[str, Text]] = {
    "missing": Text("缺少这一项", "is missing"),
    "missing_argument": Text("缺少这一项", "is missing"),
    "extra_forbidden": Text("没有这个字段，请检查拼写", "is not a known field; check the spelling"),
    "unexpected_keyword_argument": Text("没有这个字段，请检查拼写", "is not a known field; check the spelling"),
    "json_type": Text("应为 JSON 文本", "must be JSON text"),
    "none_required": Text("应为空", "must be null"),
    "model_type": Text("应为对象", "must be an object"),
    "model_attributes_type": Text("应为对象", "must be an object"),
    "dataclass_type": Text("应为对象", "must be an object"),
    "dict_type": Text("应为对象", "must be an object"),
    "mapping_type": Text("应为对象", "must be an object"),
    "list_type": Text("应为列表", "must be a list"),
    "tuple_type": Text("应为列表", "must be a list"),
    "set_type": Text("应为列表", "must be a list"),
    "frozen_set_type": Text("应为列表", "must be a list"),
    "iterable_type": Text("应为列表", "must be a list"),
    "too_short": Text(
        "至少应有 {min_length} 项，现有 {actual_length} 项", "needs {min_length} items, has {actual_length}"
    ),
    "too_long": Text("最多 {max_length} 项", "may have at most {max_length} items"),
    "string_type": Text("应为文字", "must be text"),
    "string_sub_type": Text("应为文字", "must be text"),
    "string_unicode": Text("含有无法识别的字符", "holds characters that are no text"),
    "string_not_ascii": Text("只能用英文字母、数字和符号", "may hold ASCII characters only"),
    "string_too_short": Text("至少 {min_length} 个字", "must have at least {min_length} characters"),
    "string_too_long": Text("最多 {max_length} 个字", "may have at most {max_length} characters"),
    "bytes_type": Text("应为文字", "must be text"),
    "bytes_too_short": Text("至少 {min_length} 个字节", "must have at least {min_length} bytes"),
    "bytes_too_long": Text("最多 {max_length} 个字节", "may have at most {max_length} bytes"),
    "string_pattern_mismatch": Text("格式不符（{pattern}）", "does not match {pattern}"),
    "enum": Text("只能是 {expected}", "must be {expected}"),
    "literal_error": Text("只能是 {expected}", "must be {expected}"),
    "union_tag_invalid": Text("只能是 {expected_tags}", "must be one of {expected_tags}"),
    "bool_type": Text("只能是 true 或 false", "must be true or false"),
    "bool_parsing": Text("只能是 true 或 false", "must be true or false"),
    "int_type": Text("应为整数", "must be a whole number"),
    "int_parsing": Text("应为整数", "must be a whole number"),
    "int_from_float": Text("应为整数", "must be a whole number"),
    "int_parsing_size": Text("数字过大", "is too large a number"),
    "float_type": Text("应为数字", "must be a number"),
    "float_parsing": Text("应为数字", "must be a number"),
    "decimal_type": Text("应为数字", "must be a number"),
    "decimal_parsing": Text("应为数字", "must be a number"),
    "finite_number": Text("应为有限的数字", "must be a finite number"),
    "greater_than": Text("应大于 {gt}", "must be greater than {gt}"),
    "greater_than_equal": Text("不能小于 {ge}", "must be at least {ge}"),
    "less_than": Text("应小于 {lt}", "must be less than {lt}"),
    "less_than_equal": Text("不能大于 {le}", "must be at most {le}"),
    "multiple_of": Text("应为 {multiple_of} 的倍数", "must be a multiple of {multiple_of}"),
    "uuid_type": Text("应为 UUID 编号", "must be a UUID"),
    "uuid_parsing": Text("应为 UUID 编号", "must be a UUID"),
    "uuid_version": Text("应为 UUID 编号", "must be a UUID"),
    "url_type": Text("应为网址", "must be a URL"),
    "url_parsing": Text("应为网址", "must be a URL"),
    "url_scheme": Text("应为网址", "must be a URL"),
    "url_too_long": Text("网址过长", "is too long for a URL"),
    "path_type": Text("应为路径", "must be a path"),
    "json_invalid": Text("不是有效的 JSON", "is not valid JSON"),
}
_KINDS: Final = (
    (
        "datetime_",
        Text("应为日期时间，例如 2026-11-22T08:00:00+08:00", "must be a time such as 2026-11-22T08:00:00+08:00"),
    ),
    ("timezone_", Text("时间应带时区，例如 +08:00", "must have an offset such as +08:00")),
    ("date_", Text("应为日期，例如 2026-11-22", "must be a date such as 2026-11-22")),
    ("time_delta_", Text("应为时长", "must be a duration")),
    ("time_", Text("应为时刻，例如 08:00", "must be a time of day such as 08:00")),
)


def refused(code: str, text: Text) -> PydanticCustomError:
    """What a validator of ours raises, so that its reason reaches people in their language."""
    return PydanticCustomError("gongshi", "{en}", {"zh": text.zh, "en": text.en, "code": code})


def code_of(error: Mapping[str, Any]) -> str:
    """The stable code of one of pydantic's errors."""
    return str(error.get("ctx", {}).get("code", error["type"])) if error["type"] == "gongshi" else str(error["type"])


def reason(error: Mapping[str, Any]) -> Text:
    """What is wrong with a field, to stand after its name; `error` is an item of pydantic's `errors()`.

    A type that is not known here is “无效” in Chinese, and pydantic's own words in English.
    """
    kind, context = str(error["type"]), dict(error.get("ctx") or {})
    if kind == "gongshi":
        return Text(str(context["zh"]), str(context["en"]))
    if kind == "string_pattern_mismatch" and (digits := _DIGITS.fullmatch(str(context.get("pattern")))):
        return Text(f"应为 {digits[1]} 位数字", f"must be {digits[1]} digits")
    said = _SAID.get(kind) or next((text for prefix, text in _KINDS if kind.startswith(prefix)), None)
    if said is None:
        return Text("无效", f"is not valid ({error['msg']})")
    try:
        english = said.en.format(**context)
        return Text(said.zh.format(**{name: _listed(value) for name, value in context.items()}), english)
    except KeyError:
        return Text("无效", f"is not valid ({error['msg']})")


def _listed(value: object) -> object:
    """Pydantic joins choices in English: `'a', 'b' or 'c'`."""
    return value.replace(" or ", "、").replace(", ", "、") if isinstance(value, str) else value
