"""The database: engine, unit of work, embedded PostgreSQL, migrations, jobs, outbox and events."""

from gongshi.db.base import Base
from gongshi.db.engine import Database
from gongshi.db.uow import Actor, UnitOfWork

__all__ = ["Actor", "Base", "Database", "UnitOfWork"]
