"""The first tables: datasets, their entries, runs with their ports and source files."""

import sqlalchemy as sa
from alembic import op

revision = "r0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_datasets()
    _create_runs()
    op.create_table(
        "run_ports",
        sa.Column("run", sa.String(120), nullable=False),
        sa.Column("direction", sa.String(6), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("port", sa.String(120), nullable=False),
        sa.Column("ref", sa.Text, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("digest", sa.String(100)),
        sa.PrimaryKeyConstraint("run", "direction", "position", name="pk_run_ports"),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name="fk_run_ports_run_runs", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_run_ports_ref", "run_ports", ["ref"])
    op.create_table(
        "source_files",
        sa.Column("run", sa.String(120), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("checksum", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("run", "position", name="pk_source_files"),
        sa.ForeignKeyConstraint(
            ["run"], ["runs.id"], name="fk_source_files_run_runs", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_source_files_checksum", "source_files", ["checksum"])


def _create_datasets() -> None:
    op.create_table(
        "datasets",
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("info", sa.JSON, nullable=False),
        sa.Column("search", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_datasets"),
    )
    op.create_table(
        "entries",
        sa.Column("dataset", sa.String(120), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("digest", sa.String(100)),
        sa.Column("made_by", sa.String(120)),
        sa.Column("facts", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("dataset", "name", name="pk_entries"),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.name"], name="fk_entries_dataset_datasets", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_entries_made_by", "entries", ["made_by"])


def _create_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(120), nullable=False),
        sa.Column("tool", sa.String(120), nullable=False),
        sa.Column("version", sa.String(60), nullable=False),
        sa.Column("image", sa.String(300), nullable=False),
        sa.Column("call", sa.JSON, nullable=False),
        sa.Column("call_digest", sa.String(100), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.Column("wall_s", sa.Float(53)),
        sa.Column("person", sa.String(200)),
        sa.Column("orcid", sa.String(20)),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("engine", sa.String(60), nullable=False),
        sa.Column("workers", sa.Integer, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("gateway", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    for name in ("tool", "call_digest", "status", "started"):
        op.create_index(f"ix_runs_{name}", "runs", [name])
