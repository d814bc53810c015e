"""Write src/gongshi/node/examples.json: what the operations of the API really ask and answer, from a demonstration.

    .venv/bin/gongshi demo --data /tmp/examples --ready-file /tmp/examples.json --headless &
    .venv/bin/python scripts/collect_examples.py /tmp/examples.json

Walks the story of the quick start once on a *fresh* demonstration, shortens lists and removes every secret. The
description of the API (`gongshi openapi`) shows the result, and a test holds each example to its schema.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import httpx

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "src" / "gongshi" / "node" / "examples.json"
CHINA = timezone(timedelta(hours=8))
LONG = {
    "actions": 4,
    "allowed_actions": 4,
    "permissions": 3,
    "cameras": 2,
    "items": 1,
    "fields": 2,
    "rules": 1,
    "bbox": 4,
}
"""How many elements of a list an example shows; two of any other."""
SECRETS = {"password": "four-words-for-one-use-07", "old": "correct-horse-battery", "new": "four-other-words-9"}
PLATFORM = "34150000552008000001"

Call = Callable[..., httpx.Response]


def shortened(value: Any, key: str = "") -> Any:
    """A body fit for showing: short lists, no secrets, no long texts."""
    if isinstance(value, dict):
        return {name: shortened(inner, name) for name, inner in cast(dict[str, Any], value).items()}
    if isinstance(value, list):
        return [shortened(inner, key) for inner in cast(list[Any], value)[: LONG.get(key, 2)]]
    if not isinstance(value, str):
        return value
    if key in SECRETS:
        return SECRETS[key]
    if key == "token":
        return "gsl_…"
    value = re.sub(r"token=[^&\s]+", "token=…", value)
    value = re.sub(r"(?<=127\.0\.0\.1:)\d{5}\b(?=/live)", "8090", value)
    return value if len(value) <= 300 else value[:300] + "…"


class Walk:
    """Logged-in people, and what each operation answered."""

    def __init__(self, ready: Path) -> None:
        self.ready: dict[str, Any] = json.loads(ready.read_text(encoding="utf-8"))
        self.examples: dict[str, dict[str, Any]] = {}
        self._clients: dict[str, httpx.Client] = {}

    def person(self, username: str) -> Call:
        """`call("GET /path", "/path/1", …)` in this person's name; remembers body and answer under the operation."""
        account = next(a for a in self.ready["accounts"] if a["username"] == username)
        client = httpx.Client(base_url=self.ready["url"], timeout=30, headers={"Accept-Language": "zh-CN"})
        self._clients[username] = client

        def call(operation: str, path: str = "", **options: Any) -> httpx.Response:
            method, template = operation.split(" ")
            answer = client.request(method, path or template, **options)
            if answer.status_code >= 400:
                raise SystemExit(f"{operation}: {answer.status_code} {answer.text}")
            example: dict[str, Any] = {}
            if "json" in options:
                example["request"] = shortened(options["json"])
            if "application/json" in answer.headers.get("content-type", ""):
                example["response"] = shortened(answer.json())
            self.examples[operation] = example
            return answer

        login = {"username": username, "password": account["password"]}
        token = call("POST /api/v1/login", json=login).json()["token"]
        client.headers["Authorization"] = f"Bearer {token}"
        return call


def settled(read: Callable[[], dict[str, Any]], *, until: set[str]) -> dict[str, Any]:
    """Ask again until the state is one of those waited for."""
    found = read()
    for _ in range(300):
        if found["state"] in until:
            return found
        time.sleep(0.1)
        found = read()
    raise SystemExit(f"state {found['state']} did not become one of {sorted(until)}")


def inventory(walk: Walk, wenlv: Call, office: Call, county: Call) -> None:
    base = "/api/v1/inventory"
    filings = f"{base}/filings"
    flawed, clean = (
        next(Path(path) for path in walk.ready["samples"] if part in path) for part in ("含问题", "已更正")
    )

    def upload(path: Path, dry_run: str) -> dict[str, Any]:
        sent = wenlv(f"POST {filings}", files={"file": (path.name, path.read_bytes())}, data={"dry_run": dry_run})
        one = f"{filings}/{sent.json()['id']}"
        return settled(lambda: wenlv(f"GET {filings}/{{filing_id}}", one).json(), until={"checked", "draft", "failed"})

    wenlv(f"GET {base}/fields")
    wenlv(f"POST {filings}/{{filing_id}}/cancel", f"{filings}/{upload(clean, 'false')['id']}/cancel")
    wenlv(f"POST {filings}/{{filing_id}}/keep", f"{filings}/{upload(flawed, 'true')['id']}/keep")
    checked = upload(flawed, "true")
    one = f"{filings}/{checked['id']}"
    kept = {f"GET {filings}/{{filing_id}}": walk.examples[f"GET {filings}/{{filing_id}}"]}
    wenlv(f"GET {filings}/{{filing_id}}/rows", f"{one}/rows", params={"sheet": "camera", "verdict": "error"})
    wenlv(f"GET {filings}/{{filing_id}}/findings", f"{one}/findings", params={"rule": "C-SHAPE"})
    sent_back = upload(clean, "false")["id"]
    wenlv(f"POST {filings}/{{filing_id}}/submit", f"{filings}/{sent_back}/submit", json={"valid_rows_only": False})
    reason = {"reason": "第三行摄像机的名称请写明方位"}
    office(f"POST {filings}/{{filing_id}}/send-back", f"{filings}/{sent_back}/send-back", json=reason)
    walk.examples[f"POST {base}/findings/{{finding_id}}/waive"] = waived(walk, wenlv, office, flawed)
    good = upload(clean, "false")["id"]
    wenlv(f"POST {filings}/{{filing_id}}/submit", f"{filings}/{good}/submit", json={"valid_rows_only": False})
    office(f"POST {filings}/{{filing_id}}/accept", f"{filings}/{good}/accept", json={"comment": "核对无误"})
    settled(lambda: office(f"GET {filings}/{{filing_id}}", f"{filings}/{good}").json(), until={"accepted"})
    walk.examples |= kept
    county(f"POST {filings}/zero", json={"statement": "本单位无公共场所视频监控资源"})
    wenlv(f"GET {filings}")
    wenlv(f"GET {base}/reconciliation")
    walk.examples[f"POST {filings}"]["request"] = {
        "file": "(bytes of 文旅局接入清单.xlsx)",
        "organisation": "culture-tourism",
        "dry_run": True,
    }


def waived(walk: Walk, wenlv: Call, office: Call, flawed: Path) -> dict[str, Any]:
    """A finding of a submitted filing, waived by the office."""
    filings = "/api/v1/inventory/filings"
    sent = wenlv(f"POST {filings}", files={"file": (flawed.name, flawed.read_bytes())}, data={"dry_run": "false"})
    one = f"{filings}/{sent.json()['id']}"
    settled(lambda: wenlv(f"GET {filings}/{{filing_id}}", one).json(), until={"draft"})
    wenlv(f"POST {filings}/{{filing_id}}/submit", f"{one}/submit", json={"valid_rows_only": True})
    kept = walk.examples[f"GET {filings}/{{filing_id}}/findings"]
    found = office(f"GET {filings}/{{filing_id}}/findings", f"{one}/findings", params={"severity": "warning"})
    found = found if found.json()["items"] else office(f"GET {filings}/{{filing_id}}/findings", f"{one}/findings")
    walk.examples[f"GET {filings}/{{filing_id}}/findings"] = kept
    number = next(each["id"] for each in found.json()["items"] if each["rule"] != "form.example")
    operation = "POST /api/v1/inventory/findings/{finding_id}/waive"
    office(operation, f"/api/v1/inventory/findings/{number}/waive", json={"reason": "已附现场测绘证明，属实"})
    office(f"POST {filings}/{{filing_id}}/send-back", f"{one}/send-back", json={"reason": "请改正其余各行后重新填报"})
    return walk.examples[operation]


def registry(wenlv: Call, code: str) -> None:
    base = "/api/v1/cameras"
    wenlv("GET /api/v1/regions")
    wenlv("GET /api/v1/organisations")
    wenlv("GET /api/v1/statistics/overview")
    wenlv(f"GET {base}", params={"sight": "mine", "limit": 1})
    wenlv(f"GET {base}/map", params={"bbox": "116.4,31.6,116.6,31.8", "zoom": 11})
    wenlv(f"GET {base}/{{code}}", f"{base}/{code}")
    wenlv(f"GET {base}/{{code}}/history", f"{base}/{code}/history")
    wenlv(f"GET {base}/{{code}}/access", f"{base}/{code}/access")


def signalling(wenlv: Call, guanli: Call) -> None:
    base = "/api/v1/peers"
    number = next(p["id"] for p in wenlv(f"GET {base}").json()["items"] if p["code"] == PLATFORM)
    wenlv(f"GET {base}/{{peer_id}}", f"{base}/{number}")
    wenlv(f"GET {base}/{{peer_id}}/channels", f"{base}/{number}/channels")
    wenlv(f"POST {base}/{{peer_id}}/catalogue", f"{base}/{number}/catalogue")
    guanli(f"GET {base}/{{peer_id}}/trace", f"{base}/{number}/trace")
    guanli(
        f"POST {base}",
        json={"code": "34150000112008000009", "name": "平安校园视频平台", "organisation": "education"},
    )


def sharing(people: dict[str, Call], codes: list[str]) -> str:
    """The request of the story; the number of its grant."""
    base = "/api/v1/share-requests"
    yingji, shuju, jingcha = people["yingji"], people["shuju"], people["jingcha"]
    today = datetime.now(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    yingji("GET /api/v1/sharing/vocabulary")
    asked = {
        "title": "防汛值守",
        "cameras": codes,
        "actions": ["live"],
        "purpose": "flood_watch",
        "legal_basis": "flood_control_law",
        "valid_from": today.isoformat(),
        "valid_to": (today + timedelta(days=30)).isoformat(),
        "delivery": ["portal"],
    }
    spare = yingji(f"POST {base}", json=asked).json()["id"]
    yingji(f"POST {base}/{{id}}/withdraw", f"{base}/{spare}/withdraw")
    number = yingji(f"POST {base}", json=asked).json()["id"]
    yingji(f"PATCH {base}/{{id}}", f"{base}/{number}", json={"concurrency": 3})
    yingji(f"POST {base}/{{id}}/submit", f"{base}/{number}/submit")
    decide, place = f"POST {base}/{{id}}/decisions", f"{base}/{number}/decisions"
    shuju(decide, place, json={"stage": "consult", "outcome": "agreed", "comment": "同意"})
    jingcha(f"GET {base}/{{id}}", f"{base}/{number}")
    items = [
        {"camera": codes[0], "outcome": "approved"},
        {"camera": codes[1], "outcome": "refused", "reason": "not_necessary"},
    ]
    jingcha(decide, place, json={"stage": "approve", "items": items, "comment": "同意一路"})
    jingcha(f"GET {base}")
    grant = yingji("GET /api/v1/grants", params={"state": "in_force"}).json()["items"][0]["id"]
    yingji("GET /api/v1/grants/{id}", f"/api/v1/grants/{grant}")
    return str(grant)


def media(people: dict[str, Call], code: str, grant: str) -> None:
    yingji, jingcha, guanli = people["yingji"], people["jingcha"], people["guanli"]
    wish = {"action": "live", "reason": "防汛值守，查看河道水位"}
    opened = yingji("POST /api/v1/cameras/{code}/sessions", f"/api/v1/cameras/{code}/sessions", json=wish).json()
    one = f"/api/v1/sessions/{opened['id']}"
    begun = time.monotonic()
    with httpx.stream("GET", opened["urls"]["flv"], timeout=20) as picture:
        for _ in picture.iter_bytes():
            if time.monotonic() - begun > 3:
                break
    again = yingji("POST /api/v1/cameras/{code}/sessions", f"/api/v1/cameras/{code}/sessions", json=wish).json()
    yingji("DELETE /api/v1/sessions/{id}", f"/api/v1/sessions/{again['id']}")
    running = yingji("POST /api/v1/cameras/{code}/sessions", f"/api/v1/cameras/{code}/sessions", json=wish).json()
    guanli("GET /api/v1/streams/{id}", f"/api/v1/streams/{running['stream']['id']}")
    one = f"/api/v1/sessions/{running['id']}"
    yingji("POST /api/v1/sessions/{id}/urls", f"{one}/urls")
    jingcha("POST /api/v1/grants/{id}/revoke", f"/api/v1/grants/{grant}/revoke", json={"reason": "值守任务结束"})
    settled(lambda: yingji("GET /api/v1/sessions/{id}", one).json(), until={"ended"})
    yingji("GET /api/v1/sessions")


def accounts(guanli: Call, wenlv: Call) -> None:
    base = "/api/v1/accounts"
    person = {"username": "zhiban2", "display_name": "王值班", "organisation": "emergency", "roles": ["viewer"]}
    number = guanli(f"POST {base}", json=person).json()["account"]["id"]
    guanli(f"GET {base}")
    guanli(f"PATCH {base}/{{account_id}}", f"{base}/{number}", json={"disabled": True})
    guanli(f"POST {base}/{{account_id}}/reset-password", f"{base}/{number}/reset-password")
    guanli("GET /api/v1/roles")
    wenlv("GET /api/v1/me")
    wenlv("GET /api/v1/me/logins")
    wenlv("GET /api/v1/system/info")
    wenlv("GET /healthz")
    wenlv("GET /readyz")


def log(shenji: Call) -> None:
    shenji("GET /api/v1/audit/entries", params={"action": "sharing.grant.revoked"})
    shenji("GET /api/v1/audit/checkpoints")
    shenji("POST /api/v1/audit/verify")


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    walk = Walk(Path(arguments[0]))
    names = ("wenlv", "bangongshi", "xianban", "yingji", "shuju", "jingcha", "guanli", "shenji")
    people = {name: walk.person(name) for name in names}
    codes = [c["code"] for c in walk.ready["cameras"] if c["peer"] == PLATFORM][:2]
    inventory(walk, people["wenlv"], people["bangongshi"], people["xianban"])
    registry(people["wenlv"], codes[0])
    signalling(people["wenlv"], people["guanli"])
    grant = sharing(people, codes)
    media(people, codes[0], grant)
    accounts(people["guanli"], people["wenlv"])
    log(people["shenji"])
    walk.examples["POST /api/v1/me/password"] = {"request": {"old": SECRETS["old"], "new": SECRETS["new"]}}
    kept = {name: example for name, example in sorted(walk.examples.items()) if example}
    TARGET.write_text(json.dumps(kept, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {len(kept)} operations")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
