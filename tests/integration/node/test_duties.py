"""A seeded node gives duty rights at once, and only once."""

from sqlalchemy import func, select

from gongshi.access.models import Right
from gongshi.db.engine import Database
from gongshi.node.duties import give_duties
from gongshi.registry.models import Organisation
from gongshi.registry.seed import seed_city


async def test_units_get_their_duties_once(database: Database) -> None:
    async with database.unit() as uow:
        await seed_city(uow)
        first = await give_duties(uow)
    async with database.unit() as uow:
        assert await give_duties(uow) == 0
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Right)) == first
        query = (
            select(Right.scope, Right.scope_value)
            .join(Organisation, Organisation.id == Right.subject_id)
            .where(Organisation.code == "police")
        )
        rows = (await session.execute(query)).all()
    assert {tuple(row) for row in rows} >= {("region", "341500")}
    assert {row[0] for row in rows} == {"organisation", "region"}
