"""The catalogue: what datasets hold and what was run, asked and told through one small class."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Self, cast

from sqlalchemy import Connection, Engine, delete, func, select, text
from sqlalchemy.orm import Session

from gateway.errors import NotFoundError
from gateway.records.database import open_database, reading, writing
from gateway.records.rows import (
    DatasetRecord,
    EntryRecord,
    dataset_row,
    entry_record,
    entry_row,
    facet_values,
    join_facets,
    load_sources,
    replace_facets,
    replace_run,
    run_record,
)
from gateway.records.runs import RunRecord, RunStatus
from gateway.records.tables import DatasetRow, EntryRow, RunPortRow, RunRow

_Times = tuple[datetime | None, datetime | None]
_NEVER: _Times = (None, None)


def open_catalogue(url: str, *, wait_s: float = 30.0) -> "Catalogue":
    """Open the catalogue at a database URL; see `open_database`."""
    return Catalogue(open_database(url, wait_s=wait_s))


class Catalogue:
    """Datasets, entries and runs of one gateway; safe for threads and many processes."""

    def __init__(self, engine: Engine) -> None:
        """Wrap an engine from `open_database`."""
        self._engine = engine

    def __enter__(self) -> Self:
        """Return the catalogue, to be closed at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the catalogue."""
        self.close()

    @property
    def engine(self) -> Engine:
        """The database, for what else is recorded in it."""
        return self._engine

    @property
    def url(self) -> str:
        """The database URL, its password masked."""
        return str(self._engine.url)

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    def put_dataset(self, record: DatasetRecord) -> None:
        """Add a dataset or replace what is known of it; its entries stay."""
        with self._write() as session:
            _put_dataset(session, record)

    def put_entry(self, record: EntryRecord) -> None:
        """Add an entry or replace what is known of it; its dataset is added where missing."""
        with self._write() as session:
            row = session.get(DatasetRow, record.dataset)
            if row is None:
                _put_dataset(session, DatasetRecord(name=record.dataset, info={}))
            else:
                row.changed = datetime.now(UTC)
            session.merge(entry_row(record))

    def put_run(self, record: RunRecord) -> None:
        """Add a run or replace what is known of it."""
        with self._write() as session:
            replace_run(session, record)

    def remove_dataset(self, name: str) -> None:
        """Forget a dataset and its entries; the runs that touched it stay."""
        with self._write() as session:
            session.execute(delete(DatasetRow).where(DatasetRow.name == name))

    def remove_entry(self, dataset: str, name: str) -> None:
        """Forget an entry."""
        with self._write() as session:
            session.execute(
                delete(EntryRow).where(EntryRow.dataset == dataset, EntryRow.name == name)
            )

    def dataset(self, name: str) -> DatasetRecord:
        """Return one dataset.

        Raises:
            NotFoundError: The catalogue has none of that name.
        """
        with self._read() as session:
            row = session.get(DatasetRow, name)
            if row is None:
                raise NotFoundError(f"the catalogue has no dataset {name!r}; see `gateway ls`")
            return DatasetRecord(name=row.name, info=row.info)

    def datasets(self, query: str = "") -> list[DatasetRecord]:
        """Return the datasets, by name, in which every word of `query` occurs somewhere."""
        statement = select(DatasetRow).order_by(DatasetRow.name)
        for word in query.lower().split():
            statement = statement.where(DatasetRow.search.contains(word, autoescape=True))
        with self._read() as session:
            rows = session.scalars(statement)
            return [DatasetRecord(name=row.name, info=row.info) for row in rows]

    def entries(self, dataset: str | None = None) -> list[EntryRecord]:
        """Return the entries of a dataset, or all, by name."""
        statement = select(EntryRow).order_by(EntryRow.dataset, EntryRow.name)
        if dataset is not None:
            statement = statement.where(EntryRow.dataset == dataset)
        with self._read() as session:
            return [entry_record(row) for row in session.scalars(statement)]

    def run(self, run_id: str) -> RunRecord:
        """Return one run.

        Raises:
            NotFoundError: The catalogue has none of that id.
        """
        with self._read() as session:
            row = session.get(RunRow, run_id)
            if row is None:
                raise NotFoundError(f"the catalogue has no run {run_id!r}; see `gateway ls`")
            return run_record(row, load_sources(session, run_id))

    def runs(
        self,
        *,
        dataset: str | None = None,
        ref: str | None = None,
        tool: str | None = None,
        status: RunStatus | None = None,
        limit: int | None = None,
        with_sources: bool = False,
    ) -> list[RunRecord]:
        """Return runs, latest first.

        Args:
            dataset: Only those that took from or gave to this dataset.
            ref: Only those that took or gave `dataset/name`.
            tool: Only those of this tool.
            status: Only those that ended so.
            limit: At most so many.
            with_sources: Also load the source files that each run read; there can be many.
        """
        statement = select(RunRow).order_by(RunRow.started.desc(), RunRow.id).limit(limit)
        if tool is not None:
            statement = statement.where(RunRow.tool == tool)
        if status is not None:
            statement = statement.where(RunRow.status == status)
        if dataset is not None:
            touching = select(RunPortRow.run).where(RunPortRow.dataset == dataset)
            statement = statement.where(RunRow.id.in_(touching))
        if ref is not None:
            statement = statement.where(RunRow.ports.any(RunPortRow.ref == ref))
        with self._read() as session:
            return [
                run_record(row, load_sources(session, row.id) if with_sources else ())
                for row in session.scalars(statement).all()
            ]

    def replace_all(
        self,
        datasets: Iterable[DatasetRecord],
        entries: Iterable[EntryRecord],
        runs: Iterable[RunRecord],
    ) -> None:
        """Replace everything known by what is given, in one transaction.

        Failed and cancelled runs are kept: they left nothing in the store to learn them from.
        """
        with self._write() as session:
            times = session.execute(select(DatasetRow.name, DatasetRow.made, DatasetRow.changed))
            known = {name: (made, changed) for name, made, changed in times.all()}
            session.execute(delete(DatasetRow))
            session.execute(delete(RunRow).where(RunRow.status == "done"))
            for record in runs:
                replace_run(session, record)
            for dataset in datasets:
                _put_dataset(session, dataset, known.get(dataset.name, _NEVER))
            session.add_all(entry_row(record) for record in entries)

    @contextmanager
    def locked(self, dataset: str) -> Iterator[Connection]:
        """Hold off everyone else who locks the same dataset, for the block.

        For changes beside the catalogue that must not interleave, such as reading, changing
        and writing a crate. Inside, write to the catalogue by the connection that is given and
        by no other: on SQLite the lock is the one of the whole file.
        """
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                digest = hashlib.blake2b(dataset.encode(), digest_size=8).digest()
                key = int.from_bytes(digest, signed=True)
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            yield connection

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with reading(self._engine) as connection, Session(connection) as session:
            yield session

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with writing(self._engine) as connection, Session(connection) as session:
            yield session
            session.flush()


def put_dataset_in(connection: Connection, record: DatasetRecord) -> None:
    """Add or replace a dataset in a transaction that is under way, as in `Catalogue.locked`."""
    with Session(connection) as session:
        _put_dataset(session, record)
        session.flush()


def _put_dataset(session: Session, record: DatasetRecord, before: _Times | None = None) -> None:
    """Add or replace a dataset with its facets.

    Args:
        session: The session of the write.
        record: The dataset.
        before: In a rebuild, when the dataset was made and changed as far as was known.
    """
    mine = RunPortRow.direction == "output", RunPortRow.dataset == record.name
    runs = select(func.min(RunRow.started), func.max(func.coalesce(RunRow.ended, RunRow.started)))
    runs = runs.join(RunPortRow, RunPortRow.run == RunRow.id).where(*mine)
    first, last = cast("_Times", tuple(session.execute(runs).one()))
    now = datetime.now(UTC)
    row = session.merge(dataset_row(record))
    row.made = row.made or first or (before or _NEVER)[0] or now
    row.changed = now if before is None else last or before[1] or now
    facets = facet_values(record.info, row.made)
    row.facets = join_facets(facets)
    session.flush()
    replace_facets(session, record.name, facets)
