"""The description of the API shows examples, and they are what the API says it takes and gives."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from gongshi.node import examples
from gongshi.node.app import describe
from gongshi.node.summaries import CHINESE, SUMMARIES

JSON = "application/json"


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return describe()


def operations(description: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Request and successful answers that have a JSON schema."""
    places = {"request": operation.get("requestBody", {})}
    places |= {code: answer for code, answer in operation["responses"].items() if code.startswith("2")}
    for place, body in places.items():
        for kind, content in body.get("content", {}).items():
            if kind in {JSON, "multipart/form-data"} and content.get("schema"):
                yield place, content


def test_every_operation_says_what_it_does_in_both_languages(description: dict[str, Any]):
    told = {name: operation.get("summary", "") for name, operation in operations(description)}
    lacking = [name for name, text in told.items() if not (CHINESE.search(text) and re.match("[A-Z]", text))]

    assert lacking == []
    assert set(SUMMARIES) - set(told) == set()


def test_every_body_and_answer_has_an_example(description: dict[str, Any]):
    bare = [
        f"{name} {place}"
        for name, operation in operations(description)
        for place, content in contents(operation)
        if "example" not in content
    ]

    assert bare == []


def test_every_example_fits_its_schema(description: dict[str, Any]):
    faults = []
    for name, operation in operations(description):
        for place, content in contents(operation):
            schema = {**content["schema"], "components": description["components"]}
            checked = jsonschema_rs.validator_for(schema, validate_formats=True)
            faults += [f"{name} {place}: {error.message}" for error in checked.iter_errors(content["example"])]

    assert faults == []


def test_no_example_outlives_its_operation(description: dict[str, Any]):
    assert set(examples.load()) - {name for name, _ in operations(description)} == set()


def test_no_example_holds_a_secret():
    text = json.dumps(examples.load())

    assert "token=ey" not in text
    assert "gsl_…" in json.dumps(examples.load(), ensure_ascii=False)
