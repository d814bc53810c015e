"""The directory as one upper sees it: its own tree over the cameras that are shared with it (gb28181.md §7.1, §13.2)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from gongshi.kit import clock
from gongshi.protocols.manscdp import CatalogItem
from gongshi.signalling.uppers import repository
from gongshi.signalling.uppers.account import Account
from gongshi.signalling.uppers.repository import Shared

MAKER: Final = "Gongshi"
MODEL: Final = "Gongshi"
_GROUP: Final = "215"
_ORGANISATION: Final = "216"


@dataclass(frozen=True, slots=True)
class Outline:
    """What an answer will hold: items of the tree, then cameras by id."""

    head: Sequence[CatalogItem]
    cameras: Sequence[int]

    @property
    def total(self) -> int:
        return len(self.head) + len(self.cameras)


class Directory:
    """Reads, never writes. `name` is what we call our platform."""

    def __init__(self, name: str) -> None:
        self._name = name

    # --- whole and part ------------------------------------------------------------------------------------------------

    async def outline(
        self,
        session: AsyncSession,
        account: Account,
        asked: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> Outline:
        """What a query for `asked` is answered; nothing for an ID that is not in the upper's tree."""
        ids = await repository.visible_ids(
            session, account.subject, account.code, clock.now(), since=since, until=until
        )
        if asked in {account.own_code, ""}:
            return Outline([self.own(account), *await self._tree(session, account, ids)], ids)
        return await self._part(session, account, asked, ids)

    async def _part(self, session: AsyncSession, account: Account, asked: str, ids: Sequence[int]) -> Outline:
        nothing = Outline([], [])
        if not asked.isascii() or not asked.isdigit():
            return nothing
        if len(asked) in {2, 4, 6, 8}:
            region = civil(asked)
            head = await self._tree(session, account, ids) if account.tree == "region" else []
            inside = [item for item in head if item.device_id.startswith(region)]
            return Outline(inside, await repository.of_place(session, ids, region=region))
        if len(asked) != 20:
            return nothing
        if asked[10:13] in {_GROUP, _ORGANISATION}:
            return await self._group(session, account, asked, ids)
        target = await repository.camera_known_as(session, account.id, asked)
        if target is not None and target.id in set(ids):
            return Outline([], [target.id])
        head = await self._tree(session, account, ids) if account.tree == "device" else []
        found = [item for item in head if item.device_id == asked]
        return Outline(found, await repository.of_peer(session, ids, asked)) if found else nothing

    async def _group(self, session: AsyncSession, account: Account, asked: str, ids: Sequence[int]) -> Outline:
        if account.tree != "organisation":
            return Outline([], [])
        head = await self._tree(session, account, ids)
        if asked == group_code(account):
            return Outline(head, ids)
        wanted = {asked}
        for item in head:
            # Parents stand before their children.
            if wanted & set(item.parents):
                wanted.add(item.device_id)
        found = [item for item in head if item.device_id in wanted]
        units = [int(item.device_id[14:]) for item in found]
        return Outline(found, await repository.of_place(session, ids, organisations=units) if units else [])

    # --- the tree ------------------------------------------------------------------------------------------------------

    def own(self, account: Account) -> CatalogItem:
        """Our platform: first, without ParentID (§7.3)."""
        fields = {
            "Manufacturer": MAKER,
            "Model": MODEL,
            "Owner": self._name,
            "CivilCode": account.own_code[:6],
            "Address": self._name,
            "RegisterWay": "1",
            "Secrecy": "0",
            "Status": "ON",
        }
        return CatalogItem(account.own_code, self._name, fields)

    async def _tree(self, session: AsyncSession, account: Account, ids: Collection[int]) -> list[CatalogItem]:
        match account.tree:
            case "region":
                return _regions(account, await repository.places(session, ids), await repository.regions(session))
            case "organisation":
                units = {unit for _, unit in await repository.places(session, ids)}
                return await self._organisations(session, account, units)
            case "device":
                return [
                    _system(account, code, name, online)
                    for code, name, online in await repository.peers_of(session, ids)
                    if code != account.code
                ]
            case _:
                return []

    async def _organisations(self, session: AsyncSession, account: Account, units: set[int]) -> list[CatalogItem]:
        if not units:
            return []
        group = group_code(account)
        found = {unit.id: unit for unit in await repository.organisations(session, units)}
        while missing := {u.parent_id for u in found.values() if u.parent_id is not None} - found.keys():
            more = await repository.organisations(session, missing)
            if not more:
                break
            found |= {unit.id: unit for unit in more}
        items = [CatalogItem(group, self._name, {"CivilCode": account.own_code[:6], "ParentID": account.own_code})]
        ordered: dict[int, None] = {}

        def put(unit_id: int, depth: int = 0) -> None:
            unit = found.get(unit_id)
            if unit is None or unit_id in ordered or depth > 16:
                return
            if unit.parent_id is not None:
                put(unit.parent_id, depth + 1)
            ordered.setdefault(unit_id)

        for unit_id in sorted(found):
            put(unit_id)
        for unit_id in ordered:
            unit = found[unit_id]
            fields = {"BusinessGroupID": group, "CivilCode": civil(unit.region_code)}
            if unit.parent_id in ordered:
                fields["ParentID"] = organisation_code(account, unit.parent_id)
            items.append(CatalogItem(organisation_code(account, unit_id), unit.short_name, fields))
        return items

    # --- cameras -------------------------------------------------------------------------------------------------------

    async def items(self, session: AsyncSession, account: Account, ids: Collection[int]) -> list[CatalogItem]:
        """The cameras' items under the codes that the upper knows, by id."""
        return [camera_item(account, row) for row in await repository.items(session, account.id, account.code, ids)]

    async def shared(self, session: AsyncSession, account: Account) -> dict[int, Shared]:
        """What the upper may know of now, by camera id."""
        ids = await repository.visible_ids(session, account.subject, account.code, clock.now())
        return {row.id: row for row in await repository.shared(session, account.id, account.code, ids)}


def civil(code: str) -> str:
    """A division as a catalogue writes it: 2, 4, 6 or 8 digits, without the pairs of zeros (§7.4).

    >>> civil("341500"), civil("341502"), civil("341502001000")
    ('3415', '341502', '341502')
    """
    digits = code if code.isascii() and code.isdigit() else ""
    if len(digits) not in {2, 4, 6, 8}:
        digits = digits[:6]
    while digits.endswith("00"):
        digits = digits[:-2]
    return digits


def group_code(account: Account) -> str:
    """The one business group of ours."""
    return f"{account.own_code[:10]}{_GROUP}{account.own_code[13]}000001"


def organisation_code(account: Account, organisation_id: int | None) -> str:
    """A virtual organisation's code: our prefix and the unit's number, which is never used again."""
    return f"{account.own_code[:10]}{_ORGANISATION}{account.own_code[13]}{(organisation_id or 0) % 1_000_000:06d}"


def _regions(account: Account, places: Collection[tuple[str, int]], names: Mapping[str, str]) -> list[CatalogItem]:
    known = {civil(code): name for code, name in names.items() if len(code) <= 8}
    ours = civil(account.own_code[:6])
    wanted: set[str] = set()
    for code, _ in places:
        division = civil(code)
        while division and (division.startswith(ours) or division == civil(code)):
            wanted.add(division)
            division = division[:-2]
    return [CatalogItem(code, known.get(code, code)) for code in sorted(wanted)]


def _system(account: Account, code: str, name: str, online: bool) -> CatalogItem:
    fields = {
        "Manufacturer": MAKER,
        "Model": MODEL,
        "Owner": name,
        "CivilCode": code[:6],
        "Address": name,
        "Parental": "1",
        "ParentID": account.own_code,
        "RegisterWay": "1",
        "Secrecy": "0",
        "Status": "ON" if online else "OFF",
    }
    return CatalogItem(code, name, fields)


def camera_item(account: Account, row: Any) -> CatalogItem:
    """A camera of the registry with the truth of its channel. Its network address is nobody's business (§7.2)."""
    parent, group = account.own_code, None
    if account.tree == "organisation":
        group = group_code(account)
        parent = f"{parent}/{organisation_code(account, row.organisation_id)}"
    elif account.tree == "device" and row.peer_code:
        parent = row.peer_code
    fields = {
        "Manufacturer": row.manufacturer or row.brand or MAKER,
        "Model": row.model or "-",
        "Owner": row.owner,
        "CivilCode": civil(row.region_code) if account.tree == "region" else row.region_code[:6],
        "Block": row.police_code or "",
        "Address": row.address or row.place_text or row.name,
        "Parental": "0",
        "ParentID": parent,
        "SafetyWay": "0",
        "RegisterWay": "1",
        "Secrecy": "0",
        "Status": "ON" if row.online else "OFF",
        "Longitude": _degrees(row.longitude),
        "Latitude": _degrees(row.latitude),
    }
    if group is not None:
        fields["BusinessGroupID"] = group
    info = {"GrassrootsCode": "000000", "PointType": str(row.point_class or 9)}
    ptz = row.ptz_type or row.camera_type
    if ptz:
        info["PTZType"] = str(ptz)
    if row.direction and 1 <= row.direction <= 8:
        info["DirectionType"] = str(row.direction)
    return CatalogItem(row.code, row.name, {name: value for name, value in fields.items() if value}, info)


def _degrees(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"
