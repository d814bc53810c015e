"""Recordings that are played.

Revision 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_RUNNING = "state IN ('opening', 'live')"


def upgrade() -> None:
    for table in ("session", "stream"):
        for column in ("interval_from", "interval_to"):
            op.add_column(table, sa.Column(column, sa.DateTime(timezone=True), nullable=True), schema="media")
    # Live flows are shared, so a channel has one; recordings are played as often as they are asked for.
    op.drop_index("uq_stream_running", table_name="stream", schema="media")
    op.create_index(
        "uq_stream_running",
        "stream",
        ["channel_id", "kind", "profile"],
        unique=True,
        schema="media",
        postgresql_where=sa.text(f"{_RUNNING} AND kind = 'live'"),
    )
