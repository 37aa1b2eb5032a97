"""Descriptions of datasets: changed so that store, crate and catalogue agree; every version."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select

from gateway.errors import ConflictError, FormatError, NotFoundError
from gateway.records.catalogue import put_dataset_in
from gateway.records.crate import read_crate
from gateway.records.database import reading
from gateway.records.recorder import refresh_description
from gateway.records.rows import DatasetRecord
from gateway.records.tables import DatasetRow
from gateway.records.work_tables import DescriptionRow
from gateway.service.gateway import Gateway
from gateway.service.sheet import check_fields
from gateway.volumes.dataset import DatasetInfo, read_dataset, write_dataset
from gateway.volumes.ref import parse_dataset

_LONGEST_NOTE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What was said of a dataset at one time."""

    version: int
    """Counted from 1; 0 where nothing was ever said."""
    info: DatasetInfo
    who: str | None
    """None where a command or a hand wrote it into the folder of the dataset."""
    at: datetime | None
    note: str

    def to_json(self) -> dict[str, Any]:
        """Return the description as JSON values."""
        at = self.at.isoformat() if self.at else None
        return {**asdict(self), "info": self.info.model_dump(mode="json"), "at": at}


def describe_dataset(
    gateway: Gateway, dataset: str, info: DatasetInfo, *, who: str | None = None, note: str = ""
) -> None:
    """Write what is known of the sample of a dataset, replacing what was said before.

    The dataset need not exist yet. Write `dataset.json` in no other way: `gateway verify` holds
    it against the checksum that is recorded here.

    Args:
        gateway: The gateway.
        dataset: Name of the dataset.
        info: All that is known.
        who: The person who says so.
        note: Why.

    Raises:
        RefError: The name is not allowed.
        CorruptionError: The crate of the dataset is damaged; nothing is written.
        StoreError: The storage failed.
    """
    name = parse_dataset(dataset)
    read_crate(gateway.store, name)
    with gateway.catalogue.locked(name) as connection:
        with suppress(FormatError):  # what is broken is replaced here
            _keep_unseen(gateway, connection, name)
        _write(gateway, connection, name, info, who=who, note=note)


def current_description(gateway: Gateway, dataset: str) -> Description:
    """Return what the folder of a dataset says now, with its version.

    Raises:
        NotFoundError: There is no such dataset.
        FormatError: `dataset.json` is broken.
    """
    info = read_dataset(gateway.store, dataset)
    with reading(gateway.database) as connection:
        last = _last(connection, dataset)
    if last.info == info:
        return last
    with gateway.catalogue.locked(dataset) as connection:
        return _keep_unseen(gateway, connection, dataset)


def change_description(
    gateway: Gateway,
    dataset: str,
    changes: Mapping[str, Any],
    *,
    base: int,
    who: str,
    note: str = "",
) -> Description:
    """Change fields of a description, as an edit of one version of it.

    Args:
        gateway: The gateway.
        dataset: Name of the dataset.
        changes: Field to new value; fields left out stay as they are.
        base: The version that was read before it was edited.
        who: The person.
        note: Why.

    Returns:
        The new version, or the present one where nothing changes.

    Raises:
        ConflictError: The description was changed since `base`; says by whom.
        FormatError: A field is unknown or its value not allowed.
        NotFoundError: There is no such dataset.
        CorruptionError: The crate of the dataset is damaged; nothing is written.
    """
    read_dataset(gateway.store, dataset)
    read_crate(gateway.store, dataset)
    with gateway.catalogue.locked(dataset) as connection:
        now = _keep_unseen(gateway, connection, dataset)
        if base != now.version:
            by = f"by {now.who}" if now.who else "in its folder"
            raise ConflictError(
                f"the description of {dataset} was changed {by} since version {base}; it is of "
                f"version {now.version} now: look at that, then change it again"
            )
        fields = {**now.info.model_dump(mode="json"), **changes}
        info = check_fields(fields, f"the description of {dataset}")
        if info == now.info:
            return now
        return _write(gateway, connection, dataset, info, who=who, note=note)


def restore_description(
    gateway: Gateway, dataset: str, version: int, *, base: int, who: str
) -> Description:
    """Say again what an earlier version said, as a new version.

    Raises:
        NotFoundError: There is no such version.
        ConflictError: The description was changed since `base`.
        CorruptionError: The crate of the dataset is damaged; nothing is written.
    """
    found = next(
        (one for one in list_descriptions(gateway, dataset) if one.version == version), None
    )
    if found is None:
        raise NotFoundError(f"the description of {dataset} has no version {version}")
    fields = found.info.model_dump(mode="json")
    note = f"restored version {version}"
    return change_description(gateway, dataset, fields, base=base, who=who, note=note)


def list_descriptions(gateway: Gateway, dataset: str) -> list[Description]:
    """Return every version of a description, the latest first.

    Raises:
        NotFoundError: There is no such dataset.
    """
    current_description(gateway, dataset)
    statement = select(DescriptionRow).where(DescriptionRow.dataset == dataset)
    with reading(gateway.database) as connection:
        rows = connection.execute(statement.order_by(DescriptionRow.version.desc()))
        return [_description(row) for row in rows]


def _keep_unseen(gateway: Gateway, connection: Connection, dataset: str) -> Description:
    """Make what the folder says a version, where something else wrote it there; return the last."""
    last = _last(connection, dataset)
    try:
        info = read_dataset(gateway.store, dataset)
    except NotFoundError:  # the dataset is about to be made
        return last
    if info == last.info:
        return last
    found = _insert(connection, dataset, info, who=None, note="found in the dataset's folder")
    said = info.model_dump(mode="json")
    known = connection.scalar(select(DatasetRow.info).where(DatasetRow.name == dataset))
    if known is not None and known != said:
        put_dataset_in(connection, DatasetRecord(name=dataset, info=said))
    return found


def _write(
    gateway: Gateway,
    connection: Connection,
    dataset: str,
    info: DatasetInfo,
    *,
    who: str | None,
    note: str,
) -> Description:
    written = _insert(connection, dataset, info, who=who, note=note)
    put_dataset_in(connection, DatasetRecord(name=dataset, info=info.model_dump(mode="json")))
    # last, since files cannot be rolled back
    write_dataset(gateway.store, dataset, info)
    refresh_description(gateway.store, dataset, info)
    return written


def _last(connection: Connection, dataset: str) -> Description:
    statement = select(DescriptionRow).where(DescriptionRow.dataset == dataset)
    statement = statement.order_by(DescriptionRow.version.desc()).limit(1)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return Description(version=0, info=DatasetInfo(), who=None, at=None, note="")
    return _description(row)


def _description(row: Any) -> Description:
    known = {name: row.info[name] for name in DatasetInfo.model_fields if name in row.info}
    return Description(
        version=row.version,
        info=DatasetInfo.model_validate(known),
        who=row.who,
        at=row.at,
        note=row.note,
    )


def _insert(
    connection: Connection, dataset: str, info: DatasetInfo, *, who: str | None, note: str
) -> Description:
    top = select(func.max(DescriptionRow.version)).where(DescriptionRow.dataset == dataset)
    version = (connection.scalar(top) or 0) + 1
    line = "".join(letter if letter.isprintable() else " " for letter in note)[:_LONGEST_NOTE]
    made = Description(version=version, info=info, who=who, at=datetime.now(UTC), note=line)
    values = {"dataset": dataset, "version": version, "who": who, "at": made.at, "note": made.note}
    said = info.model_dump(mode="json")
    connection.execute(insert(DescriptionRow).values(**values, info=said))
    return made
