"""Jobs, saved views, the history of descriptions."""

import sqlalchemy as sa
from alembic import op

revision = "r0003"
down_revision = "r0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_jobs()
    _create_uploads()


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("person", sa.String(120), nullable=False),
        sa.Column("tool", sa.String(120), nullable=False),
        sa.Column("call", sa.JSON, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("asked", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True)),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("host", sa.String(255)),
        sa.Column("pid", sa.Integer),
        sa.Column("pid_started", sa.Float(53)),
        sa.Column("beat", sa.DateTime(timezone=True)),
        sa.Column("stop", sa.Boolean, nullable=False),
        sa.Column("run", sa.String(120)),
        sa.Column("error", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    for name in ("person", "tool", "status", "asked", "made", "run"):
        op.create_index(f"ix_jobs_{name}", "jobs", [name])


def _create_uploads() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("person", sa.String(120), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64)),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("touched", sa.DateTime(timezone=True), nullable=False),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
    )
    for name in ("person", "touched"):
        op.create_index(f"ix_uploads_{name}", "uploads", [name])
