"""Upper platforms.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "upper",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("domain", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("transport", sa.Text(), nullable=False),
        sa.Column("own_code", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("realm", sa.Text(), nullable=True),
        sa.Column("edition", sa.Text(), nullable=True),
        sa.Column("charset", sa.Text(), nullable=True),
        sa.Column("expires", sa.Integer(), nullable=False),
        sa.Column("keepalive_interval", sa.Integer(), nullable=False),
        sa.Column("keepalive_misses", sa.Integer(), nullable=False),
        sa.Column("retry_seconds", sa.Integer(), nullable=False),
        sa.Column("tree", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("sources", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("media_networks", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("redirects", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["registry.organisation.id"], name=op.f("fk_upper_organisation_id_organisation")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upper")),
        sa.UniqueConstraint("code", name=op.f("uq_upper_code")),
        schema="signalling",
    )
    op.create_table(
        "upper_call",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("upper_id", sa.Integer(), nullable=False),
        sa.Column("camera_code", sa.Text(), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["upper_id"], ["signalling.upper.id"], name=op.f("fk_upper_call_upper_id_upper")),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_upper_call")),
        schema="signalling",
    )
    op.create_index("ix_upper_call_upper", "upper_call", ["upper_id"], unique=False, schema="signalling")
    op.create_table(
        "upper_subscription",
        sa.Column("call_id", sa.Text(), nullable=False),
        sa.Column("upper_id", sa.Integer(), nullable=False),
        sa.Column("package", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["upper_id"], ["signalling.upper.id"], name=op.f("fk_upper_subscription_upper_id_upper")
        ),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_upper_subscription")),
        schema="signalling",
    )
    op.create_index(
        "ix_upper_subscription_upper", "upper_subscription", ["upper_id"], unique=False, schema="signalling"
    )
    op.create_table(
        "upper_alias",
        sa.Column("upper_id", sa.Integer(), nullable=False),
        sa.Column("camera_id", sa.Integer(), nullable=False),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], ["registry.camera.id"], name=op.f("fk_upper_alias_camera_id_camera")),
        sa.ForeignKeyConstraint(["upper_id"], ["signalling.upper.id"], name=op.f("fk_upper_alias_upper_id_upper")),
        sa.PrimaryKeyConstraint("upper_id", "camera_id", name=op.f("pk_upper_alias")),
        sa.UniqueConstraint("upper_id", "alias", name=op.f("uq_upper_alias_upper_id_alias")),
        schema="signalling",
    )
