"""Rebuilding the catalogue from the store, and crates that were lost from the catalogue."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from gateway.errors import CorruptionError, GatewayError, NotFoundError
from gateway.records.checksums import hash_file
from gateway.records.crate import Crate, read_crate
from gateway.records.entries import describe_entry
from gateway.records.recorder import add_to_crate
from gateway.records.rows import DatasetRecord, EntryRecord
from gateway.records.runs import PortRecord, RunRecord
from gateway.service.gateway import Gateway
from gateway.service.review.recovery import recover_layers
from gateway.service.view.saved_files import restore_views
from gateway.volumes.dataset import (
    DatasetInfo,
    Entry,
    list_datasets,
    list_entries,
    read_dataset,
)
from gateway.volumes.open import entry_of
from gateway.volumes.ref import parse_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildReport:
    """What the catalogue holds now."""

    datasets: int
    entries: int
    runs: int
    """Runs that the crates tell of; failed and cancelled ones of before are kept beside them."""
    crates_restored: tuple[str, ...]
    """Datasets whose crate lacked runs that the catalogue knew."""
    layers_restored: tuple[str, ...] = ()
    """Annotation layers that the database lacked, or had in an earlier version."""
    problems: tuple[str, ...]
    """What could not be read, and so is not in the catalogue, or not in full."""

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return asdict(self)


def rebuild_catalogue(gateway: Gateway) -> RebuildReport:
    """Make the catalogue anew from what lies in the store.

    Where a crate lacks a run that the old catalogue knows, the crate gets it first: whichever of
    the two was lost comes back from the other. What cannot be read is told and left out.

    Raises:
        StoreError: The store or the database failed; the catalogue is as it was.
    """
    gathered = _Gathered()
    known = gateway.catalogue.runs(status="done", with_sources=True)
    known += _finished_unseen(gateway)
    for name in list_datasets(gateway.store):
        gathered.add(gateway, name, known)
    gateway.catalogue.replace_all(gathered.datasets, gathered.entries, gathered.runs.values())
    layers = recover_layers(gateway)
    for dataset in gathered.datasets:
        gathered.problems += restore_views(gateway, dataset.name)
    return RebuildReport(
        datasets=len(gathered.datasets),
        entries=len(gathered.entries),
        runs=len(gathered.runs),
        crates_restored=tuple(gathered.restored),
        layers_restored=tuple(layers.restored),
        problems=(*gathered.problems, *layers.problems),
    )


def _finished_unseen(gateway: Gateway) -> list[RunRecord]:
    """Return runs that were killed after their outputs were complete, before that was recorded."""
    found = []
    for run in gateway.catalogue.runs(status="running", with_sources=True):
        outputs = [_made(gateway, run, port) for port in run.outputs]
        if outputs and all(outputs):
            ports = tuple(port for port in outputs if port is not None)
            found.append(replace(run, status="done", outputs=ports))
    return found


def _made(gateway: Gateway, run: RunRecord, port: PortRecord) -> PortRecord | None:
    """Return a port with the digest of what the run made there, or None where it did not."""
    if port.kind == "file":
        return None
    with suppress(GatewayError):
        entry = describe_entry(gateway.store, entry_of(gateway.store, parse_ref(port.ref)))
        if entry.made_by == run.id:
            return replace(port, digest=entry.digest)
    return None


class _Gathered:
    """What is found in the store, dataset by dataset."""

    def __init__(self) -> None:
        self.datasets: list[DatasetRecord] = []
        self.entries: list[EntryRecord] = []
        self.runs: dict[str, RunRecord] = {}
        self.restored: list[str] = []
        self.problems: list[str] = []

    def add(self, gateway: Gateway, name: str, known: Iterable[RunRecord]) -> None:
        """Take in one dataset."""
        info = DatasetInfo()
        try:
            info = read_dataset(gateway.store, name)
        except GatewayError as error:
            self.problems.append(str(error))
        self.datasets.append(DatasetRecord(name=name, info=info.model_dump(mode="json")))
        found = list_entries(gateway.store, name)
        try:
            crate = read_crate(gateway.store, name)
        except CorruptionError as error:  # what is damaged is mended by hand, never written over
            self.problems.append(str(error))
            self.entries += [self._describe(gateway, entry, None) for entry in found]
            return
        entries = [self._describe(gateway, entry, crate) for entry in found]
        self.entries += entries
        self.runs |= {run.id: run for run in (crate.runs if crate else ())}
        lost = _lost_runs(name, entries, known, crate)
        refs = crate.refs if crate else {}
        links = [entry for entry in found if entry.linked and str(entry.ref) not in refs]
        if lost or links:
            self._restore(gateway, name, lost, links)

    def _restore(
        self, gateway: Gateway, name: str, lost: list[RunRecord], links: list[Entry]
    ) -> None:
        """Add to the crate of a dataset what it lacks."""
        try:
            add_to_crate(gateway.store, gateway.catalogue, name, lost, links)
        except GatewayError as error:
            self.problems.append(str(error))
            return
        self.runs |= {run.id: run for run in lost}
        self.restored.append(name)

    def _describe(self, gateway: Gateway, entry: Entry, crate: Crate | None) -> EntryRecord:
        try:
            _check_table(gateway, entry, crate)
            return describe_entry(gateway.store, entry)
        except GatewayError as error:
            self.problems.append(str(error))
            return EntryRecord(dataset=entry.ref.dataset, name=entry.ref.name, kind=entry.kind)


def _check_table(gateway: Gateway, entry: Entry, crate: Crate | None) -> None:
    """Refuse a table whose bytes are damaged before it is opened: it can take its reader down."""
    path = entry.key.removeprefix(f"{entry.ref.dataset}/")
    recorded = crate.files.get(path) if crate and entry.kind == "points" else None
    if recorded is None:
        return
    with suppress(NotFoundError):
        if hash_file(gateway.store, entry.ref.dataset, path) != recorded:
            raise CorruptionError(
                f"{entry.key} in {gateway.store.url} differs from what was recorded; "
                f"see `gateway verify {entry.ref.dataset}`"
            )


def _lost_runs(
    dataset: str, entries: Iterable[EntryRecord], known: Iterable[RunRecord], crate: Crate | None
) -> list[RunRecord]:
    """Return the runs of the old catalogue that made something here and that the crate lacks."""
    makers = {f"{dataset}/{entry.name}": entry.made_by for entry in entries}
    told = {run.id for run in (crate.runs if crate else ())}
    return [
        run
        for run in known
        if run.id not in told and any(makers.get(port.ref) == run.id for port in run.outputs)
    ]
