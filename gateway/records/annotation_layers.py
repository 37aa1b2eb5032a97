"""Annotation layers in the database: found, made, changed, and held while they change."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from gateway.errors import NotFoundError
from gateway.records.annotation_tables import LayerRow
from gateway.records.annotations import Layer


def find_layer(
    connection: Connection, dataset: str, name: str, *, hold: bool = False
) -> Layer | None:
    """Return a layer, or None.

    Args:
        connection: The read or write.
        dataset: Its dataset.
        name: Its name.
        hold: Make everyone else who holds it wait for the end of this write. SQLite has one
            writer at a time anyway.
    """
    rows = select(LayerRow.__table__).where(LayerRow.dataset == dataset, LayerRow.name == name)
    row = connection.execute(rows.with_for_update() if hold else rows).one_or_none()
    return layer_of(row) if row is not None else None


def get_layer(connection: Connection, dataset: str, name: str, *, hold: bool = False) -> Layer:
    """Return a layer.

    Raises:
        NotFoundError: There is none of that name.
    """
    layer = find_layer(connection, dataset, name, hold=hold)
    if layer is not None:
        return layer
    there = [each.name for each in layers_of(connection, dataset)]
    raise NotFoundError(
        f"{dataset} has no annotation layer {name!r}; there is {', '.join(there) or 'none yet'}"
    )


def layers_of(connection: Connection, dataset: str | None = None) -> list[Layer]:
    """Return the layers of a dataset, or all, by name."""
    rows = select(LayerRow.__table__).order_by(LayerRow.dataset, LayerRow.name)
    if dataset is not None:
        rows = rows.where(LayerRow.dataset == dataset)
    return [layer_of(row) for row in connection.execute(rows)]


def add_layer(connection: Connection, **values: Any) -> Layer:
    """Add a layer and return it."""
    added = insert(LayerRow).values(**values).returning(LayerRow.id)
    number = connection.execute(added).scalar_one()
    row = connection.execute(select(LayerRow.__table__).where(LayerRow.id == number)).one()
    return layer_of(row)


def change_layer(connection: Connection, layer: Layer, **values: Any) -> None:
    """Set columns of a layer."""
    connection.execute(update(LayerRow).where(LayerRow.id == layer.id).values(**values))


def drop_layer(connection: Connection, layer: Layer) -> None:
    """Remove a layer and all that hangs on it."""
    connection.execute(delete(LayerRow).where(LayerRow.id == layer.id))


def take_keeping(connection: Connection, layer: Layer, *, now: datetime, until: datetime) -> bool:
    """Take a layer for writing it into the folder; False where another process has it."""
    free = LayerRow.keeping.is_(None) | (LayerRow.keeping < now)
    taken = update(LayerRow).where(LayerRow.id == layer.id, free).values(keeping=until)
    return connection.execute(taken).rowcount == 1


def layer_values(layer: Layer) -> dict[str, Any]:
    """Return what another database needs to hold the same layer."""
    return {name: value for name, value in asdict(layer).items() if name != "id"}


def layer_of(row: Row[Any]) -> Layer:
    """Return the layer of a row."""
    lowest, highest = row.lowest, row.highest
    return Layer(
        id=row.id,
        uid=row.uid,
        dataset=row.dataset,
        name=row.name,
        volume=row.volume,
        classes=row.classes,
        columns=row.columns,
        lowest=(lowest[0], lowest[1], lowest[2]),
        highest=(highest[0], highest[1], highest[2]),
        block_um=row.block_um,
        extended=row.extended,
        version=row.version,
        count=row.objects,
        next_id=row.next_id,
        made_by=row.made_by,
        made=row.made,
        changed=row.changed,
        stored=row.stored,
        snapshot=row.snapshot,
    )
