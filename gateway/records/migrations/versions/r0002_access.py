"""People, groups, grants, sessions, share links, the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "r0002"
down_revision = "r0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_people()
    _create_sessions()
    _create_sign_in()
    _create_grants()
    _create_links()
    _create_audit()


def _create_people() -> None:
    op.create_table(
        "people",
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("display", sa.String(200), nullable=False),
        sa.Column("administrator", sa.Boolean, nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("made_by", sa.String(120), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_people"),
    )
    op.create_table(
        "members",
        sa.Column("group_name", sa.String(120), nullable=False),
        sa.Column("person", sa.String(120), nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("group_name", "person", name="pk_members"),
        sa.ForeignKeyConstraint(
            ["person"], ["people.name"], name="fk_members_person_people", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_members_person", "members", ["person"])


def _create_sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("person", sa.String(120), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.ForeignKeyConstraint(
            ["person"], ["people.name"], name="fk_sessions_person_people", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_sessions_person", "sessions", ["person"])


def _create_sign_in() -> None:
    op.create_table(
        "login_links",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("person", sa.String(120), nullable=False),
        sa.Column("made_by", sa.String(120), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_login_links"),
        sa.ForeignKeyConstraint(
            ["person"], ["people.name"], name="fk_login_links_person_people", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_login_links_person", "login_links", ["person"])
    op.create_table(
        "attempts",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("subject", sa.String(140), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_subject_at", "attempts", ["subject", "at"])
    version = op.create_table(
        "access_version",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_access_version"),
    )
    op.bulk_insert(version, [{"id": 1, "version": 1}])


def _create_grants() -> None:
    op.create_table(
        "grants",
        sa.Column("dataset", sa.String(120), nullable=False),
        sa.Column("subject", sa.String(130), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.PrimaryKeyConstraint("dataset", "subject", name="pk_grants"),
    )
    op.create_index("ix_grants_subject", "grants", ["subject"])


def _create_links() -> None:
    op.create_table(
        "links",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("dataset", sa.String(120), nullable=False),
        sa.Column("entry", sa.String(120)),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("note", sa.String(200), nullable=False),
        sa.Column("made_by", sa.String(120), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
    )
    op.create_index("ix_links_dataset", "links", ["dataset"])


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(120), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("dataset", sa.String(120)),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("address", sa.String(60), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    for name in ("at", "who", "action", "dataset"):
        op.create_index(f"ix_audit_{name}", "audit", [name])
