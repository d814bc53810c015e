"""What the API promises beyond shapes (design.md §9): languages, versions, keys, pages, and calm at any input."""

import itertools
import json
import os
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from gongshi.access.bodies import MAX_BODY
from gongshi.kit.paging import encode_cursor
from gongshi.node.app import describe
from integration.api.node import Node, ok, share_request

CHINESE = re.compile(r"[\u4e00-\u9fff]")
_serial = itertools.count(100)


def problem(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The body of an answer that must be this refusal."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert code is None or body["code"] == code, body
    return body


def draft(node: Node, **changes: Any) -> dict[str, Any]:
    client = node.client("grantee")
    return ok(client.post("/share-requests", json=share_request(node.ids["shared"], **changes)))


# -- languages -------------------------------------------------------------------------------------------------------

REFUSALS: list[tuple[str | None, str, str, dict[str, Any]]] = [
    (None, "GET", "/me", {}),
    (None, "POST", "/login", {"json": {"username": "nobody", "password": "wrong"}}),
    (None, "POST", "/login", {"json": {"username": ""}}),
    ("agency_contact", "GET", "/nothing/here", {}),
    ("agency_contact", "PUT", "/me", {}),
    ("agency_contact", "GET", "/cameras", {"params": {"cursor": "?"}}),
    ("agency_contact", "GET", "/cameras", {"params": {"limit": 0}}),
    ("agency_contact", "GET", "/cameras/99999999999999999999", {}),
    ("agency_contact", "GET", "/audit/entries", {}),
    ("agency_contact", "POST", "/inventory/filings", {"files": {"file": ("a.xlsx", b"\x89PNG\r\n\x1a\n")}}),
    ("agency_contact", "POST", "/inventory/filings/1/accept", {"json": {}}),
    ("agency_contact", "POST", "/share-requests", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
    ("grantee", "POST", "/share-requests", {"json": share_request(["34150200001321000001"], purpose="")}),
    ("grantee", "POST", "/share-requests", {"json": share_request(["34150200001321000001"], actions=["fly"])}),
    ("system_admin", "POST", "/peers", {"json": {"code": "1", "name": "", "organisation": -5}}),
    ("system_admin", "POST", "/accounts", {"json": {"username": "?", "display_name": "x", "organisation": "police"}}),
    ("system_admin", "PATCH", "/accounts/1", {"json": {"roles": ["emperor"]}}),
    ("police_officer", "POST", "/cameras/34150200001321000001/sessions", {"json": {"action": "live", "reason": "看"}}),
]


@pytest.mark.parametrize("case", REFUSALS, ids=[f"{role} {method} {path}" for role, method, path, _ in REFUSALS])
def test_a_refusal_is_complete_in_both_languages(node: Node, case: tuple[Any, str, str, dict[str, Any]]) -> None:
    role, method, path, sent = case
    headers = sent.pop("headers", {}) if "headers" in sent else {}

    def texts(language: str) -> list[str]:
        answer = node.client(role).request(method, path, headers={**headers, "Accept-Language": language}, **sent)
        body = problem(answer, answer.status_code)
        assert answer.status_code >= 400
        assert "{" not in body["detail"], "a placeholder was left open"
        return [body["title"], body["detail"], *(error["message"] for error in body.get("errors", []))]

    chinese, english = texts("zh-CN"), texts("en-GB,en;q=0.9")
    assert len(chinese) == len(english)
    for text in chinese:
        assert CHINESE.search(text), text
    for text in english:
        assert text
        assert not CHINESE.search(text), text


def test_the_language_is_chosen_by_query_then_cookie_then_header(node: Node) -> None:
    client = node.client()
    assert CHINESE.search(client.get("/me").json()["title"])
    assert not CHINESE.search(client.get("/me", headers={"Accept-Language": "en"}).json()["title"])
    said = {"Accept-Language": "zh", "Cookie": "gongshi_lang=en"}
    assert not CHINESE.search(client.get("/me", headers=said).json()["title"])
    assert CHINESE.search(client.get("/me", headers=said, params={"lang": "zh"}).json()["title"])


# -- versions --------------------------------------------------------------------------------------------------------


def test_a_draft_changes_only_from_the_version_that_was_read(node: Node) -> None:
    client, made = node.client("grantee"), draft(node)
    path = f"/share-requests/{made['id']}"
    first = client.get(path).headers["etag"]
    assert first == f'"{made["version"]}"'
    changed = client.patch(path, json={"title": "一"}, headers={"If-Match": first})
    assert changed.headers["etag"] != first
    problem(client.patch(path, json={"title": "二"}, headers={"If-Match": first}), 412, "precondition_failed")
    problem(client.post(path + "/submit", headers={"If-Match": first}), 412)
    problem(client.post(path + "/withdraw", headers={"If-Match": "nonsense"}), 412)
    assert ok(client.get(path))["title"] == "一"
    assert ok(client.patch(path, json={"title": "三"}, headers={"If-Match": "*"}))["title"] == "三"
    assert ok(client.patch(path, json={"title": "四"}))["title"] == "四"


def test_a_filing_and_a_grant_are_not_ended_on_a_stale_page(node: Node) -> None:
    agency, police = node.client("agency_contact"), node.client("police_officer")
    filing = f"/inventory/filings/{node.ids['filing_id'][0]}"
    current = agency.get(filing).headers["etag"]
    problem(agency.post(filing + "/cancel", headers={"If-Match": '"0"'}), 412)
    assert agency.get(filing).headers["etag"] == current
    grant = f"/grants/{node.ids['grant_id'][0]}"
    problem(police.post(grant + "/revoke", json={"reason": "演练结束"}, headers={"If-Match": '"77"'}), 412)
    assert ok(police.get(grant))["state"] == "in_force"


def test_an_account_changes_only_from_the_version_that_was_read(node: Node) -> None:
    admin, number = node.client("system_admin"), node.ids["account_id"][0]
    listed = ok(admin.get("/accounts", params={"limit": 100}))["items"]
    version = next(item["version"] for item in listed if item["id"] == number)
    based = {"If-Match": f'"{version}"'}
    changed = admin.patch(f"/accounts/{number}", json={"display_name": f"值班{version}"}, headers=based)
    assert changed.headers["etag"] == f'"{ok(changed)["version"]}"'
    problem(admin.patch(f"/accounts/{number}", json={"display_name": "迟到者"}, headers=based), 412)


# -- keys ------------------------------------------------------------------------------------------------------------


def new_account(_: Node) -> dict[str, Any]:
    name = f"zhiban{next(_serial)}"
    return {"json": {"username": name, "display_name": name, "organisation": "emergency", "roles": ["viewer"]}}


def new_peer(_: Node) -> dict[str, Any]:
    return {"json": {"code": f"34150000552008{next(_serial):06d}", "name": "平台", "organisation": "education"}}


def new_request(node: Node) -> dict[str, Any]:
    return {"json": share_request(node.ids["shared"], title=f"申请{next(_serial)}")}


def new_filing(node: Node) -> dict[str, Any]:
    form = next(path for path in node.samples.glob("*.xlsx") if "更正" in path.name)
    return {"files": {"file": (f"{next(_serial)}.xlsx", form.read_bytes())}}


POSTS: dict[str, tuple[str, str, Callable[[Node], dict[str, Any]]]] = {
    "accounts": ("system_admin", "/accounts", new_account),
    "peers": ("system_admin", "/peers", new_peer),
    "share-requests": ("grantee", "/share-requests", new_request),
    "filings": ("agency_contact", "/inventory/filings", new_filing),
}


@pytest.mark.parametrize("noun", POSTS)
def test_a_post_that_is_sent_twice_makes_one_thing(node: Node, noun: str) -> None:
    role, path, content = POSTS[noun]
    client, sent = node.client(role), content(node)
    key = {"Idempotency-Key": f"test-{uuid.uuid4()}"}
    before = count(node, noun)
    first = client.post(path, headers=key, **sent)
    again = client.post(path, headers=key, **sent)
    assert ok(first) == ok(again)
    assert first.status_code == again.status_code
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert count(node, noun) == before + 1
    problem(client.post(path, headers=key, **content(node)), 409, "idempotency_key_reused")
    assert count(node, noun) == before + 1


@pytest.mark.parametrize("noun", POSTS)
def test_a_post_that_arrives_twice_at_once_makes_one_thing(node: Node, noun: str) -> None:
    role, path, content = POSTS[noun]
    sent, key = content(node), {"Idempotency-Key": f"test-{uuid.uuid4()}"}
    clients = [node.client(role) for _ in range(4)]
    before = count(node, noun)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda client: client.post(path, headers=key, **sent), clients))
    assert count(node, noun) == before + 1
    made = [answer for answer in answers if answer.is_success]
    assert len(made) >= 1
    assert len({answer.text for answer in made}) == 1
    for answer in answers:
        if not answer.is_success:
            problem(answer, 409, "idempotency_pending")


def test_a_key_belongs_to_its_account_and_a_refusal_uses_none_up(node: Node) -> None:
    key = {"Idempotency-Key": f"test-{uuid.uuid4()}"}
    admin, sent = node.client("system_admin"), new_account(node)
    wrong = {**sent["json"], "roles": ["emperor"]}
    problem(admin.post("/accounts", headers=key, json=wrong), 400, "unknown_role")
    ok(admin.post("/accounts", headers=key, **sent))
    grantee = node.client("grantee")
    assert ok(grantee.post("/share-requests", headers=key, **new_request(node)))["state"] == "draft"
    for bad in ("short", "x" * 101, "with a space in it"):
        problem(admin.post("/accounts", headers={"Idempotency-Key": bad}, **new_account(node)), 422)


def test_a_kept_answer_does_not_show_its_password(node: Node) -> None:
    key = {"Idempotency-Key": f"test-{uuid.uuid4()}"}
    password = ok(node.client("system_admin").post("/accounts", headers=key, **new_account(node)))["password"]
    with psycopg.connect(node.runtime.owner_url) as connection:
        row = connection.execute(
            "SELECT answer FROM access.idempotency_key WHERE key = %s", [key["Idempotency-Key"]]
        ).fetchone()
    assert row is not None
    assert len(row[0]) > len(password)
    assert password.encode() not in row[0]


def count(node: Node, noun: str) -> int:
    table = {
        "accounts": "identity.account",
        "peers": "signalling.peer",
        "share-requests": "sharing.request",
        "filings": "inventory.filing",
    }[noun]
    with psycopg.connect(node.runtime.owner_url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # pyright: ignore[reportArgumentType, reportCallIssue] -- a name of ours
    assert row is not None
    return row[0]


# -- pages -----------------------------------------------------------------------------------------------------------

LISTS: dict[str, tuple[str, str, str]] = {
    "accounts": ("system_admin", "/accounts", "username"),
    "cameras": ("police_officer", "/cameras?organisation=education", "code"),
    "peers": ("system_admin", "/peers", "code"),
    "channels": ("system_admin", "/peers/1/channels", "code"),
    "filings": ("agency_contact", "/inventory/filings", "id"),
    "rows": ("agency_contact", "/inventory/filings/1/rows", "row"),
    "findings": ("agency_contact", "/inventory/filings/1/findings", "id"),
    "share-requests": ("grantee", "/share-requests", "id"),
    "grants": ("police_officer", "/grants", "id"),
    "sessions": ("agency_contact", "/sessions", "id"),
    "entries": ("auditor", "/audit/entries?action=sharing.request.created", "id"),
    "checkpoints": ("auditor", "/audit/checkpoints", "size"),
}
GROWING = {"accounts", "peers", "share-requests", "filings"}


def pages(client: httpx.Client, path: str, limit: int, between: Callable[[], None]) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    for _ in range(400):
        page = ok(client.get(path, params={"limit": limit} | ({"cursor": cursor} if cursor else {})))
        assert len(page["items"]) <= limit
        yield from page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return
        between()
    pytest.fail("the pages do not end")


@pytest.mark.parametrize("name", LISTS)
def test_pages_stay_in_step_while_rows_are_added(node: Node, name: str) -> None:
    role, path, key = LISTS[name]
    client = node.client(role)
    whole = [item[key] for item in ok(client.get(path, params={"limit": 500}))["items"]]
    assert whole or name == "checkpoints"
    adding = iter(range(4)) if name in GROWING else iter(())

    def add() -> None:
        if next(adding, None) is not None:
            poster, target, content = POSTS[name]
            ok(node.client(poster).post(target, **content(node)))

    walked = [item[key] for item in pages(client, path, max(2, len(whole) // 8), add)]
    if name == "rows":
        assert walked == whole
        return
    assert len(walked) == len(set(walked))
    assert [value for value in walked if value in set(whole)] == whole


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize(
    "cursor",
    ["?", "null", "W10", "a" * 200, encode_cursor("\x00"), encode_cursor(10**30), encode_cursor("x", "y")],
)
def test_a_cursor_that_was_not_given_out_is_refused(node: Node, name: str, cursor: str) -> None:
    role, path, _ = LISTS[name]
    answer = node.client(role).get(path, params={"cursor": cursor})
    # A text may be a cursor of a list by code: it only begins elsewhere.
    if answer.status_code != 200:
        assert problem(answer, answer.status_code)["code"] in {"bad_cursor", "unstorable"}


# -- what an object tells of itself ----------------------------------------------------------------------------------

OBJECTS = ("accounts", "cameras", "peers", "filings", "share-requests", "grants", "sessions")


@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_says_what_the_caller_may_do(node: Node, name: str) -> None:
    role, path, key = LISTS[name]
    client = node.client(role)
    items = ok(client.get(path))["items"]
    for item in items:
        assert isinstance(item["allowed_actions"], list), item
        assert all(re.fullmatch(r"[a-z_]+", action) for action in item["allowed_actions"])
    if name != "accounts":
        last = items[-1]
        named = key if name == "cameras" else "id"
        shown = ok(client.get(f"{path.partition('?')[0]}/{last[named]}"))
        assert shown["allowed_actions"] == last["allowed_actions"]


def test_what_may_not_be_done_is_not_offered(node: Node) -> None:
    """The auditor reads everything and does nothing; no list offers what its route would refuse."""
    auditor = node.client("auditor")
    for path in ("/inventory/filings", "/share-requests", "/grants", "/sessions"):
        items = ok(auditor.get(path))["items"]
        assert items, path
        assert all(item["allowed_actions"] == [] for item in items), path


# -- any input -------------------------------------------------------------------------------------------------------


def test_unknown_query_parameters_change_nothing(node: Node) -> None:
    client = node.client("agency_contact")
    plain = ok(client.get("/cameras", params={"limit": 3}))
    odd = {"limit": 3, "colour": "red", "__proto__": "1", "limit[]": "9", "": "", "organisation_": "x"}
    assert ok(client.get("/cameras", params=odd)) == plain


WORDS = {
    "nul": "\\u0000",
    "half a pair": "\\ud800",
    "backwards": "\\u202e",
    "a combining heap": "e" + "\\u0301" * 300,
    "beyond the plane": "\\ud83d\\udea8",
    "sql": "'; DROP TABLE audit.entry; --",
    "markup": "<script>alert(1)</script>",
    "format": "{0.__class__} %s %n ${jndi:x}",
    "long": "长" * 100_000,
}


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_any_text_in_a_body_is_stored_as_it_is_or_refused(node: Node, word: str) -> None:
    bodies = {
        ("grantee", "/share-requests"): json.dumps(share_request(node.ids["shared"], title="@")).replace("@", word),
        ("agency_contact", "/inventory/filings/zero"): '{"statement": "@"}'.replace("@", word),
        ("system_admin", "/accounts"): json.dumps(
            {"username": f"u{next(_serial)}", "display_name": "@", "organisation": "police", "roles": ["viewer"]}
        ).replace("@", word),
        ("system_admin", "/peers"): json.dumps(
            {"code": f"34150000552009{next(_serial):06d}", "name": "@", "organisation": "@"}
        ).replace("@", word),
        (None, "/login"): '{"username": "@", "password": "@"}'.replace("@", word),
    }
    for (role, path), content in bodies.items():
        answer = node.client(role).post(
            path, content=content.encode(), headers={"Content-Type": "application/json", "Accept-Language": "en"}
        )
        assert answer.status_code < 500, (path, answer.text)
        if not answer.is_success:
            problem(answer, answer.status_code)


@pytest.mark.parametrize("word", ["%00", "%ED%A0%80", "%FF%FE", "%E2%80%AE", "x" * 3000, "%27%3B--", "../../etc"])
def test_any_text_in_an_address_is_answered(node: Node, word: str) -> None:
    client = node.client("auditor")
    for address in (f"/cameras?q={word}", f"/cameras/{word}", f"/audit/entries?person={word}", f"/grants/{word}"):
        answer = client.get(httpx.URL(node.url + "/api/v1" + address))
        assert answer.status_code < 500, (address, answer.text)
        if not answer.is_success:
            problem(answer, answer.status_code)


NUMBERS = ["-1", "0", "2147483648", "9223372036854775808", "1e400", "NaN", "-Infinity", "1" * 4000, "1" * 5000, "0.5"]


@pytest.mark.parametrize("number", NUMBERS, ids=[number[:20] + f"/{len(number)}" for number in NUMBERS])
def test_any_number_is_answered(node: Node, number: str) -> None:
    for role, path in (
        ("agency_contact", f"/inventory/filings/{number[:400]}"),
        ("grantee", f"/share-requests/{number[:400]}"),
        ("system_admin", f"/peers/{number[:400]}"),
        ("police_officer", f"/grants?organisation={number[:400]}"),
        ("police_officer", f"/cameras?limit={number[:400]}"),
        ("police_officer", f"/cameras/map?zoom={number[:400]}&bbox=1,2,3,4"),
        ("police_officer", f"/cameras/map?zoom=3&bbox={number[:40]},2,3,4"),
    ):
        answer = node.client(role).get(path)
        assert answer.status_code < 500, (path, answer.text)
    body = json.dumps(share_request(node.ids["shared"], concurrency="@", playback_hours="@")).replace('"@"', number)
    answer = node.client("grantee").post("/share-requests", content=body, headers={"Content-Type": "application/json"})
    problem(answer, answer.status_code)
    body = '{"code": "34150000552008000001", "name": "x", "organisation": @, "keepalive_interval": @}'
    answer = node.client("system_admin").post(
        "/peers", content=body.replace("@", number), headers={"Content-Type": "application/json"}
    )
    problem(answer, answer.status_code)


BROKEN = {
    "nothing": b"",
    "cut off": b'{"title": "a',
    "not utf-8": b'{"title": "\xff\xfe"}',
    "a bare word": b"hello",
    "a list": b"[1, 2]",
    "null": b"null",
    "two documents": b"{}{}",
    "very deep": b"[" * 200_000,
    "very deep objects": b'{"a":' * 50_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_body_that_cannot_be_read_is_refused(node: Node, content: bytes) -> None:
    for role, path in (("grantee", "/share-requests"), (None, "/login"), ("system_admin", "/peers")):
        answer = node.client(role).post(path, content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 422}, answer.text
        problem(answer, answer.status_code)


def test_a_broken_body_says_where_it_breaks(node: Node) -> None:
    content = '{"title": "防汛",\n "cameras": [,]}'.encode()
    client = node.client("grantee", **{"Accept-Language": "zh"})
    body = problem(client.post("/share-requests", content=content, headers={"Content-Type": "application/json"}), 422)
    assert [(error["field"], error["code"]) for error in body["errors"]] == [("body", "json_invalid")]
    assert "第 2 行第 14 列" in body["detail"]


def test_what_is_wrong_is_said_in_chinese_alone_and_counted(node: Node) -> None:
    """No words of the library that found it: only names of fields and of choices are Latin."""
    client = node.client("grantee", **{"Accept-Language": "zh"})
    wrong = share_request([], actions="live", title=7, concurrency="many", hours={"days": [9]}, colour="red")
    answers = [
        problem(client.post("/share-requests", json=wrong), 422),
        problem(client.get("/cameras", params={"limit": 0, "bbox": "x" * 400}), 422),
        problem(client.get("/share-requests", params={"mine": "perhaps", "state": "open"}), 422),
        problem(node.client("auditor").get("/audit/entries", params={"from": "2026-13-45"}), 422),
    ]
    assert answers[0]["detail"].startswith(f"{len(answers[0]['errors'])} 处有误")
    for answer in answers:
        for error in answer["errors"]:
            assert not re.search(r"\b(should|must|Input|is|not|valid|at least)\b", error["message"]), error
            assert CHINESE.search(error["message"])


@pytest.mark.parametrize("year", ["9999", "0001", "1969", "2201"])
def test_a_period_that_no_clock_holds_is_refused(node: Node, year: str) -> None:
    period = {"valid_from": f"{year}-12-30T00:00:00Z", "valid_to": f"{year}-12-31T23:59:59-10:00"}
    body = share_request(node.ids["shared"], **period)
    refused = problem(node.client("grantee").post("/share-requests", json=body), 422, "invalid")
    assert {error["field"] for error in refused["errors"]} == {"valid_from", "valid_to"}
    assert "1970" in refused["errors"][0]["message"]
    log = node.client("auditor").get("/audit/entries", params={"from": period["valid_from"], "to": period["valid_to"]})
    problem(log, 422)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", 'a/b; c="'])
def test_another_content_type_is_refused(node: Node, kind: str) -> None:
    content = json.dumps(share_request(node.ids["shared"])).encode()
    problem(node.client("grantee").post("/share-requests", content=content, headers={"Content-Type": kind}), 422)
    upload = node.client("agency_contact").post(
        "/inventory/filings", content=b"x", headers={"Content-Type": kind or "multipart/form-data"}
    )
    assert upload.status_code in {400, 422}
    problem(upload, upload.status_code)


def test_a_body_beyond_the_limit_is_refused_whether_announced_or_not(node: Node) -> None:
    def in_parts() -> Iterator[bytes]:
        for _ in range(MAX_BODY // 65_536 + 2):
            yield b" " * 65_536

    client = node.client("grantee")
    headers = {"Content-Type": "application/json"}
    assert problem(client.post("/share-requests", content=b" " * (MAX_BODY + 1), headers=headers), 413)["detail"]
    problem(client.post("/share-requests", content=in_parts(), headers=headers), 413, "body_too_large")
    # Who is not let in is told so, whatever they bring.
    problem(node.client().post("/share-requests", content=b" " * (MAX_BODY + 1), headers=headers), 401)
    problem(node.client("auditor").post("/share-requests", content=b" " * (MAX_BODY + 1), headers=headers), 403)
    just_fits = json.dumps({"username": "nobody", "password": "x"}).encode()
    just_fits += b" " * (MAX_BODY - len(just_fits))
    problem(node.client().post("/login", content=just_fits, headers=headers), 401)


def test_an_announced_flood_is_refused_before_it_is_sent(node: Node) -> None:
    head = (
        "POST /api/v1/inventory/filings HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {node.token('agency_contact')}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 99999999999\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(node.url.rpartition(":")[2])), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")


def test_below_the_api_only_what_a_door_has_exists(node: Node) -> None:
    client = node.client("system_admin")
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"):
        answer = client.request(method, "/no/such/thing")
        assert answer.status_code == 404, method
        assert answer.headers["content-type"] == "application/problem+json"
    for path, methods in (("/accounts", "GET, POST"), ("/share-requests/1", "GET, PATCH"), ("/me", "GET")):
        answer = client.request("PROPFIND", path)
        problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == methods


# -- the two streams that the machine leaves out ---------------------------------------------------------------------


def test_the_event_stream_begins_and_tells(node: Node) -> None:
    with node.client("grantee").stream("GET", "/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert "event: hello" in itertools.islice(lines, 3)
        made = draft(node)
        ok(node.client("grantee").post(f"/share-requests/{made['id']}/submit"))
        heard = next(line for line in lines if line.startswith("data: ") and f'"id": {made["id"]}' in line)
        assert json.loads(heard.removeprefix("data: "))["id"] == made["id"]


def test_the_log_is_taken_away_line_by_line(node: Node) -> None:
    answer = node.client("auditor").get("/audit/export")
    assert answer.headers["content-type"] == "application/jsonl"
    records = [json.loads(line) for line in answer.text.splitlines()]
    assert len(records) > 20


# -- the description -------------------------------------------------------------------------------------------------


def test_the_description_is_the_same_in_every_process() -> None:
    run = [sys.executable, "-m", "gongshi", "openapi"]
    text = subprocess.run(run, env={**os.environ, "PYTHONHASHSEED": "77"}, capture_output=True, check=True).stdout
    assert json.loads(text) == json.loads(json.dumps(describe()))
    assert text.decode() == json.dumps(describe(), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def test_every_operation_has_a_name_of_its_own_a_summary_and_a_described_refusal() -> None:
    operations = [
        operation for path in describe()["paths"].values() for operation in path.values() if "operationId" in operation
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        assert operation["summary"]
        assert "application/problem+json" in operation["responses"]["default"]["content"]
