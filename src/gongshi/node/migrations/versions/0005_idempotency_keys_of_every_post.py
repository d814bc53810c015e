"""Idempotency keys of every post that creates something, and versions of accounts.

Revision 0005, after 0004. Keys are remembered for a day only, so that those of share requests are not carried over.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_table("idempotency_key", schema="sharing")
    op.create_table(
        "idempotency_key",
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["identity.account.id"],
            name=op.f("fk_idempotency_key_account_id_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "key", name=op.f("pk_idempotency_key")),
        schema="access",
    )
    op.add_column("account", sa.Column("version", sa.Integer(), server_default="1", nullable=False), schema="identity")
    op.alter_column("account", "version", server_default=None, schema="identity")
