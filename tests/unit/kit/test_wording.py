"""What pydantic refuses is said in both languages, and never in English inside Chinese."""

import re
from datetime import UTC, date, datetime, time
from enum import Enum
from typing import Annotated, Any, Literal, get_args
from uuid import UUID

import pytest
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import core_schema

from gongshi.kit.i18n import Text
from gongshi.kit.moments import Moment
from gongshi.kit.wording import code_of, reason, refused

CONTEXT = {
    **dict.fromkeys(("min_length", "max_length", "actual_length", "gt", "ge", "lt", "le", "multiple_of"), 2),
    **dict.fromkeys(("expected", "expected_tags", "tag", "pattern", "error", "field_type"), "'甲', '乙' or '丙'"),
}
NAMES = {"JSON", "UUID", "true", "false"}
"""Words that are the same in Chinese."""


def words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]{2,}", text)) - NAMES


class Color(Enum):
    RED = "红"


class Everything(BaseModel):
    """One field for each kind of mistake that the API's shapes can meet."""

    model_config = ConfigDict(extra="forbid")

    missing: int
    number: int = 0
    half: int = 0
    bounded: Annotated[int, Field(ge=1, le=5)] = 1
    strict: Annotated[float, Field(gt=0, lt=5)] = 1
    ratio: float = 0
    flag: bool = False
    day: date | None = None
    clock: time | None = None
    at: datetime | None = None
    word: Literal["甲", "乙"] = "甲"
    color: Color = Color.RED
    code: Annotated[str, Field(pattern=r"^[0-9]{20}$")] = ""
    text: Annotated[str, Field(min_length=2, max_length=3)] = "甲乙"
    long: Annotated[str, Field(max_length=3)] = ""
    items: Annotated[list[int], Field(min_length=1)] = [1]
    many: Annotated[list[int], Field(max_length=1)] = [1]
    lists: list[int] = []
    inner: dict[str, int] = {}
    id: UUID | None = None
    moment: Moment | None = None


WRONG: dict[str, Any] = {
    "number": "many",
    "half": 1.5,
    "bounded": 0,
    "strict": 9,
    "ratio": "x",
    "flag": "perhaps",
    "day": "2026-13-01",
    "clock": "25:00",
    "at": "today",
    "word": "丙",
    "color": "蓝",
    "code": "1",
    "text": "甲",
    "long": "甲乙丙丁",
    "items": [],
    "many": [1, 2],
    "lists": "x",
    "inner": [],
    "id": "x",
    "moment": "2026",
    "unknown": 1,
}


@pytest.mark.parametrize("kind", get_args(core_schema.ErrorType))
def test_every_type_of_mistake_has_a_chinese_sentence(kind: str) -> None:
    text = reason({"type": kind, "msg": "Input should be something", "ctx": CONTEXT})
    assert text.zh
    assert text.en
    assert words(text.zh) == set()


def test_mistakes_as_they_really_come() -> None:
    with pytest.raises(ValidationError) as caught:
        Everything.model_validate(WRONG)
    said = {error["loc"][0]: reason(error) for error in caught.value.errors()}
    assert set(said) == {"missing", *WRONG}
    assert {field: words(text.zh) for field, text in said.items() if words(text.zh)} == {}
    assert {field for field, text in said.items() if "无效" in text.zh or "not valid" in text.en} == set()
    assert said["items"].zh == "至少应有 1 项，现有 0 项"
    assert said["bounded"] == Text("不能小于 1", "must be at least 1")
    assert said["code"] == Text("应为 20 位数字", "must be 20 digits")
    assert said["word"].zh == "只能是 '甲'、'乙'"


def test_a_type_that_is_unknown_here_keeps_its_words_for_the_english_reader() -> None:
    text = reason({"type": "brand_new", "msg": "Input should shine"})
    assert text == Text("无效", "is not valid (Input should shine)")


def test_a_reason_of_our_own_reaches_both() -> None:
    def never(_value: object) -> None:
        raise refused("never", Text("绝不", "never"))

    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Annotated[object, BeforeValidator(never)]).validate_python(1)
    error = caught.value.errors()[0]
    assert (code_of(error), reason(error)) == ("never", Text("绝不", "never"))


@pytest.mark.parametrize(
    "written",
    [
        "9999-12-31T23:59:59-10:00",
        "9999-12-30T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1969-12-31T00:00:00Z",
        "2201-01-01",
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
)
def test_a_moment_outside_what_a_city_records_is_refused(written: object) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(Moment).validate_python(written)
    error = caught.value.errors()[0]
    assert code_of(error) == "moment_range"
    assert "1970" in reason(error).zh


def test_every_moment_that_is_taken_can_change_its_zone() -> None:
    for written in ("1970-01-01T00:00:00+23:59", "2200-12-31T23:59:59-23:59", "2026-11-22"):
        moment = TypeAdapter(Moment).validate_python(written)
        assert moment.astimezone(TypeAdapter(Moment).validate_python("2026-11-22").tzinfo)
