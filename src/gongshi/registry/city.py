"""The city as data: divisions, organisations, coarse box, local allocations. Lu'an ships as the sample."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from gongshi.kit.i18n import Text


@dataclass(frozen=True, slots=True)
class County:
    code: str
    name: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Retired:
    """A code that may not stand in a camera's code any more."""

    code: str
    name: str
    hint: Text


@dataclass(frozen=True, slots=True)
class Unit:
    """An organisation as the file lists it."""

    code: str
    name: str
    short_name: str
    name_en: str
    kind: str
    level: str
    region_code: str
    industries: tuple[str, ...]
    department: int | None
    member: bool
    note: str | None


@dataclass(frozen=True, slots=True)
class Town:
    """Where sample cameras may stand: a centre in degrees and how far they lie from it."""

    county: str
    name: str
    longitude: float
    latitude: float
    spread: float


@dataclass(frozen=True, slots=True)
class City:
    code: str
    name: str
    short_name: str
    name_en: str
    province_code: str
    province_name: str
    box: tuple[float, float, float, float]
    counties: tuple[County, ...]
    retired: tuple[Retired, ...]
    local_industries: dict[str, str]
    units: tuple[Unit, ...]
    towns: tuple[Town, ...]

    def county_names(self) -> dict[str, str]:
        return {county.code: county.name for county in self.counties}


@cache
def city(name: str = "luan") -> City:
    """The city file `data/<name>.toml`. FileNotFoundError when there is none; KeyError names what it lacks."""
    data = tomllib.loads(resources.files("gongshi.registry").joinpath(f"data/{name}.toml").read_text("utf-8"))
    head = data["city"]
    counties = tuple(County(**row) for row in data["county"])
    governments = [
        Unit(
            f"government-{county.code}",
            f"{county.name}人民政府",
            f"{county.name}政府",
            f"{county.name_en} Government",
            "county_government",
            "county",
            county.code,
            (),
            None,
            False,
            None,
        )
        for county in counties
    ]
    return City(
        code=head["code"],
        name=head["name"],
        short_name=head["short"],
        name_en=head["name_en"],
        province_code=head["province"],
        province_name=head["province_name"],
        box=tuple(head["box"]),
        counties=counties,
        retired=tuple(Retired(row["code"], row["name"], Text(row["hint"], row["hint_en"])) for row in data["retired"]),
        local_industries={str(code): name for code, name in data["local_industries"].items()},
        units=(*(_unit(row, head["code"]) for row in data["organisation"]), *governments),
        towns=tuple(
            Town(row["county"], row["name"], row["point"][0], row["point"][1], row["spread"]) for row in data["town"]
        ),
    )


def _unit(row: dict[str, Any], city_code: str) -> Unit:
    return Unit(
        row["code"],
        row["name"],
        row["short"],
        row["name_en"],
        row["kind"],
        "city",
        city_code,
        tuple(row["industries"]),
        row.get("department"),
        row.get("member", False),
        row.get("note"),
    )
