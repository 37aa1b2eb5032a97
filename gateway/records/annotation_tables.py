"""The tables of annotation layers: objects block by block, edits, decisions of a queue."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from gateway.records.tables import Base, UtcTime

_NAME = String(120)
_WHO = String(130)


def _of_layer() -> Any:
    return mapped_column(ForeignKey("layers.id", ondelete="CASCADE"), primary_key=True)


class LayerRow(Base):
    """An annotation layer of a volume."""

    __tablename__ = "layers"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    uid: Mapped[str] = mapped_column(String(32), unique=True)
    """Tells a layer from a later one of the same name, also in the store."""
    dataset: Mapped[str] = mapped_column(_NAME)
    name: Mapped[str] = mapped_column(_NAME)
    volume: Mapped[str] = mapped_column(_NAME)
    classes: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    columns: Mapped[list[str]] = mapped_column(JSON)
    """Names of the properties that its objects have had."""
    lowest: Mapped[list[float]] = mapped_column(JSON)
    """Corner of the volume in micrometres, zyx; blocks are counted from it."""
    highest: Mapped[list[float]] = mapped_column(JSON)
    block_um: Mapped[float] = mapped_column(Float(53))
    extended: Mapped[bool] = mapped_column(Boolean)
    """Whether it has had anything but points, which blocks alone cannot find."""
    version: Mapped[int] = mapped_column(BigInteger)
    """Number of the last batch of edits."""
    count: Mapped[int] = mapped_column("objects", BigInteger)
    next_id: Mapped[int] = mapped_column(BigInteger)
    made_by: Mapped[str] = mapped_column(_WHO)
    made: Mapped[datetime] = mapped_column(UtcTime)
    changed: Mapped[datetime] = mapped_column(UtcTime, index=True)
    stored: Mapped[int] = mapped_column(BigInteger)
    """The last version that lies in the folder of the dataset."""
    snapshot: Mapped[int] = mapped_column(BigInteger)
    """The version of which the folder holds every object."""
    keeping: Mapped[datetime | None] = mapped_column(UtcTime)
    """Until when one process has it to itself to write it into the folder."""

    __table_args__ = (UniqueConstraint("dataset", "name", name="uq_layers_dataset_name"),)


class ObjectRow(Base):
    """An object of a layer; the key keeps the objects of a block together."""

    __tablename__ = "layer_objects"

    layer: Mapped[int] = _of_layer()
    block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Level and block of its centre, see `annotation_grid`."""
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    z: Mapped[float] = mapped_column(Float(53))
    y: Mapped[float] = mapped_column(Float(53))
    x: Mapped[float] = mapped_column(Float(53))
    shape: Mapped[str] = mapped_column(String(10))
    points: Mapped[list[list[float]] | None] = mapped_column(JSON(none_as_null=True))
    """None for a point, which `z`, `y`, `x` give."""
    class_name: Mapped[str | None] = mapped_column(String(60))
    status: Mapped[str] = mapped_column(String(10))
    comment: Mapped[str | None] = mapped_column(Text)
    properties: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    born: Mapped[int] = mapped_column(BigInteger)
    """The version that made it."""
    version: Mapped[int] = mapped_column(BigInteger)
    """The version that last changed it."""

    __table_args__ = (
        Index("ix_layer_objects_id", "layer", "id", unique=True),
        # SQLite keeps the rows in the order of the key, so that a block is read in one piece
        {"sqlite_with_rowid": False},
    )


class CountRow(Base):
    """How many objects have their centre in a cell; for far views and for paging."""

    __tablename__ = "layer_counts"

    layer: Mapped[int] = _of_layer()
    scale: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column("objects", BigInteger)

    __table_args__ = ({"sqlite_with_rowid": False},)


class BatchRow(Base):
    """A batch of edits, which made one version of a layer."""

    __tablename__ = "layer_batches"

    layer: Mapped[int] = _of_layer()
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    base: Mapped[int] = mapped_column(BigInteger)
    """The version that whoever sent it had seen."""
    person: Mapped[str] = mapped_column(_WHO)
    at: Mapped[datetime] = mapped_column(UtcTime)
    action: Mapped[str] = mapped_column(String(12))
    """`edit`, `undo`, `redo`, `restore`, `import` or `classes`."""
    target: Mapped[int | None] = mapped_column(BigInteger)
    """The version that was undone, redone or restored."""
    key: Mapped[str | None] = mapped_column("idempotency_key", String(100))
    count: Mapped[int] = mapped_column("edits", BigInteger)
    answer: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What was answered and is answered again when the same batch comes twice."""
    stack: Mapped[str] = mapped_column(String(4))
    """`undo` or `redo`: what its person can still do to it."""
    ordinal: Mapped[int] = mapped_column(BigInteger)
    """Its place among what its person can undo and redo."""

    __table_args__ = (
        UniqueConstraint("layer", "person", "idempotency_key", name="uq_layer_batches_key"),
        Index("ix_layer_batches_stack", "layer", "person", "stack", "ordinal"),
    )


class EditRow(Base):
    """What a batch did to one object."""

    __tablename__ = "layer_edits"

    layer: Mapped[int] = _of_layer()
    version: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    object: Mapped[int] = mapped_column(BigInteger)
    old: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The changed fields as they were; None where the edit made the object."""
    new: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The changed fields as they became; None where the edit deleted the object."""

    __table_args__ = (Index("ix_layer_edits_object", "layer", "object", "version"),)


class QueueRow(Base):
    """An order in which people step through objects of a layer."""

    __tablename__ = "layer_queues"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    layer: Mapped[int] = mapped_column(ForeignKey("layers.id", ondelete="CASCADE"), index=True)
    order: Mapped[dict[str, Any]] = mapped_column("ordering", JSON)
    filter: Mapped[dict[str, Any]] = mapped_column("narrowed", JSON)
    made_by: Mapped[str] = mapped_column(_WHO)
    made: Mapped[datetime] = mapped_column(UtcTime)
    total: Mapped[int] = mapped_column(BigInteger)
    done: Mapped[int] = mapped_column(BigInteger)
    skipped: Mapped[int] = mapped_column(BigInteger)
    gone: Mapped[int] = mapped_column(BigInteger)
    """Deleted or decided elsewhere before their turn came."""


class QueueItemRow(Base):
    """An object that waits in a queue, is with somebody, or was decided."""

    __tablename__ = "layer_queue_items"

    queue: Mapped[int] = mapped_column(
        ForeignKey("layer_queues.id", ondelete="CASCADE"), primary_key=True
    )
    object: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(8))
    """`open`, `out`, `done`, `skipped` or `gone`."""
    person: Mapped[str | None] = mapped_column(_WHO)
    client: Mapped[str | None] = mapped_column(String(60))
    """Tells the pages of one person, and the people behind one share link, from one another."""
    handed: Mapped[datetime | None] = mapped_column(UtcTime)
    until: Mapped[datetime | None] = mapped_column(UtcTime)
    """When an object that is out comes back."""
    decided: Mapped[datetime | None] = mapped_column(UtcTime)
    seconds: Mapped[float | None] = mapped_column(Float(53))
    """What the decision took, as measured where it was made."""
    version: Mapped[int | None] = mapped_column(BigInteger)
    """The version of the layer that the decision made; None where nothing was changed."""

    __table_args__ = (
        Index("ix_layer_queue_items_state", "queue", "state", "position"),
        Index("ix_layer_queue_items_person", "queue", "person", "state"),
    )
