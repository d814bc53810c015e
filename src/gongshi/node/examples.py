"""Examples in the description of the API: what each operation asks and answers (design.md §9).

The examples stand in `examples.json`, written by `scripts/collect_examples.py` from a real demonstration, so that
nobody invents what the API says. A test holds each of them to its schema.
"""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

PATH_VALUES: Final[Mapping[str, Any]] = {
    "code": "34150400551328000001",
    "id": 1,
    "account_id": 12,
    "alarm_id": 1,
    "channel_id": 7,
    "filing_id": 1,
    "finding_id": 8,
    "login_id": "01a202bc-af58-777f-bd96-c1901de7e6d7",
    "peer_id": 1,
    "right_id": 41,
    "upper_id": 1,
}
"""Path parameters by name; `id` is a UUID where the schema says so."""
_UUID: Final = "01a202bc-cb8b-7dab-b08e-f537223b5ce4"
_BODIES: Final = ("application/json", "multipart/form-data")


def load() -> dict[str, dict[str, Any]]:
    """By operation, for example `POST /api/v1/login`: `request`, `response` or both."""
    return json.loads((files("gongshi.node") / "examples.json").read_text(encoding="utf-8"))


def add_examples(description: dict[str, Any]) -> None:
    """Put the examples into an OpenAPI description, in place."""
    known = load()
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            example = known.get(f"{method.upper()} {path}", {})
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    uuid = parameter["schema"].get("format") == "uuid"
                    parameter["example"] = _UUID if uuid else PATH_VALUES[parameter["name"]]
            if "request" in example:
                _put(operation["requestBody"]["content"], example["request"])
            if "response" in example:
                _put(_success(operation), example["response"])


def _success(operation: Mapping[str, Any]) -> dict[str, Any]:
    code = min(code for code in operation["responses"] if code.startswith("2"))
    return operation["responses"][code].get("content", {})


def _put(content: dict[str, Any], example: Any) -> None:
    for kind in _BODIES:
        if kind in content:
            content[kind]["example"] = example
