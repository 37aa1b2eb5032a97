"""Descriptions of datasets: read, and changed so that store, crate and catalogue agree."""

from gateway.records.crate import read_crate
from gateway.records.recorder import refresh_description
from gateway.records.rows import DatasetRecord
from gateway.service.gateway import Gateway
from gateway.volumes.dataset import DatasetInfo, write_dataset
from gateway.volumes.ref import parse_dataset


def describe_dataset(gateway: Gateway, dataset: str, info: DatasetInfo) -> None:
    """Write what is known of the sample of a dataset, replacing what was said before.

    The dataset need not exist yet. Write `dataset.json` in no other way: `gateway verify` holds
    it against the checksum that is recorded here.

    Raises:
        RefError: The name is not allowed.
        CorruptionError: The crate of the dataset is damaged; nothing is written.
        StoreError: The storage failed.
    """
    name = parse_dataset(dataset)
    read_crate(gateway.store, name)
    with gateway.catalogue.locked(name):
        write_dataset(gateway.store, name, info)
        refresh_description(gateway.store, name, info)
    record = DatasetRecord(name=name, info=info.model_dump(mode="json"))
    gateway.catalogue.put_dataset(record)
