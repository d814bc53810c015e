"""From upload to registry: dry run, findings, correction, submission, decision, history and log."""

import io
from typing import Any

import httpx
import openpyxl
import pytest
from sqlalchemy import select, text

from gongshi.audit.models import Entry
from gongshi.db import Database
from gongshi.inventory import checking
from gongshi.inventory.workbook import FIRST_ROW
from gongshi.registry import repository as registry
from gongshi.registry import service
from gongshi.registry.models import Camera, Change
from integration.inventory.conftest import As, Drain, post, sample_form

API = "/api/v1/inventory"


async def checked(who: httpx.AsyncClient, drain: Drain, content: bytes, **fields: str) -> dict[str, Any]:
    made = await post(who, content, **fields)
    assert made.status_code == 202, made.text
    await drain()
    return (await who.get(f"{API}/filings/{made.json()['id']}")).json()


async def test_a_form_with_mistakes_is_marked_corrected_submitted_and_accepted(
    acting: As, drain: Drain, database: Database
) -> None:
    wenlv, office = await acting("wenlv"), await acting("bangongshi")

    blank = await wenlv.get(f"{API}/form", params={"format": "xlsx"})
    assert openpyxl.load_workbook(io.BytesIO(blank.content)).sheetnames == ["监控管理平台", "平台接入摄像机"]

    bad = sample_form(cameras={0: {"code": "3.41502E+19"}, 1: {"longitude": "116.51234"}, 2: {"status": "在用 "}})
    filing = await checked(wenlv, drain, bad, dry_run="true")
    assert filing["state"] == "checked"
    counts = filing["counts"]
    assert (counts["cameras"], counts["rows_bad"], counts["rows_ok"], counts["skipped"]) == (8, 2, 7, 2)
    assert counts["new"] == 6

    found = (await wenlv.get(f"{API}/filings/{filing['id']}/findings")).json()
    by_rule = {item["rule"]: item for item in found["items"]}
    assert by_rule["C-SHAPE"]["row"] == FIRST_ROW + 1
    assert by_rule["C-SHAPE"]["column_label"] == "20位编码"
    assert by_rule["G-087.decimals"]["row"] == FIRST_ROW + 2
    assert "6位" in by_rule["G-087.decimals"]["message"]
    assert by_rule["form.blanks.camera"]["column"] == "status"
    english = (await wenlv.get(f"{API}/filings/{filing['id']}/findings", params={"lang": "en"})).json()
    assert english["groups"][0]["severity"] == "error"
    assert "decimals" in {item["rule"]: item for item in english["items"]}["G-087.decimals"]["message"]

    marked = await wenlv.get(f"{API}/filings/{filing['id']}/workbook")
    book = openpyxl.load_workbook(io.BytesIO(marked.content))
    assert book.sheetnames == ["监控管理平台", "平台接入摄像机", "校验结果"]
    cells = [cell for row in book["平台接入摄像机"].iter_rows() for cell in row if cell.comment]
    assert {cell.fill.fgColor.rgb for cell in cells} >= {"00F8C9C4", "00D6E6F7"}
    assert any("科学计数法" in str(cell.comment) for cell in cells)

    # The marked workbook itself can be corrected and sent again.
    sheet = book["平台接入摄像机"]
    good = list(openpyxl.load_workbook(io.BytesIO(sample_form()))["平台接入摄像机"].iter_rows(values_only=True))
    header = next(row[0].row for row in sheet.iter_rows() if row[0].value == "序号")
    for number, values in enumerate(good[FIRST_ROW:], start=header + 2):
        for column, value in enumerate(values[:14], start=1):
            sheet.cell(number, column, value)
    again = io.BytesIO()
    book.save(again)
    second = await checked(wenlv, drain, again.getvalue(), dry_run="true")
    assert second["counts"]["errors"] == 0, (await wenlv.get(f"{API}/filings/{second['id']}/findings")).json()["items"]

    assert (await wenlv.post(f"{API}/filings/{second['id']}/submit")).json()["code"] == "wrong_state"
    assert (await wenlv.post(f"{API}/filings/{second['id']}/keep")).json()["state"] == "draft"
    assert (await office.get(f"{API}/filings/{second['id']}")).status_code == 404
    submitted = await wenlv.post(f"{API}/filings/{second['id']}/submit", json={})
    assert submitted.json()["state"] == "submitted"
    assert submitted.json()["allowed_actions"] == ["cancel"]

    seen = (await office.get(f"{API}/filings", params={"state": "submitted"})).json()["items"]
    assert [item["id"] for item in seen] == [second["id"]]
    assert set(seen[0]["allowed_actions"]) == {"accept", "send_back", "waive"}
    assert (await office.post(f"{API}/filings/{second['id']}/accept")).json()["state"] == "accepting"
    await drain()
    done = (await wenlv.get(f"{API}/filings/{second['id']}")).json()
    assert (done["state"], done["counts"]["new"]) == ("accepted", 8)

    async with database.read() as session:
        cameras = (await session.scalars(select(Camera))).all()
        assert len(cameras) == 8
        assert all(
            camera.code_frozen_at and camera.platform_id and camera.domain == "integration" for camera in cameras
        )
        history = (await session.scalars(select(Change).where(Change.object_kind == "camera"))).all()
        assert {(change.operation, change.source, change.actor_name) for change in history} == {
            ("create", "import", "Bangongshi")
        }
        entries = (await session.scalars(select(Entry.action).order_by(Entry.id))).all()
        assert [name for name in entries if name.startswith(("inventory", "registry"))] == [
            "inventory.filing.uploaded",
            "inventory.filing.uploaded",
            "inventory.filing.submitted",
            "inventory.filing.accepted",
            "registry.camera.created",
        ]
        linked = await session.scalar(
            text("SELECT count(*) FROM inventory.filing_row WHERE object_id IS NOT NULL AND filing_id = :id"),
            {"id": second["id"]},
        )
        assert linked == 9

    page = (await wenlv.get("/api/v1/cameras", params={"q": "jq"})).json()
    assert page["total"] >= 1
    assert page["items"][0]["access"]["see"] == "duty"
    third = await checked(wenlv, drain, sample_form(cameras={0: {"brand": "大华"}}))
    assert (third["counts"]["new"], third["counts"]["changed"], third["counts"]["unchanged"]) == (0, 1, 7)


async def test_errors_block_submission_unless_bad_rows_are_left_out(
    acting: As, drain: Drain, database: Database
) -> None:
    wenlv, office = await acting("wenlv"), await acting("bangongshi")
    filing = await checked(wenlv, drain, sample_form(cameras={0: {"latitude": "不知道"}}), dry_run="false")
    assert filing["state"] == "draft"
    refused = await wenlv.post(f"{API}/filings/{filing['id']}/submit", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "errors_open")
    assert (await wenlv.post(f"{API}/filings/{filing['id']}/submit", json={"valid_rows_only": True})).status_code == 200
    await office.post(f"{API}/filings/{filing['id']}/accept", json={"comment": "同意"})
    await drain()
    async with database.read() as session:
        assert len((await session.scalars(select(Camera.id))).all()) == 7


async def test_a_surveyed_coordinate_with_a_zero_is_waived_and_registered(
    acting: As, drain: Drain, database: Database
) -> None:
    wenlv, office = await acting("wenlv"), await acting("bangongshi")
    filing = await checked(wenlv, drain, sample_form(cameras={3: {"longitude": "116.512340"}}), dry_run="false")
    await wenlv.post(f"{API}/filings/{filing['id']}/submit", json={"valid_rows_only": True})
    found = (await office.get(f"{API}/filings/{filing['id']}/findings", params={"rule": "G-087.sixth"})).json()["items"]
    assert found[0]["clause"] == "X-12"
    path = f"{API}/findings/{found[0]['id']}/waive"
    assert (await wenlv.post(path, json={"reason": "测量报告"})).status_code == 403
    waived = await office.post(path, json={"reason": "附RTK测量报告"})
    assert waived.json()["waived"] is True
    assert (await office.post(path, json={"reason": "再次"})).json()["code"] == "already_waived"
    await office.post(f"{API}/filings/{filing['id']}/accept")
    await drain()
    async with database.read() as session:
        assert len((await session.scalars(select(Camera.id))).all()) == 8


async def test_units_file_for_themselves_only_and_others_learn_nothing(
    acting: As, drain: Drain, city: dict[str, int]
) -> None:
    wenlv, yingji, office = await acting("wenlv"), await acting("yingji"), await acting("bangongshi")
    auditor = await acting("shenji")
    filing = await checked(wenlv, drain, sample_form(), dry_run="false")
    paths = ["", "/rows", "/findings", "/workbook"]
    for path in paths:
        assert (await yingji.get(f"{API}/filings/{filing['id']}{path}")).status_code == 404
        assert (await auditor.get(f"{API}/filings/{filing['id']}{path}")).status_code == 404
    for verb in ("keep", "submit", "cancel", "accept"):
        assert (await yingji.post(f"{API}/filings/{filing['id']}/{verb}")).status_code in {403, 404}
    other = await post(yingji, sample_form(), organisation="culture-tourism")
    assert other.status_code == 404
    assert (await post(office, sample_form())).status_code == 403
    assert (await yingji.get(f"{API}/filings")).json()["items"] == []
    assert (await yingji.get(f"{API}/filings/99999")).status_code == 404

    wrong = await checked(yingji, drain, sample_form())
    rules = {item["rule"] for item in (await yingji.get(f"{API}/filings/{wrong['id']}/findings")).json()["items"]}
    assert {"G-060.other_unit", "C-IND"} <= rules


async def test_a_code_of_another_unit_is_an_error_that_names_it(acting: As, drain: Drain) -> None:
    wenlv, yingji, office = await acting("wenlv"), await acting("yingji"), await acting("bangongshi")
    filing = await checked(wenlv, drain, sample_form(), dry_run="false")
    await wenlv.post(f"{API}/filings/{filing['id']}/submit", json={})
    await office.post(f"{API}/filings/{filing['id']}/accept")
    await drain()
    mine = await checked(yingji, drain, sample_form(1))
    found = (await yingji.get(f"{API}/filings/{mine['id']}/findings", params={"rule": "C-UNIQ.city"})).json()["items"]
    assert "市文化和旅游局" in found[0]["message"]
    recoded = await checked(wenlv, drain, sample_form(1, cameras={0: {"code": "34152200551328009999"}}))
    rules = (await wenlv.get(f"{API}/filings/{recoded['id']}/findings")).json()["items"]
    assert "C-RECODE" in {item["rule"] for item in rules}


@pytest.mark.parametrize("lacking", ["unit", "contact", "phone"])
async def test_a_form_that_does_not_say_who_files_cannot_be_submitted(acting: As, drain: Drain, lacking: str) -> None:
    """Unit, contact and phone are mandatory (G-060), and no row can be left out in their place."""
    wenlv = await acting("wenlv")
    filing = await checked(wenlv, drain, sample_form(2, head={lacking: ""}), dry_run="false")
    found = (await wenlv.get(f"{API}/filings/{filing['id']}/findings")).json()["items"]
    assert [item["rule"] for item in found if item["severity"] == "error"] == [f"G-060.{lacking}"]
    for body in ({}, {"valid_rows_only": True}):
        refused = await wenlv.post(f"{API}/filings/{filing['id']}/submit", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "form_errors_open")


async def test_findings_come_in_the_order_of_the_file_page_by_page(acting: As, drain: Drain) -> None:
    wenlv = await acting("wenlv")
    spoilt: dict[int, dict[str, object]] = {
        n: {"brand": "某牌", "code": "1", "longitude": "116.5", "status": "停用"} for n in range(5)
    }
    form = sample_form(cameras=spoilt, platforms={0: {"vendor": "XXX", "gbt28181": "否"}})
    filing = await checked(wenlv, drain, form)
    path = f"{API}/filings/{filing['id']}/findings"
    whole = (await wenlv.get(path, params={"limit": 500})).json()["items"]
    columns = {
        "platform": ["serial", "name", "vendor", "gbt28181"],
        "camera": ["serial", "code", "name", "platform", "brand", "model", "place", "longitude", "latitude", "status"],
    }
    places = [
        (["platform", "camera"].index(item["sheet"]), item["row"], columns[item["sheet"]].index(item["column"]))
        for item in whole
    ]
    assert len({row for _, row, _ in places}) > 4
    assert places == sorted(places)
    walked: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await wenlv.get(path, params={"limit": 3, **cursor})).json()
        walked += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert walked == [item["id"] for item in whole]


async def test_a_zero_report_is_signed_and_accepted(acting: As) -> None:
    yingji, office = await acting("yingji"), await acting("bangongshi")
    made = await yingji.post(f"{API}/filings/zero", json={"statement": "本单位无公共场所视频监控资源"})
    assert (made.status_code, made.json()["state"]) == (201, "submitted")
    number = made.json()["id"]
    assert (await office.post(f"{API}/filings/{number}/accept")).json()["state"] == "accepted"
    assert (await office.post(f"{API}/filings/{number}/send-back", json={"reason": "x"})).status_code == 409


async def test_a_zero_report_of_a_unit_with_cameras_is_cautioned_and_confirmed(acting: As, drain: Drain) -> None:
    """Nothing to report, said by a unit whose cameras are known, is accepted only by somebody who knows (G-054)."""
    wenlv, office = await acting("wenlv"), await acting("bangongshi")
    statement = {"statement": "本单位无公共场所视频监控资源"}
    filing = await checked(wenlv, drain, sample_form(3), dry_run="false")
    await wenlv.post(f"{API}/filings/{filing['id']}/submit", json={})
    while_listed = (await wenlv.post(f"{API}/filings/zero", json=statement)).json()
    assert "已提交的清单中有 3 台" in while_listed["caution"]
    assert while_listed["counts"] == {"registered": 0, "filed": 3}
    await office.post(f"{API}/filings/{filing['id']}/accept")
    await drain()
    made = (await wenlv.post(f"{API}/filings/zero", params={"lang": "en"}, json=statement)).json()
    assert "3 cameras in the registry" in made["caution"]
    for body in ({}, {"confirm": False}, {"comment": "同意"}):
        refused = await office.post(f"{API}/filings/{made['id']}/accept", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "cameras_exist")
        assert "3 台" in refused.json()["detail"]
    assert (await office.post(f"{API}/filings/{while_listed['id']}/accept", json={})).status_code == 409
    assert (await office.get(f"{API}/filings/{made['id']}")).json()["state"] == "submitted"
    accepted = (await office.post(f"{API}/filings/{made['id']}/accept", json={"confirm": True})).json()
    assert (accepted["state"], accepted["caution"]) == ("accepted", None)


async def test_a_zero_report_is_a_sentence(acting: As) -> None:
    yingji = await acting("yingji")
    for words in ("", "无", "  没有  ", "   "):
        assert (await yingji.post(f"{API}/filings/zero", json={"statement": words})).status_code == 422


async def test_sent_back_with_a_reason(acting: As, drain: Drain) -> None:
    wenlv, office = await acting("wenlv"), await acting("bangongshi")
    filing = await checked(wenlv, drain, sample_form(), dry_run="false")
    await wenlv.post(f"{API}/filings/{filing['id']}/submit", json={})
    back = await office.post(f"{API}/filings/{filing['id']}/send-back", json={"reason": "请补充停车场点位"})
    assert (back.json()["state"], back.json()["decision_reason"]) == ("sent_back", "请补充停车场点位")
    assert (await wenlv.post(f"{API}/filings/{filing['id']}/submit", json={})).status_code == 409


async def test_a_code_taken_between_check_and_acceptance_returns_the_filing(
    acting: As, drain: Drain, database: Database, city: dict[str, int]
) -> None:
    wenlv, office = await acting("wenlv"), await acting("bangongshi")
    filing = await checked(wenlv, drain, sample_form(), dry_run="false")
    await wenlv.post(f"{API}/filings/{filing['id']}/submit", json={})
    rows = (await wenlv.get(f"{API}/filings/{filing['id']}/rows", params={"sheet": "camera"})).json()["items"]
    async with database.unit() as uow:
        other = await registry.organisation(uow.session, "transport")
        assert other is not None
        row = {"code": rows[1]["raw"]["code"], "name": "另一单位的摄像机", "region_code": "341502"}
        await service.file_cameras(uow, other, [row], source="api", reason=None)
    await office.post(f"{API}/filings/{filing['id']}/accept", json={"comment": "同意"})
    await drain()
    returned = (await office.get(f"{API}/filings/{filing['id']}")).json()
    assert (returned["state"], returned["failure"]["code"]) == ("submitted", "codes_taken")
    assert row["code"] in returned["failure"]["detail"]
    assert returned["decided_at"] is None
    async with database.read() as session:
        assert len((await session.scalars(select(Camera.id))).all()) == 1
    back = await office.post(f"{API}/filings/{filing['id']}/send-back", json={"reason": "编码与市交通运输局重复"})
    assert back.json()["state"] == "sent_back"


async def test_a_fault_of_ours_fails_the_check_and_can_be_seen(
    acting: As, drain: Drain, monkeypatch: pytest.MonkeyPatch
) -> None:
    wenlv = await acting("wenlv")

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(checking, "recognise", broken)
    made = await post(wenlv, sample_form(1))
    await drain()
    filing = (await wenlv.get(f"{API}/filings/{made.json()['id']}")).json()
    assert (filing["state"], filing["failure"]["code"]) == ("failed", "internal")


async def test_what_no_record_can_do_without_is_never_waived(acting: As, drain: Drain) -> None:
    wenlv, office = await acting("wenlv"), await acting("bangongshi")
    filing = await checked(wenlv, drain, sample_form(cameras={0: {"code": "123"}}), dry_run="false")
    await wenlv.post(f"{API}/filings/{filing['id']}/submit", json={"valid_rows_only": True})
    found = (await office.get(f"{API}/filings/{filing['id']}/findings", params={"rule": "C-SHAPE"})).json()["items"][0]
    refused = await office.post(f"{API}/findings/{found['id']}/waive", json={"reason": "就这样"})
    assert (refused.status_code, refused.json()["code"]) == (409, "not_waivable")
