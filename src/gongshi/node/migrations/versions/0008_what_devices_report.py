"""What devices report.

Revision 0008, after 0007.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("peer_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=True),
        sa.Column("method", sa.Integer(), nullable=True),
        sa.Column("type", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("alarm_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.Integer(), nullable=True),
        sa.Column("confirmed_name", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["camera_id"], ["registry.camera.id"], name=op.f("fk_alarm_camera_id_camera")),
        sa.ForeignKeyConstraint(
            ["peer_id"], ["signalling.peer.id"], name=op.f("fk_alarm_peer_id_peer"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
        sa.UniqueConstraint(
            "peer_id", "code", "method", "type", "alarm_at", name="uq_alarm_once", postgresql_nulls_not_distinct=True
        ),
        schema="signalling",
    )
    op.create_index(
        "ix_alarm_open",
        "alarm",
        ["peer_id"],
        unique=False,
        schema="signalling",
        postgresql_where=sa.text("confirmed_at IS NULL"),
    )
    op.create_index("ix_alarm_received", "alarm", ["received_at", "id"], unique=False, schema="signalling")
    op.create_table(
        "position",
        sa.Column("peer_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("longitude", sa.Double(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=False),
        sa.Column("speed", sa.Double(), nullable=True),
        sa.Column("direction", sa.Double(), nullable=True),
        sa.Column("altitude", sa.Double(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["peer_id"], ["signalling.peer.id"], name=op.f("fk_position_peer_id_peer"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("peer_id", "code", name=op.f("pk_position")),
        schema="signalling",
    )
    op.create_table(
        "said",
        sa.Column("peer_id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["peer_id"], ["signalling.peer.id"], name=op.f("fk_said_peer_id_peer"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("peer_id", "code", "kind", name=op.f("pk_said")),
        schema="signalling",
    )
    op.create_table(
        "subscription",
        sa.Column("peer_id", sa.Integer(), nullable=False),
        sa.Column("package", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("chosen", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("interval", sa.Integer(), nullable=True),
        sa.Column("state", sa.Text(), server_default="idle", nullable=False),
        sa.Column("refusal", sa.Integer(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("notified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["peer_id"], ["signalling.peer.id"], name=op.f("fk_subscription_peer_id_peer"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("peer_id", "package", name=op.f("pk_subscription")),
        schema="signalling",
    )
    op.add_column("channel", sa.Column("fault", sa.Text(), nullable=True), schema="signalling")
