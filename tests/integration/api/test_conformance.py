"""Every operation of the description, called by machine: what it promises holds for each role and for any input.

Invariant: any input is answered as described, a refusal as a problem, and never by a fault of ours.
"""

import copy
from collections import Counter
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import (
    ChecksConfig,
    CoveragePhaseConfig,
    GenerationConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi import checks

from gongshi.access.door import PUBLIC, SIGNED_IN
from gongshi.access.permissions import PERMISSIONS
from gongshi.node.app import describe
from integration.api.node import KNOWN, Node

PARTS = {
    "agency_contact": "agency_contact",
    "grantee": "agency_contact",
    "police_officer": "police_officer",
    "data_bureau": "data_bureau",
    "leading_office": "leading_office",
    "auditor": "auditor",
    "system_admin": "system_admin",
}
"""Who calls, and in which role: those that may, in turn. Nobody is turned away from whatever is not public."""

OUTAGES = {"role_unavailable", "database_unavailable"}
"""Codes that a 503 may have: here no other process of the node runs."""

LEFT_OUT = {
    ("/api/v1/events", "get"): "an endless stream; test_contract listens to it",
    ("/api/v1/audit/export", "get"): "the whole log each time; test_contract takes it once",
}

CHECKS: list[Any] = [
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
    checks.allow_header_conformance,
]


def description() -> dict[str, Any]:
    """What `gongshi openapi` prints, with path parameters that name what the seeded city has."""
    found = copy.deepcopy(describe())
    for path, method in LEFT_OUT:
        del found["paths"][path][method]
    for path, operations in found["paths"].items():
        noun = path.partition("/{")[0].rpartition("/")[2]
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                known = KNOWN.get((noun, parameter["name"]))
                if parameter["in"] == "path" and known:
                    parameter["schema"]["enum"] = known
                if parameter["name"] == "If-Match":
                    parameter["schema"]["enum"] = ["*", '"1"', '"2"']
    # Words of a form are text: "0" is as good a "no" as "false".
    upload = found["components"]["schemas"]["Body_upload_api_v1_inventory_filings_post"]["properties"]
    upload["dry_run"] = {"type": "string", "enum": ["true", "false", "0", "1"]}
    return found


REJECTIONS = ["400", "401", "403", "404", "405", "406", "409", "412", "415", "422", "428", "429", "503"]
"""What an input may get that the description forbids; the version or the state may be looked at first."""

DESCRIPTION = description()
SCHEMA = schemathesis.openapi.from_dict(
    DESCRIPTION,
    config=SchemathesisConfig(
        projects=ProjectsConfig(
            default=ProjectConfig(
                request_timeout=30,
                generation=GenerationConfig(deterministic=True, max_examples=3, with_security_parameters=False),
                # One method that no path has stands for all of them.
                checks=ChecksConfig.from_dict({"negative_data_rejection": {"expected-statuses": REJECTIONS}}),
                phases=PhasesConfig(coverage=CoveragePhaseConfig(unexpected_methods={"trace"})),
            )
        )
    ),
)
PROBLEM = jsonschema_rs.validator_for(
    describe()["paths"]["/api/v1/me"]["get"]["responses"]["default"]["content"]["application/problem+json"]["schema"]
)
SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
_turns: Counter[str] = Counter()
_statuses: dict[str, set[int]] = {}


def answered(node: Node, case: schemathesis.Case, role: str) -> schemathesis.Response:
    """The answer to one role; a login that the case before ended is opened again."""
    response = case.call(base_url=node.url, headers={"Authorization": f"Bearer {node.token(role)}"})
    if response.status_code == 401 and response.json()["code"] == "unauthenticated":
        node.forget(role)
        response = case.call(base_url=node.url, headers={"Authorization": f"Bearer {node.token(role)}"})
    return response


def check_refusal(case: schemathesis.Case, response: schemathesis.Response) -> None:
    """A refusal is a problem, in one language and with a code; what is ours to answer for is an outage with a name."""
    status = response.status_code
    declared = case.operation.definition.raw["responses"]
    if status < 400 or str(status) in declared:
        assert str(status) in declared, f"{status} is not declared: {case.as_curl_command()}"
        return
    assert response.headers["content-type"] == ["application/problem+json"], response.text
    body = response.json()
    assert PROBLEM.is_valid(body), body
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    if status >= 500:
        assert (status, body["code"]) in {(503, code) for code in OUTAGES}, f"{body}: {case.as_curl_command()}"


@SCHEMA.parametrize()
@settings(deadline=None, derandomize=True, suppress_health_check=SLOW, database=None)
@pytest.mark.timeout(300)
def test_an_operation_keeps_its_word(case: schemathesis.Case, node: Node) -> None:
    permission = case.operation.definition.raw["x-permission"]
    everybody = permission in {PUBLIC, SIGNED_IN}
    fitting = [part for part, role in PARTS.items() if everybody or role in PERMISSIONS[permission]]
    label = case.operation.label
    response = answered(node, case, fitting[_turns[label] % len(fitting)])
    _turns[label] += 1
    _statuses.setdefault(label, set()).add(response.status_code)
    check_refusal(case, response)
    case.validate_response(response, checks=CHECKS)


def test_the_machine_got_through() -> None:
    """A run that was only ever refused would prove little.

    A machine guesses no password and no workbook, and is seldom the right person at the right moment of a process (the
    stories tell that): two thirds it must reach. No signalling or media process answers here; who is told so has come
    through everything before it.
    """
    assert len(_statuses) > 60
    reached = [label for label, statuses in _statuses.items() if min(statuses) < 300 or 503 in statuses]
    assert len(reached) * 3 >= len(_statuses) * 2, sorted(_statuses.keys() - reached)
