"""Which datasets an actor may see, as a condition of a query rather than a list of names."""

from typing import Any

from sqlalchemy import ColumnElement, select, true

from gateway.records.access_tables import GrantRow
from gateway.service.access.actor import Actor
from gateway.service.access.rights import subjects


def seen_by(actor: Actor, dataset: Any) -> ColumnElement[bool]:
    """Return what holds where a column names a dataset that the actor may see.

    It says the same as `gateway.service.access.rights.visible_datasets`, for lists that are too
    long to be fetched first.

    Args:
        actor: Who asks.
        dataset: The column.
    """
    if actor.administrator:
        return true()
    if actor.link is not None:
        found: ColumnElement[bool] = dataset == (actor.link_dataset or "")
        return found
    granted = select(GrantRow.dataset).where(GrantRow.subject.in_(subjects(actor)))
    inside: ColumnElement[bool] = dataset.in_(granted)
    return inside
