"""Peers with a version.

Revision 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "peer", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False), schema="signalling"
    )
