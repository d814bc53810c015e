"""Alembic's entry: online only, on the address given by `gongshi.node.migrate`."""

from alembic import context
from sqlalchemy import create_engine, text

from gongshi.db.base import SCHEMAS, Base
from gongshi.node import models

TARGET = models.Base.metadata


def ours(name: str | None, kind: str, _parents: object) -> bool:
    """Leave alone what other software keeps in the same database."""
    return name in SCHEMAS if kind == "schema" else True


def run() -> None:
    engine = create_engine(context.config.attributes["url"])
    with engine.connect() as connection:
        connection.execute(text("CREATE SCHEMA IF NOT EXISTS system"))
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Base.metadata,
            include_schemas=True,
            include_name=ours,
            version_table_schema="system",
            compare_type=True,
            transaction_per_migration=True,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
