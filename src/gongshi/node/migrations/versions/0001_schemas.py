"""One schema per room, and the job queue's own tables.

Revision 0001, the first.
"""

from alembic import op
from procrastinate.schema import SchemaManager

from gongshi.db.base import SCHEMAS

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    # The driver takes several statements only without parameters, and a percent sign only unparsed.
    op.get_bind().exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
