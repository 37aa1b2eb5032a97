"""Jobs, saved views, the history of descriptions."""

import json

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
    _create_descriptions()
    _create_views()
    _widen_datasets()
    _widen_run_ports()


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


def _create_descriptions() -> None:
    op.create_table(
        "descriptions",
        sa.Column("dataset", sa.String(120), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("info", sa.JSON, nullable=False),
        sa.Column("who", sa.String(120)),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "version", name="pk_descriptions"),
    )
    op.create_table(
        "facets",
        sa.Column("dataset", sa.String(120), nullable=False),
        sa.Column("facet", sa.String(20), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("dataset", "facet", "value", name="pk_facets"),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.name"], name="fk_facets_dataset_datasets", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_facets_facet", "facets", ["facet", "value", "dataset"])


def _widen_datasets() -> None:
    for name in ("title", "facets"):
        op.add_column("datasets", sa.Column(name, sa.Text, nullable=False, server_default=""))
    for name in ("made", "changed"):
        op.add_column("datasets", sa.Column(name, sa.DateTime(timezone=True)))
    op.create_index("ix_datasets_changed", "datasets", ["changed"])
    connection = op.get_bind()
    for name, info in connection.execute(sa.text("SELECT name, info FROM datasets")).all():
        said = json.loads(info) if isinstance(info, str) else info
        title = (said.get("title") or name).lower()
        single = ("species", "stain", "licence")
        values = {(facet, said[facet]) for facet in single if said.get(facet)}
        values |= {("person", person) for person in said.get("people") or () if person}
        values |= {("tag", tag) for tag in said.get("tags") or () if tag}
        connection.execute(
            sa.text("UPDATE datasets SET title = :title, facets = :facets WHERE name = :name"),
            {
                "title": title,
                "facets": "\x1f".join(f"{facet}={value}" for facet, value in sorted(values)),
                "name": name,
            },
        )
        for facet, value in values:
            connection.execute(
                sa.text("INSERT INTO facets VALUES (:dataset, :facet, :value)"),
                {"dataset": name, "facet": facet, "value": value},
            )


def _widen_run_ports() -> None:
    op.add_column("run_ports", sa.Column("dataset", sa.String(120)))
    op.create_index("ix_run_ports_dataset", "run_ports", ["dataset"])
    before = {
        "sqlite": "substr(ref, 1, instr(ref, '/') - 1)",
        "postgresql": "split_part(ref, '/', 1)",
    }[op.get_bind().dialect.name]
    op.execute(
        f"UPDATE run_ports SET dataset = {before} WHERE kind <> 'file' AND ref LIKE '%/%'"  # noqa: S608 - constants
    )
    for column, which in (("made", "min(runs.started)"), ("changed", "max(runs.ended)")):
        op.execute(
            f"UPDATE datasets SET {column} = (SELECT {which} FROM runs JOIN run_ports "  # noqa: S608 - constants
            "ON run_ports.run = runs.id WHERE run_ports.dataset = datasets.name "
            "AND run_ports.direction = 'output')"
        )


def _create_views() -> None:
    op.create_table(
        "views",
        sa.Column("id", sa.String(20), nullable=False),
        sa.Column("dataset", sa.String(120), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("made_by", sa.String(120), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_views"),
    )
    op.create_index("ix_views_dataset", "views", ["dataset"])
    op.create_table(
        "view_versions",
        sa.Column("view", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("state", sa.JSON, nullable=False),
        sa.Column("who", sa.String(120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("view", "version", name="pk_view_versions"),
        sa.ForeignKeyConstraint(
            ["view"], ["views.id"], name="fk_view_versions_view_views", ondelete="CASCADE"
        ),
    )
