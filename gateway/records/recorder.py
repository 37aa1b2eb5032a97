"""Keeps the record of a run: listens while it goes on, and writes down what it made."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from gateway.errors import NotFoundError, RefError
from gateway.records.catalogue import Catalogue
from gateway.records.checksums import FileRecord, hash_file, list_files
from gateway.records.crate import read_crate, write_crate
from gateway.records.crate_entities import CrateEntry
from gateway.records.entries import describe_entry
from gateway.records.rows import DatasetRecord
from gateway.records.runs import PortRecord, RunRecord
from gateway.run.events import Event, RunCancelled, RunFailed, RunFinished, RunStarted
from gateway.volumes.dataset import (
    DATASET_FILE,
    DatasetInfo,
    Entry,
    entry_key,
    find_entry,
    read_dataset,
)
from gateway.volumes.ref import Ref, parse_ref
from gateway.volumes.store import Store


class RunRecorder:
    """A listener that keeps the catalogue's record of one run up to date."""

    def __init__(self, catalogue: Catalogue, draft: RunRecord) -> None:
        """Listen for the run that `draft` describes; its id comes with the first event."""
        self._catalogue = catalogue
        self.record = draft

    def __call__(self, event: Event) -> None:
        """Take in one event; only those that begin or end a run matter here."""
        handle = _HANDLERS.get(type(event))
        if handle is not None:
            at = datetime.fromtimestamp(event.at, UTC)
            self.record = handle(replace(self.record, id=event.run_id), event, at)
            self._catalogue.put_run(self.record)


def _started(record: RunRecord, event: RunStarted, at: datetime) -> RunRecord:
    return replace(record, status="running", started=at, workers=event.workers)


def _finished(record: RunRecord, event: RunFinished, at: datetime) -> RunRecord:
    outputs = tuple(
        replace(port, digest=event.outputs.get(port.port, port.digest)) for port in record.outputs
    )
    return replace(record, status="done", ended=at, wall_s=event.wall_s, outputs=outputs)


def _failed(record: RunRecord, event: RunFailed, at: datetime) -> RunRecord:
    wall_s = (at - record.started).total_seconds()
    reason = event.reason.strip().split("\n", 1)[0]
    return replace(record, status="failed", ended=at, wall_s=wall_s, error=reason)


def _cancelled(record: RunRecord, _event: RunCancelled, at: datetime) -> RunRecord:
    wall_s = (at - record.started).total_seconds()
    return replace(record, status="cancelled", ended=at, wall_s=wall_s, error="cancelled")


_HANDLERS: dict[type[Event], Callable[..., RunRecord]] = {
    RunStarted: _started,
    RunFinished: _finished,
    RunFailed: _failed,
    RunCancelled: _cancelled,
}


def record_run(store: Store, catalogue: Catalogue, record: RunRecord) -> None:
    """Write down a run that is done: in the catalogue, and in the crate of each dataset it filled.

    Doing it again changes nothing.

    Args:
        store: Where its outputs lie.
        catalogue: The catalogue.
        record: The run, its outputs with their digests.

    Raises:
        CorruptionError: The crate of a dataset is damaged; the catalogue has the run already.
        StoreError: The storage failed.
    """
    catalogue.put_run(record)
    refs = [ref for port in record.outputs if (ref := _ref(port)) is not None]
    for dataset in sorted({ref.dataset for ref in refs}):
        info = read_dataset(store, dataset)
        catalogue.put_dataset(DatasetRecord(name=dataset, info=info.model_dump(mode="json")))
        for ref in sorted(ref for ref in refs if ref.dataset == dataset):
            catalogue.put_entry(describe_entry(store, _entry(store, ref)))
        add_to_crate(store, catalogue, dataset, [record])


def record_entry(store: Store, catalogue: Catalogue, ref: Ref) -> None:
    """Write down a thing that no run made, such as a volume registered in place.

    Raises:
        NotFoundError: There is nothing of that name.
        CorruptionError: The crate of the dataset is damaged.
        StoreError: The storage failed.
    """
    described = describe_entry(store, _entry(store, ref))
    if ref.dataset not in {record.name for record in catalogue.datasets()}:
        info = read_dataset(store, ref.dataset)
        catalogue.put_dataset(DatasetRecord(name=ref.dataset, info=info.model_dump(mode="json")))
    catalogue.put_entry(described)
    add_to_crate(store, catalogue, ref.dataset, [], [_entry(store, ref)])


def add_to_crate(
    store: Store,
    catalogue: Catalogue,
    dataset: str,
    runs: Iterable[RunRecord],
    others: Iterable[Entry] = (),
) -> None:
    """Add runs to the crate of a dataset, with the things of this dataset that they name.

    What the crate has already keeps the checksums it was recorded with, unless a run that is
    new to the crate made it again under the same name.

    Args:
        store: Where the dataset lies.
        catalogue: Its lock keeps others from the crate while it is written; files are hashed
            before, so that nobody waits for that.
        dataset: Its name.
        runs: Runs that are done.
        others: Things that no run made.
    """
    before = read_crate(store, dataset)
    told = {run.id for run in before.runs} if before else set()
    added = list(runs)
    fresh = {port.ref for run in added if run.id not in told for port in run.outputs}
    known = set(before.refs) - fresh if before else set()
    ports = {
        ref: (port.kind, port.digest)
        for run in added
        for port in (*run.inputs, *run.outputs)
        if (ref := _ref(port)) is not None and ref.dataset == dataset
    }
    ports |= {e.ref: (e.kind, describe_entry(store, e).digest) for e in others}
    entries = [
        _crate_entry(store, ref, kind, digest)
        for ref, (kind, digest) in sorted(ports.items())
        if str(ref) not in known
    ]
    recorded = before.files if before else {}
    files = [] if DATASET_FILE in recorded else _hash_there(store, dataset, [DATASET_FILE])
    info = read_dataset(store, dataset)
    there = [entry for entry in entries if entry]
    with catalogue.locked(dataset):
        write_crate(store, dataset, info, runs=added, entries=there, files=files)


def refresh_description(store: Store, dataset: str, info: DatasetInfo) -> None:
    """Record the description of a dataset in its crate as it is now."""
    files = _hash_there(store, dataset, [DATASET_FILE])
    write_crate(store, dataset, info, files=files)


def _crate_entry(store: Store, ref: Ref, kind: str, digest: str | None) -> CrateEntry | None:
    """Hash the files of an entry and of its reports; None where it is gone."""
    entry = find_entry(store, ref)
    if entry is None:
        return None
    folder = f"{ref.dataset}/"
    path = entry.key.removeprefix(folder)
    report = entry_key(ref, "report").removeprefix(folder)
    files = [*list_files(store, ref.dataset, path), *list_files(store, ref.dataset, report)]
    return CrateEntry(
        ref=str(ref),
        path=path,
        kind=kind,
        digest=digest,
        files=tuple(_hash_there(store, ref.dataset, files)),
    )


def _hash_there(store: Store, dataset: str, paths: Iterable[str]) -> list[FileRecord]:
    found = []
    for path in paths:
        try:
            found.append(hash_file(store, dataset, path))
        except NotFoundError:
            continue  # a dataset need not have a description
    return found


def _entry(store: Store, ref: Ref) -> Entry:
    entry = find_entry(store, ref)
    if entry is None:
        raise NotFoundError(f"{ref} is not in the store {store.url}, though its run is done")
    return entry


def _ref(port: PortRecord) -> Ref | None:
    """Return the ref of a port, or None where it is a file outside the store."""
    if port.kind == "file":
        return None
    try:
        return parse_ref(port.ref)
    except RefError:
        return None
