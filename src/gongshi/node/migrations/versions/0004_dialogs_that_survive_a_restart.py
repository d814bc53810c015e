"""Dialogs that survive a restart.

Revision 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "dialog",
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("peer_id", sa.Integer(), nullable=False),
        sa.Column("channel_code", sa.Text(), nullable=False),
        sa.Column("ssrc", sa.BigInteger(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["peer_id"], ["signalling.peer.id"], name=op.f("fk_dialog_peer_id_peer"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("stream_id", name=op.f("pk_dialog")),
        schema="signalling",
    )
    op.create_index("ix_dialog_peer", "dialog", ["peer_id"], unique=False, schema="signalling")
