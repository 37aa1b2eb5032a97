"""Turns records into table rows and back."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, cast

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from gateway.records.runs import PortRecord, RunRecord, RunStatus, SourceFile
from gateway.records.tables import (
    DatasetRow,
    EntryRow,
    FacetRow,
    RunPortRow,
    RunRow,
    SourceFileRow,
)

_PLAIN = tuple(name for name in RunRow.__table__.columns.keys())  # noqa: SIM118
BETWEEN = "\x1f"
"""Stands between facets that are kept as one text."""
_NAME = 120
"""Longest name of a dataset."""


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
    words = " ".join([record.name, *_words(info)]).lower()
    title = (str(info.get("title") or "") or record.name).lower()
    return DatasetRow(name=record.name, info=info, search=words, title=title)


def facet_values(info: Mapping[str, Any], made: datetime | None) -> list[tuple[str, str]]:
    """Return the facets of a dataset with their values.

    Args:
        info: Content of its `dataset.json`.
        made: When it was made; tells the year where the description does not.
    """
    single = [(facet, info.get(facet)) for facet in ("species", "stain", "modality", "licence")]
    year = str(info.get("date") or "")[:4] or (str(made.year) if made else "")
    people = [("person", person) for person in info.get("people") or ()]
    tags = [("tag", tag) for tag in info.get("tags") or ()]
    found = [*single, ("year", year), *people, *tags]
    return sorted({(facet, str(value)) for facet, value in found if value})


def join_facets(values: Iterable[tuple[str, str]]) -> str:
    """Return facets as one text, which `count_facets` takes apart."""
    return BETWEEN.join(f"{facet}={value.replace(BETWEEN, ' ')}" for facet, value in values)


def count_facets(text: str) -> Counter[str]:
    """Return how often each facet and value occurs, as `species=Mus musculus`.

    Args:
        text: The facets of many datasets, joined with `BETWEEN` once more.
    """
    counts = Counter(text.split(BETWEEN))
    counts.pop("", None)
    return counts


def replace_facets(session: Session, name: str, values: Iterable[tuple[str, str]]) -> None:
    """Put the facets of a dataset in place of those there were."""
    session.execute(delete(FacetRow).where(FacetRow.dataset == name))
    rows = [{"dataset": name, "facet": facet, "value": value} for facet, value in values]
    if rows:
        session.execute(insert(FacetRow), rows)


def _words(value: Any) -> Iterator[str]:
    """Yield the texts in JSON values; names of fields are no content to find."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from _words(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _words(inner)
    elif value not in (None, ""):
        yield str(value)


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
            dataset=None if port.kind == "file" else port.ref.partition("/")[0][:_NAME],
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
