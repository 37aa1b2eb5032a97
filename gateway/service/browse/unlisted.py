"""Datasets that lie in the store though the catalogue does not know them."""

from sqlalchemy import select

from gateway.records.database import reading
from gateway.records.tables import DatasetRow
from gateway.service.gateway import Gateway
from gateway.volumes.dataset import list_datasets


def count_unlisted(gateway: Gateway) -> int:
    """Return how many datasets of the store only `gateway catalog rebuild` would find.

    Raises:
        StoreError: The storage or the database failed.
    """
    with reading(gateway.database) as connection:
        known = set(connection.scalars(select(DatasetRow.name)))
    return len(set(list_datasets(gateway.store)) - known)
