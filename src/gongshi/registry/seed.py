"""The city's divisions and organisations, and plausible sample cameras for a demonstration."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from gongshi.db.uow import UnitOfWork
from gongshi.registry import service
from gongshi.registry.city import City, Town, city
from gongshi.registry.models import Organisation, Region


async def seed_city(uow: UnitOfWork, name: str = "luan") -> Mapping[str, Organisation]:
    """Write the city's regions and organisations unless they are there. Returns the organisations by code."""
    data = city(name)
    known = set((await uow.session.scalars(select(Region.code))).all())
    rows = [
        Region(code=data.province_code, name=data.province_name, level="province", parent_code=None),
        Region(code=data.code, name=data.name, level="city", parent_code=data.province_code),
        *(Region(code=c.code, name=c.name, level="county", parent_code=data.code) for c in data.counties),
        *(
            Region(code=old.code, name=old.name, level="county", parent_code=data.code, usable=False, hint=old.hint.zh)
            for old in data.retired
        ),
    ]
    for row in rows:
        if row.code not in known:
            uow.session.add(row)
            await uow.session.flush()
    present = {unit.code: unit for unit in await uow.session.scalars(select(Organisation))}
    for unit in data.units:
        if unit.code not in present:
            organisation = Organisation(
                code=unit.code,
                name=unit.name,
                short_name=unit.short_name,
                name_en=unit.name_en,
                kind=unit.kind,
                level=unit.level,
                region_code=unit.region_code,
                industries=list(unit.industries),
                department=unit.department,
                member=unit.member,
                note=unit.note,
            )
            uow.session.add(organisation)
            present[unit.code] = organisation
    await uow.session.flush()
    return present


@dataclass(frozen=True, slots=True)
class Estate:
    """What a unit of the sample city runs: its platform and the kind of places that it watches."""

    unit: str
    platform: str
    vendor: str
    network_type: str
    network_digit: str
    industry: str
    description: str
    spots: tuple[str, ...]
    location_type: int
    point_class: int = 2
    sensitive: bool = False
    place_class: str | None = None
    domain: str = "integration"


ESTATES: tuple[Estate, ...] = (
    Estate(
        "culture-tourism",
        "旅游视频管理平台",
        "海康威视",
        "部门专线",
        "8",
        "55",
        "管理4A级以上景区出入口、游客集散区域视频",
        ("景区东门", "景区西门", "游客中心广场", "停车场出口", "观景台", "码头候船区", "文化馆门前", "博物馆广场"),
        99,
        place_class="KT-14",
    ),
    Estate(
        "police",
        "公安视频图像联网平台",
        "大华",
        "公安视频专线",
        "1",
        "00",
        "管理城区主要道路、广场和出入口视频",
        ("解放路路口", "皖西大道路口", "梅山路路口", "人民广场", "大别山路口", "淠河路口", "过街天桥", "步行街入口"),
        10,
        1,
        place_class="PA-03",
        domain="video",
    ),
    Estate(
        "education",
        "平安校园视频平台",
        "宇视",
        "部门专线",
        "8",
        "11",
        "管理中小学和幼儿园校门、周边视频",
        ("第一小学校门", "实验中学校门", "中心幼儿园门前", "职业学校南门", "第二中学东门"),
        8,
        sensitive=True,
        place_class="KT-07",
    ),
    Estate(
        "transport",
        "交通运行监测平台",
        "海康威视",
        "部门专线",
        "8",
        "47",
        "管理客运站、公路重点路段、桥梁视频",
        ("汽车客运站进站口", "公交首末站", "淠河大桥", "国道收费站旧址", "公路治超点"),
        3,
        place_class="KT-10",
    ),
    Estate(
        "urban-management",
        "数字城管视频平台",
        "天地伟业",
        "电子政务外网",
        "6",
        "08",
        "管理农贸市场周边、主次干道市容视频",
        ("农贸市场门前", "夜市街口", "公共停车场", "滨河公园入口", "商业街中段"),
        6,
        place_class="PA-06",
    ),
    Estate(
        "health",
        "卫生健康视频平台",
        "大华",
        "部门专线",
        "8",
        "09",
        "管理医院公共区域视频",
        ("人民医院门诊楼前", "中医院南门", "妇幼保健院门前", "急救中心入口"),
        11,
        sensitive=True,
        place_class="KT-08",
    ),
    Estate(
        "water",
        "水利工情视频平台",
        "海康威视",
        "部门专线",
        "8",
        "54",
        "管理水库、堤防、闸站视频",
        ("水库大坝左岸", "水库泄洪闸", "淠河堤防段", "排涝泵站", "水文站断面"),
        15,
        place_class="KT-05",
    ),
    Estate(
        "forestry",
        "森林防火视频平台",
        "华为",
        "部门专线",
        "8",
        "40",
        "管理重点林区瞭望视频",
        ("林场瞭望塔", "防火检查站", "林区入口"),
        9,
        place_class="PA-11",
    ),
)
_SIDES = ("东南角", "西南角", "东北角", "西北角", "东侧", "西侧", "南侧", "北侧")
_MODELS = {
    "海康威视": "DS-2CD3T47",
    "大华": "DH-IPC-HFW4433",
    "宇视": "IPC2A3L",
    "天地伟业": "TC-C34",
    "华为": "C2150-EI",
}
_DIRECTIONS = {"东南角": 5, "西南角": 7, "东北角": 6, "西北角": 8, "东侧": 1, "西侧": 2, "南侧": 3, "北侧": 4}


def estate(unit: str) -> Estate:
    """A unit's sample estate; KeyError when it has none."""
    found = next((each for each in ESTATES if each.unit == unit), None)
    if found is None:
        raise KeyError(unit)
    return found


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample camera, clean by every rule of the form."""

    estate: Estate
    town: Town
    code: str
    name: str
    side: str
    longitude: str
    latitude: str
    built_month: str

    def form_row(self, serial: int) -> dict[str, str]:
        """As a row of the inventory form's table 2."""
        data = city()
        county = data.county_names()[self.town.county]
        return {
            "serial": str(serial),
            "code": self.code,
            "name": self.name,
            "platform": self.estate.platform,
            "brand": self.estate.vendor,
            "model": _MODELS[self.estate.vendor],
            "place": f"{data.name}{county}{self.town.name}",
            "longitude": self.longitude,
            "latitude": self.latitude,
            "built_month": self.built_month.replace("-", "."),
            "leased": "否",
            "status": "在用",
            "plan": "保留",
        }


def platform_row(each: Estate, serial: int = 1, cameras: int = 10) -> dict[str, str]:
    """The unit's platform as a row of the form's table 1."""
    return {
        "serial": str(serial),
        "name": each.platform,
        "vendor": each.vendor,
        "gbt28181": "是",
        "network_type": each.network_type,
        "description": each.description,
        "joined_xueliang": "否",
        "built_month": "2019.10",
        "build_cost": str(20 + 2 * cameras),
        "yearly_cost": str(2 + cameras // 5),
    }


def samples(unit: str, count: int, *, seed: int = 341500, first: int = 1) -> Iterator[Sample]:
    """`count` cameras of one unit, the same for the same arguments; serials of codes begin at `first` per county."""
    each = estate(unit)
    chance = random.Random(f"{seed}/{unit}/{first}")  # noqa: S311 -- sample data, not secrets
    data = city()
    serials: dict[str, int] = {}
    used: set[str] = set()
    for _ in range(count):
        town = chance.choice(data.towns)
        serial = serials[town.county] = serials.get(town.county, first - 1) + 1
        side = chance.choice(_SIDES)
        name = f"{town.name}{chance.choice(each.spots)}{side}"
        number = 2
        while name in used:
            name = f"{name.rstrip('0123456789号')}{number}号"
            number += 1
        used.add(name)
        yield Sample(
            each,
            town,
            f"{town.county}00{each.industry}132{each.network_digit}{serial:06d}",
            name,
            side,
            _degrees(chance, town.longitude, town.spread),
            _degrees(chance, town.latitude, town.spread),
            f"{chance.randint(2016, 2024)}-{chance.randint(1, 12):02d}",
        )


def _degrees(chance: random.Random, centre: float, spread: float) -> str:
    """Six decimals, the last of which is not 0 (G-087)."""
    value = centre + max(-1.0, min(1.0, chance.gauss(0, 0.45))) * spread
    return f"{value:.5f}{chance.randint(1, 9)}"


def sample_cameras(count: int, *, seed: int = 341500, first: int = 501) -> list[Sample]:
    """Cameras over all sample units for a demonstration map; serials from `first`, so that filed ones stay free."""
    weights = {"police": 5, "culture-tourism": 2, "education": 3, "transport": 3, "urban-management": 3}
    total = sum(weights.get(each.unit, 1) for each in ESTATES)
    found: list[Sample] = []
    for each in ESTATES:
        share = max(1, round(count * weights.get(each.unit, 1) / total))
        found += samples(each.unit, share, seed=seed, first=first)
    return found[:count]


async def seed_cameras(uow: UnitOfWork, organisations: Mapping[str, Organisation], found: list[Sample]) -> int:
    """Register sample cameras under their units; those already there stay as they are. Returns how many are new."""
    new = 0
    for each in ESTATES:
        mine = [sample for sample in found if sample.estate is each]
        if not mine:
            continue
        unit = organisations[each.unit]
        platforms = await service.file_platforms(uow, unit, [_platform(each)], source="api", reason="sample data")
        rows = [_camera(sample, platforms.ids[each.platform]) for sample in mine]
        outcome = await service.file_cameras(uow, unit, rows, source="api", reason="sample data")
        new += outcome.new
    return new


def _platform(each: Estate) -> dict[str, Any]:
    networks = {
        "部门专线": "department_line",
        "公安视频专线": "police_line",
        "电子政务外网": "egov",
        "互联网": "internet",
    }
    return {
        "name": each.platform,
        "vendor": each.vendor,
        "gbt28181": True,
        "network_type": networks[each.network_type],
        "description": each.description,
        "joined_xueliang": each.unit == "police",
        "built_month": "2019-10",
    }


def _camera(sample: Sample, platform_id: int) -> dict[str, Any]:
    data: City = city()
    each, town = sample.estate, sample.town
    department = next(unit.department for unit in data.units if unit.code == each.unit)
    return {
        "code": sample.code,
        "name": sample.name,
        "maker": {"海康威视": 1, "大华": 2, "天地伟业": 3, "宇视": 9, "华为": 15}[each.vendor],
        "region_code": town.county,
        "point_class": each.point_class,
        "model": _MODELS[each.vendor],
        "camera_type": 3,
        "functions": [5],
        "codec": 2,
        "address": f"{data.name}{data.county_names()[town.county]}{town.name}",
        "longitude": float(sample.longitude),
        "latitude": float(sample.latitude),
        "location_types": [each.location_type],
        "direction": _DIRECTIONS[sample.side],
        "networked": True,
        "days_kept": 30,
        "departments": [department] if department else [],
        "brand": each.vendor,
        "platform_id": platform_id,
        "place_text": f"{data.name}{data.county_names()[town.county]}{town.name}",
        "township": town.name,
        "longitude_text": sample.longitude,
        "latitude_text": sample.latitude,
        "built_month": sample.built_month,
        "leased": False,
        "plan": "keep",
        "domain": each.domain,
        "place_class": each.place_class,
        "sensitive": each.sensitive,
        "source": "sample",
    }
