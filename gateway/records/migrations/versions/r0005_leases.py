"""Devices and leases."""

import sqlalchemy as sa
from alembic import op

revision = "r0005"
down_revision = "r0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "devices",
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("memory_bytes", sa.BigInteger, nullable=False),
        sa.Column("shares", sa.Integer, nullable=False),
        sa.Column("present", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_devices"),
    )
    op.create_table(
        "leases",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("person", sa.String(120), nullable=False),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("devices", sa.Integer, nullable=False),
        sa.Column("whole", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("asked", sa.DateTime(timezone=True), nullable=False),
        sa.Column("beat", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted", sa.DateTime(timezone=True)),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("reason", sa.Text),
        sa.Column("holder", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_leases"),
    )
    op.create_index("ix_leases_person", "leases", ["person"])
    op.create_index("ix_leases_status", "leases", ["status"])
    op.create_table(
        "lease_parts",
        sa.Column("device", sa.String(120), nullable=False),
        sa.Column("share", sa.Integer, nullable=False),
        sa.Column("lease", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("device", "share", name="pk_lease_parts"),
        sa.ForeignKeyConstraint(["device"], ["devices.name"], name="fk_lease_parts_device_devices"),
        sa.ForeignKeyConstraint(["lease"], ["leases.id"], name="fk_lease_parts_lease_leases"),
    )
    op.create_index("ix_lease_parts_lease", "lease_parts", ["lease"])
