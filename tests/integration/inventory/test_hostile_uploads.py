"""Every bad upload has a defined answer: a refusal at once, a failed filing with the reason, or a finding."""

import asyncio
import io
import zipfile

import pytest

from gongshi.db import Database
from gongshi.inventory import checking, repository
from integration.inventory.conftest import As, Drain, post, sample_form

API = "/api/v1/inventory"


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/workbook.xml", b"<workbook/>")
        package.writestr("xl/worksheets/sheet1.xml", b"0" * (64 * 1024 * 1024))
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"%PDF-1.7 not a form", "wrong_type"),
        (b"<html><table><tr><td>1</td></tr></table></html>", "wrong_type"),
        (b"\x00\x01\x02\x03" * 200, "wrong_type"),
        (sample_form()[:9000], "damaged_file"),
        (bomb(), "hostile_file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "encrypted_file"),
    ],
)
async def test_what_cannot_be_a_form_is_refused_at_once(acting: As, content: bytes, code: str) -> None:
    wenlv = await acting("wenlv")
    refused = await post(wenlv, content)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert (await wenlv.get(f"{API}/filings")).json()["items"] == []


async def test_damage_found_while_reading_fails_the_filing_with_the_reason(acting: As, drain: Drain) -> None:
    source = zipfile.ZipFile(io.BytesIO(sample_form()))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        for name in source.namelist():
            data = source.read(name)
            package.writestr(name, data[: len(data) // 2] if name == "xl/worksheets/sheet2.xml" else data)
    wenlv = await acting("wenlv")
    made = await post(wenlv, out.getvalue())
    assert made.status_code == 202
    await drain()
    filing = (await wenlv.get(f"{API}/filings/{made.json()['id']}", params={"lang": "en"})).json()
    assert (filing["state"], filing["failure"]["code"]) == ("failed", "damaged_file")
    assert "damaged" in filing["failure"]["detail"]
    assert filing["allowed_actions"] == []


async def test_a_running_check_is_cancelled_and_leaves_nothing(
    acting: As, drain: Drain, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_BEAT", 0.02)
    wenlv = await acting("wenlv")
    made = await post(wenlv, sample_form(4_000))
    number = made.json()["id"]
    cancelled = await wenlv.post(f"{API}/filings/{number}/cancel")
    assert cancelled.status_code == 200
    await drain()
    filing = (await wenlv.get(f"{API}/filings/{number}")).json()
    assert filing["state"] == "cancelled"
    async with database.read() as session:
        assert not await repository.rows(session, number, None, 0, 1)
        assert not await repository.findings(session, number, severity=None, rule=None, after=None, limit=1)


async def test_progress_is_written_and_announced_while_a_check_runs(
    acting: As, drain: Drain, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "_BEAT", 0.02)
    wenlv = await acting("wenlv")
    made = await post(wenlv, sample_form(3_000))
    number = made.json()["id"]
    running = asyncio.ensure_future(drain())
    seen: set[str] = set()
    async with asyncio.timeout(60):
        while not running.done():
            filing = (await wenlv.get(f"{API}/filings/{number}")).json()
            seen.add(filing["stage"] or filing["state"])
            await asyncio.sleep(0.01)
    await running
    assert seen & {"reading", "checking", "writing"}
    final = (await wenlv.get(f"{API}/filings/{number}")).json()
    assert (final["state"], final["progress"], final["counts"]["rows_ok"]) == ("checked", 1.0, 3_001)


async def test_a_check_that_is_repeated_after_a_crash_writes_everything_once(
    acting: As, drain: Drain, database: Database
) -> None:
    wenlv = await acting("wenlv")
    made = await post(wenlv, sample_form(5))
    number = made.json()["id"]
    async with database.unit() as uow:
        await repository.copy_filing_rows(uow.session, number, [("camera", "x", 1, {}, {}, "ok")])
    await drain()
    rows = (await wenlv.get(f"{API}/filings/{number}/rows", params={"sheet": "camera"})).json()["items"]
    assert [row["verdict"] for row in rows] == ["skipped", *["ok"] * 5]
