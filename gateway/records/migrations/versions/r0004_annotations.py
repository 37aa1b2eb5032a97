"""Annotation layers: objects by block, edits, decisions."""

import sqlalchemy as sa
from alembic import op

revision = "r0004"
down_revision = "r0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _create_layers()
    _create_objects()
    _create_edits()
    _create_queues()


def _create_layers() -> None:
    op.create_table(
        "layers",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("dataset", sa.String(120), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("volume", sa.String(120), nullable=False),
        sa.Column("classes", sa.JSON, nullable=False),
        sa.Column("columns", sa.JSON, nullable=False),
        sa.Column("lowest", sa.JSON, nullable=False),
        sa.Column("highest", sa.JSON, nullable=False),
        sa.Column("block_um", sa.Float(53), nullable=False),
        sa.Column("extended", sa.Boolean, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("objects", sa.BigInteger, nullable=False),
        sa.Column("next_id", sa.BigInteger, nullable=False),
        sa.Column("made_by", sa.String(130), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stored", sa.BigInteger, nullable=False),
        sa.Column("snapshot", sa.BigInteger, nullable=False),
        sa.Column("keeping", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_layers"),
        sa.UniqueConstraint("dataset", "name", name="uq_layers_dataset_name"),
        sa.UniqueConstraint("uid", name="uq_layers_uid"),
    )
    op.create_index("ix_layers_changed", "layers", ["changed"])


def _create_objects() -> None:
    op.create_table(
        "layer_objects",
        sa.Column("layer", sa.Integer, nullable=False),
        sa.Column("block", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("z", sa.Float(53), nullable=False),
        sa.Column("y", sa.Float(53), nullable=False),
        sa.Column("x", sa.Float(53), nullable=False),
        sa.Column("shape", sa.String(10), nullable=False),
        sa.Column("points", sa.JSON),
        sa.Column("class_name", sa.String(60)),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("properties", sa.JSON),
        sa.Column("born", sa.BigInteger, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("layer", "block", "id", name="pk_layer_objects"),
        sa.ForeignKeyConstraint(
            ["layer"], ["layers.id"], name="fk_layer_objects_layer_layers", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_layer_objects_id", "layer_objects", ["layer", "id"], unique=True)
    op.create_table(
        "layer_counts",
        sa.Column("layer", sa.Integer, nullable=False),
        sa.Column("scale", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("objects", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("layer", "scale", "block", name="pk_layer_counts"),
        sa.ForeignKeyConstraint(
            ["layer"], ["layers.id"], name="fk_layer_counts_layer_layers", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )


def _create_edits() -> None:
    op.create_table(
        "layer_batches",
        sa.Column("layer", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("base", sa.BigInteger, nullable=False),
        sa.Column("person", sa.String(130), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("action", sa.String(12), nullable=False),
        sa.Column("target", sa.BigInteger),
        sa.Column("idempotency_key", sa.String(100)),
        sa.Column("edits", sa.BigInteger, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("stack", sa.String(4), nullable=False),
        sa.Column("ordinal", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("layer", "version", name="pk_layer_batches"),
        sa.ForeignKeyConstraint(
            ["layer"], ["layers.id"], name="fk_layer_batches_layer_layers", ondelete="CASCADE"
        ),
        sa.UniqueConstraint("layer", "person", "idempotency_key", name="uq_layer_batches_key"),
    )
    op.create_index(
        "ix_layer_batches_stack", "layer_batches", ["layer", "person", "stack", "ordinal"]
    )
    op.create_table(
        "layer_edits",
        sa.Column("layer", sa.Integer, nullable=False),
        sa.Column("version", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("object", sa.BigInteger, nullable=False),
        sa.Column("old", sa.JSON),
        sa.Column("new", sa.JSON),
        sa.PrimaryKeyConstraint("layer", "version", "position", name="pk_layer_edits"),
        sa.ForeignKeyConstraint(
            ["layer"], ["layers.id"], name="fk_layer_edits_layer_layers", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_layer_edits_object", "layer_edits", ["layer", "object", "version"])


def _create_queues() -> None:
    op.create_table(
        "layer_queues",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("layer", sa.Integer, nullable=False),
        sa.Column("ordering", sa.JSON, nullable=False),
        sa.Column("narrowed", sa.JSON, nullable=False),
        sa.Column("made_by", sa.String(130), nullable=False),
        sa.Column("made", sa.DateTime(timezone=True), nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column("done", sa.BigInteger, nullable=False),
        sa.Column("skipped", sa.BigInteger, nullable=False),
        sa.Column("gone", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_layer_queues"),
        sa.ForeignKeyConstraint(
            ["layer"], ["layers.id"], name="fk_layer_queues_layer_layers", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_layer_queues_layer", "layer_queues", ["layer"])
    op.create_table(
        "layer_queue_items",
        sa.Column("queue", sa.Integer, nullable=False),
        sa.Column("object", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("person", sa.String(130)),
        sa.Column("client", sa.String(60)),
        sa.Column("handed", sa.DateTime(timezone=True)),
        sa.Column("until", sa.DateTime(timezone=True)),
        sa.Column("decided", sa.DateTime(timezone=True)),
        sa.Column("seconds", sa.Float(53)),
        sa.Column("version", sa.BigInteger),
        sa.PrimaryKeyConstraint("queue", "object", name="pk_layer_queue_items"),
        sa.ForeignKeyConstraint(
            ["queue"],
            ["layer_queues.id"],
            name="fk_layer_queue_items_queue_layer_queues",
            ondelete="CASCADE",
        ),
    )
    op.create_index(
        "ix_layer_queue_items_person", "layer_queue_items", ["queue", "person", "state"]
    )
    op.create_index(
        "ix_layer_queue_items_state", "layer_queue_items", ["queue", "state", "position"]
    )
