"""`decide` over the snapshot and `visible` in PostgreSQL answer alike, in any world, at any moment.

Invariant: for every subject, action and moment, the cameras that `visible` selects are exactly those for which
`RightsSnapshot.decide` allows, and `RightsSnapshot.visible` counts the same.
"""

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from sqlalchemy import select

from gongshi.access import repository
from gongshi.access.actions import Action
from gongshi.access.follower import DIALECT, compile_snapshot
from gongshi.access.hours import Hours
from gongshi.access.snapshot import BASES, RightsSnapshot
from gongshi.access.subjects import Subject
from gongshi.access.visible import entitled_to, visible
from gongshi.db.engine import plain_url
from gongshi.identity.roles import ROLES
from gongshi.registry.models import Camera

pytestmark = pytest.mark.timeout(600)

BASE = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)
"""Monday 00:00 in Shanghai."""

MINUTES = (0, 1, 359, 360, 479, 480, 481, 719, 720, 1079, 1080, 1380, 1439)
NUDGES = (0, 0, 0, 1, -1, 59_000_000)
"""Microseconds around a full minute."""
SCOPE_VALUES = {
    "organisation": ("1", "1", "2", "2", "3", "99", "x", ""),
    "region": (
        "341500",
        "341502",
        "341502",
        "340000",
        "34150201",
        "000000",
        "",
        "34150",
        "34%",
        "３４１５００",
        "00",
        None,
    ),
}


class World:
    """A dense random world: most rights are in force, most subjects hold some."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.cameras = [self.camera() for _ in range(10)]
        self.rights = [self.right() for _ in range(12)]
        self.questions = [(self.subject(), self.action(), self.moment()) for _ in range(10)]
        # The ends of rights are asked for too, on the microsecond.
        ends = [end for right in self.rights for end in (right["valid_from"], right["valid_to"]) if end]
        for end in self.random.sample(ends, 6):
            nudge = timedelta(microseconds=self.random.choice((-1, 0, 0, 1)))
            self.questions.append((self.subject(), self.action(), end + nudge))

    def mostly(self, usual: Any, *others: Any) -> Any:
        return usual if self.random.random() < 0.85 else self.random.choice(others)

    def moment(self) -> datetime:
        at = timedelta(days=self.random.randrange(8), minutes=self.random.choice(MINUTES))
        return BASE + at + timedelta(microseconds=self.random.choice(NUDGES))

    def clock(self) -> str:
        minutes = self.random.choice(MINUTES)
        return f"{minutes // 60:02d}:{minutes % 60:02d}"

    def camera(self) -> dict[str, Any]:
        return {
            "organisation_id": self.random.randint(1, 3),
            "region_code": self.random.choice(("341502", "341503", "341522", "340102", "34150201")),
            "status": self.mostly(1, 2, 3),
            "sharing_class": self.random.choice(("unconditional", "conditional", "none", "none")),
        }

    def right(self) -> dict[str, Any]:
        scope = self.random.choice(("cameras", "cameras", "organisation", "region", "region"))
        hours = None
        if self.random.random() < 0.5:
            days = self.random.sample(range(1, 8), self.random.randint(1, 7))
            end = self.random.choice((self.clock(), self.clock(), "24:00"))
            hours = Hours.parse({"days": days, "from": self.clock(), "to": end}).stored()
        values = SCOPE_VALUES.get(scope)
        return {
            "subject_kind": self.random.choice(("organisation", "organisation", "person", "upper", "service")),
            "subject_id": self.random.randint(1, 2),
            "basis": self.mostly(self.random.choice(BASES), "favour"),
            "actions": self.random.choice((255, 255, int(Action.SEE | Action.LIVE), self.random.randrange(256))),
            "scope": self.mostly(scope, "everything"),
            "scope_value": self.random.choice(values) if values else None,
            "listed": self.random.sample(range(10), self.random.randint(0, 6)),
            "valid_from": self.mostly(BASE - timedelta(days=1), self.moment()),
            "valid_to": self.mostly(None, self.moment()) if self.random.random() < 0.5 else self.moment(),
            "hours": hours,
            "suspended": self.mostly(False, True),
            "ended": self.mostly(False, True),
        }

    def subject(self) -> Subject:
        role_sets = ({"viewer"}, {"agency_contact", "viewer"}, set(self.random.sample(sorted(ROLES), 2)), set[str]())
        return Subject(
            kind=self.random.choice(("person", "person", "person", "service", "upper")),
            id=self.random.randint(1, 2),
            name="某人",
            organisation_id=self.mostly(self.random.randint(1, 2), None),
            roles=frozenset(self.mostly(role_sets[0], *role_sets)),
        )

    def action(self) -> Action:
        return self.random.choice((*Action, Action.SEE, Action.LIVE, Action.LIVE | Action.PTZ))


@pytest.fixture
def connection(database_urls: tuple[str, str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(plain_url(database_urls[1])) as opened:
        prepare(opened)
        yield opened


def prepare(connection: psycopg.Connection) -> None:
    connection.execute(
        "INSERT INTO registry.region (code, name, level, usable) VALUES ('341500', '六安市', 'city', true)"
    )
    for number in (1, 2, 3):
        connection.execute(
            "INSERT INTO registry.organisation (id, code, name, short_name, name_en, kind, level, region_code,"
            " industries, member, active) OVERRIDING SYSTEM VALUE"
            " VALUES (%s, %s, %s, '', '', 'bureau', 'city', '341500', '{}', false, true)",
            (number, f"u{number}", f"单位{number}"),
        )
    connection.commit()


def fill(connection: psycopg.Connection, world: World) -> list[int]:
    """Write a world, to be rolled back; returns camera ids."""
    ids: list[int] = []
    for number, camera in enumerate(world.cameras):
        row = connection.execute(
            "INSERT INTO registry.camera (code, name, functions, location_types, departments, measures, datum,"
            " code_edition, sensitive, key_position, core_area, source, search, version,"
            " organisation_id, region_code, status, sharing_class)"
            " VALUES (%(code)s, '', '{}', '{}', '{}', '{}', 'wgs84', '2016', false, false, false, 'test', '', 1,"
            " %(organisation_id)s, %(region_code)s, %(status)s, %(sharing_class)s) RETURNING id",
            {"code": f"{number:020d}", **camera},
        ).fetchone()
        assert row is not None
        ids.append(row[0])
    for right in world.rights:
        row = connection.execute(
            "INSERT INTO access.right (subject_kind, subject_id, basis, basis_id, actions, scope, scope_value,"
            " valid_from, valid_to, hours, limits, suspended_at, ended_at)"
            " VALUES (%(subject_kind)s, %(subject_id)s, %(basis)s, 1, %(actions)s, %(scope)s, %(scope_value)s,"
            " %(valid_from)s, %(valid_to)s, %(hours)s, '{}', %(suspended)s, %(ended)s) RETURNING id",
            {
                **right,
                "hours": None if right["hours"] is None else Jsonb(right["hours"]),
                "suspended": BASE if right["suspended"] else None,
                "ended": BASE if right["ended"] else None,
            },
        ).fetchone()
        assert row is not None
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO access.right_camera VALUES (%s, %s)", [(row[0], ids[index]) for index in right["listed"]]
            )
    return ids


def run(connection: psycopg.Connection, query: Any) -> list[Any]:
    compiled = query.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    return connection.execute(str(compiled).encode(), compiled.params).fetchall()


def snapshot_of(connection: psycopg.Connection) -> RightsSnapshot:
    rights = run(connection, repository.rights_query(None))
    named = [row[0] for row in rights if row[6] == "cameras"]
    return compile_snapshot(
        1,
        run(connection, repository.groups_query()),
        rights,
        run(connection, repository.listed_query(named)) if named else [],
        {},
    )


def test_decide_and_visible_agree(connection: psycopg.Connection) -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=60, deadline=None, database=None)
    @given(seed=st.integers(0, 2**64))
    def agree(seed: int) -> None:
        world = World(seed)
        try:
            ids = fill(connection, world)
            snapshot = snapshot_of(connection)
            columns = [visible(*question) for question in world.questions]
            columns += [entitled_to(*question) for question in world.questions]
            rows = run(connection, select(Camera.id, *columns))
        finally:
            connection.rollback()
        for number, (subject, action, at) in enumerate(world.questions):
            decisions = {camera: snapshot.decide(subject, action, camera, at) for camera in ids}
            allowed = {camera for camera, decision in decisions.items() if decision.allowed}
            assert {row[0] for row in rows if row[1 + number]} == allowed
            by_right = {row[0] for row in rows if row[1 + len(world.questions) + number]}
            assert by_right == {camera for camera in allowed if decisions[camera].basis != "catalogue"}
            assert set(snapshot.visible(subject, action, at)) == allowed
            for decision in decisions.values():
                assert decision.not_after is None or decision.not_after > at
                seen[decision.basis or decision.code] += 1

    agree()
    # Worlds in which nothing is ever allowed would agree about everything.
    for outcome in (*BASES, "catalogue", "no_right", "not_yet", "period_over", "outside_hours", "suspended"):
        assert seen[outcome] > 20, (outcome, seen)


def test_the_ids_of_the_binary_form_are_read_whatever_their_number(connection: psycopg.Connection) -> None:
    for count in (1, 2, 70_000):
        row = connection.execute("SELECT array_send(array_agg(n)) FROM generate_series(1, %s) n", (count,)).fetchone()
        assert row is not None
        assert list(repository.ids_of(row[0])) == list(range(1, count + 1))
