"""What the demonstration starts with: accounts, duties, peers, cameras and two filled forms."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from gongshi.db.engine import Database
from gongshi.db.uow import UnitOfWork
from gongshi.identity import service as identity
from gongshi.identity.models import Account
from gongshi.kit.secretbox import SecretBox
from gongshi.node.duties import give_duties
from gongshi.registry.city import city
from gongshi.registry.models import Organisation
from gongshi.registry.seed import Sample, platform_row, sample_cameras, samples, seed_cameras, seed_city
from gongshi.signalling import service as signalling

MAP_CAMERAS = 480
"""Archive records that only fill the map: declared, not connected."""
_FILED_BEFORE = 4
"""Cameras of the tourism platform that stand in the registry from the start."""

ACCOUNTS: Sequence[tuple[str, str, str, str]] = (
    ("wenlv", "文旅局联络员", "culture-tourism", "agency_contact"),
    ("yingji", "应急局联络员", "emergency", "agency_contact"),
    ("yingji-zhiban", "应急局值班员", "emergency", "viewer"),
    ("shuju", "数据资源局审核员", "data-resource", "data_bureau"),
    ("jingcha", "公安视频管理员", "police", "police_officer"),
    ("bangongshi", "领导小组办公室", "leading-office", "leading_office"),
    ("shenji", "审计员", "cyberspace-office", "auditor"),
    ("guanli", "系统管理员", "data-resource", "system_admin"),
    ("anquan", "安全管理员", "data-resource", "security_admin"),
    ("shenjiguanli", "审计管理员", "cyberspace-office", "audit_admin"),
    ("xianban", "金安区办公室", "government-341502", "county_office"),
)
"""username, name shown, organisation, role."""


@dataclass(frozen=True, slots=True)
class SimulatedPeer:
    """One simulated platform and the channels it shows."""

    code: str
    name: str
    organisation: str
    label: str
    """Who runs it, as written into the picture (G-145)."""
    cameras: Sequence[Sample]
    registered: int
    """How many of them stand in the registry from the start."""
    scenes: Sequence[str]
    transport: str = "udp"

    def catalogue(self) -> list[dict[str, Any]]:
        """The channel list as the simulator reads it."""
        return [
            {
                "code": sample.code,
                "name": sample.name,
                "longitude": float(sample.longitude),
                "latitude": float(sample.latitude),
                "address": f"六安市{sample.town.name}",
                "civil_code": sample.town.county,
                "status": "ON",
                "codec": "h264",
                "scene": self.scenes[index % len(self.scenes)],
                "place": [f"安徽省六安市{city().county_names()[sample.town.county]}", sample.town.name, sample.name],
                "source": self.label,
            }
            for index, sample in enumerate(self.cameras)
        ]


def simulated_peers() -> list[SimulatedPeer]:
    """The two platforms of the demonstration."""
    return [
        SimulatedPeer(
            "34150000552008000001",
            "旅游视频管理平台",
            "culture-tourism",
            "文旅",
            # The ninth is on the platform but in nobody's form: seen and undeclared.
            list(samples("culture-tourism", 9)),
            _FILED_BEFORE,
            ("lake", "gate", "square", "station"),
        ),
        SimulatedPeer(
            "34150000002001000002",
            "公安视频图像联网平台",
            "police",
            "公安",
            list(samples("police", 8)),
            8,
            ("street", "square", "street", "gate"),
            "tcp",
        ),
    ]


VISITOR_PEER = ("34150200551188000003", "访客设备（空位）", "culture-tourism")
"""A peer nobody simulates: for a device or simulator of the visitor's own."""


async def seed(database: Database, box: SecretBox, data: Path) -> dict[str, Any]:
    """Write everything once; returns what a visitor needs (accounts, peers), kept in the data directory."""
    kept = data / "secrets" / "demo.json"
    async with database.unit() as uow:
        if await uow.session.scalar(select(Account.id).limit(1)) is not None:
            return json.loads(kept.read_text(encoding="utf-8"))
        organisations = await seed_city(uow)
        await _cameras(uow, organisations)
        known = {
            "accounts": await _accounts(uow, organisations),
            "peers": await _peers(uow, box, organisations),
        }
        await give_duties(uow)
        kept.touch(mode=0o600)
        kept.write_text(json.dumps(known, ensure_ascii=False, indent=1), encoding="utf-8")
    _forms(data / "samples")
    return known


async def _cameras(uow: UnitOfWork, organisations: Mapping[str, Organisation]) -> None:
    live = [sample for peer in simulated_peers() for sample in peer.cameras[: peer.registered]]
    # The tourism bureau's own list stays that of the story: what its platform shows, and one camera that it does not.
    others = [sample for sample in sample_cameras(MAP_CAMERAS) if sample.estate.unit != "culture-tourism"]
    await seed_cameras(uow, organisations, [*live, *others])


async def _accounts(uow: UnitOfWork, organisations: Mapping[str, Organisation]) -> list[dict[str, str]]:
    made: list[dict[str, str]] = []
    for username, shown, unit, role in ACCOUNTS:
        _, password = await identity.create_account(
            uow,
            username=username,
            display_name=shown,
            organisation=organisations[unit].id,
            roles=[role],
            by=None,
            demo=True,
        )
        made.append(
            {"username": username, "password": password, "role": role, "organisation": organisations[unit].name}
        )
    return made


async def _peers(uow: UnitOfWork, box: SecretBox, organisations: Mapping[str, Organisation]) -> list[dict[str, str]]:
    wanted = [(peer.code, peer.name, peer.organisation, peer.transport) for peer in simulated_peers()]
    wanted.append((*VISITOR_PEER, "udp"))
    made: list[dict[str, str]] = []
    for code, name, unit, transport in wanted:
        _, password = await signalling.create_peer(
            uow,
            box,
            code=code,
            name=name,
            organisation=organisations[unit].id,
            media_transport="udp" if transport == "udp" else "tcp_passive",
        )
        made.append({"code": code, "password": password})
    return made


# -- the two forms of the story ---------------------------------------------------------------


def _forms(directory: Path) -> None:
    """Two filled forms of 市文化和旅游局: one with the mistakes people make, and the same one corrected."""
    # Libraries of workbooks and documents, for the first start only.
    from gongshi.inventory.workbook import filled_workbook  # noqa: PLC0415 -- see above

    directory.mkdir(exist_ok=True)
    tourism = simulated_peers()[0]
    unseen = list(samples("culture-tourism", 1, first=90))
    declared = [*tourism.cameras[:-1], *unseen]
    head = {"unit": "市文化和旅游局", "contact": "王联络", "phone": "0564-3378888"}
    platforms = [platform_row(tourism.cameras[0].estate, 1, len(declared))]
    good = [sample.form_row(serial) for serial, sample in enumerate(declared, start=1)]
    (directory / "文旅局接入清单-已更正.xlsx").write_bytes(filled_workbook(head, platforms, good))
    bad = [dict(row) for row in good]
    bad[0]["longitude"] = bad[0]["longitude"][:-3]
    bad[1]["code"] = bad[1]["code"][:19]
    bad[2]["status"] = "正常"
    bad[3]["platform"] = "旅游平台"
    bad[4]["code"] = bad[5]["code"]
    bad[6]["longitude"], bad[6]["latitude"] = bad[6]["latitude"], bad[6]["longitude"]
    bad[7]["plan"] = "升级"
    (directory / "文旅局接入清单-含问题.xlsx").write_bytes(filled_workbook(head, platforms, bad))
