"""Turns records into table rows and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from gateway.records.runs import PortRecord, RunRecord, RunStatus, SourceFile
from gateway.records.tables import DatasetRow, EntryRow, RunPortRow, RunRow, SourceFileRow

_PLAIN = tuple(name for name in RunRow.__table__.columns.keys())  # noqa: SIM118


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRecord:
    """A dataset as the catalogue knows it."""

    name: str
    info: Mapping[str, Any]
    """Content of its `dataset.json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRecord:
    """A volume, table, tile grid or transform as the catalogue knows it."""

    dataset: str
    name: str
    kind: str
    digest: str | None = None
    made_by: str | None = None
    """Id of the run that made it."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Shape, voxel size, dtype, levels, columns: what the kind has, as JSON values."""


def dataset_row(record: DatasetRecord) -> DatasetRow:
    """Return the row of a dataset, with the text that searches look into."""
    info = dict(record.info)
    words = f"{record.name} {json.dumps(info, ensure_ascii=False)}".lower()
    return DatasetRow(name=record.name, info=info, search=words)


def entry_row(record: EntryRecord) -> EntryRow:
    """Return the row of an entry."""
    return EntryRow(
        dataset=record.dataset,
        name=record.name,
        kind=record.kind,
        digest=record.digest,
        made_by=record.made_by,
        facts=dict(record.facts),
    )


def entry_record(row: EntryRow) -> EntryRecord:
    """Return the entry of a row."""
    return EntryRecord(
        dataset=row.dataset,
        name=row.name,
        kind=row.kind,
        digest=row.digest,
        made_by=row.made_by,
        facts=row.facts,
    )


def replace_run(session: Session, record: RunRecord) -> None:
    """Put a run and its ports and source files in place of what was there under its id."""
    session.execute(delete(RunRow).where(RunRow.id == record.id))
    plain = {name: getattr(record, name) for name in _PLAIN}
    row = RunRow(**{**plain, "call": dict(record.call)})
    row.ports = [
        RunPortRow(
            direction=direction,
            position=position,
            port=port.port,
            ref=port.ref,
            kind=port.kind,
            digest=port.digest,
        )
        for direction, ports in (("input", record.inputs), ("output", record.outputs))
        for position, port in enumerate(ports)
    ]
    session.add(row)
    session.flush()
    if record.sources:  # there can be tens of thousands, so no objects are made of them
        rows = [
            {"run": record.id, "position": position, **asdict(file)}
            for position, file in enumerate(record.sources)
        ]
        session.execute(insert(SourceFileRow), rows)


def load_sources(session: Session, run_id: str) -> tuple[SourceFile, ...]:
    """Return the files from outside that a run read."""
    table = SourceFileRow.__table__.c
    statement = (
        select(table.path, table.size, table.checksum)
        .where(table.run == run_id)
        .order_by(table.position)
    )
    return tuple(
        SourceFile(path=path, size=size, checksum=checksum)
        for path, size, checksum in session.execute(statement)
    )


def run_record(row: RunRow, sources: tuple[SourceFile, ...] = ()) -> RunRecord:
    """Return the run of a row, with the source files it is given."""
    plain = {name: getattr(row, name) for name in _PLAIN if name != "status"}
    return RunRecord(
        **plain,
        status=cast("RunStatus", row.status),
        inputs=_ports(row, "input"),
        outputs=_ports(row, "output"),
        sources=sources,
    )


def _ports(row: RunRow, direction: str) -> tuple[PortRecord, ...]:
    return tuple(
        PortRecord(port=port.port, ref=port.ref, kind=port.kind, digest=port.digest)
        for port in row.ports
        if port.direction == direction
    )
