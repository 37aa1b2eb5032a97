"""What there is: datasets of the store, things of a dataset, and all about one thing."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gateway.errors import CorruptionError, GatewayError, NotFoundError
from gateway.records.crate import read_crate
from gateway.records.entries import describe_entry
from gateway.records.rows import EntryRecord
from gateway.records.runs import RunRecord
from gateway.service.gateway import Gateway
from gateway.volumes.dataset import (
    DatasetInfo,
    Entry,
    list_datasets,
    list_entries,
    read_dataset,
)
from gateway.volumes.open import entry_of
from gateway.volumes.ref import Ref, parse_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary:
    """A dataset in one line."""

    name: str
    info: DatasetInfo
    entries: int
    problem: str | None = None
    """Why its description cannot be read."""

    def to_json(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        problem = {"problem": self.problem} if self.problem else {}
        info = self.info.model_dump(mode="json")
        return {"name": self.name, **info, "entries": self.entries, **problem}


@dataclass(frozen=True, slots=True, kw_only=True)
class EntrySummary:
    """A volume, table, tile grid or transform: what its metadata say."""

    ref: Ref
    entry: EntryRecord
    problem: str | None = None
    """Why its metadata cannot be read."""

    def to_json(self) -> dict[str, Any]:
        """Return kind, digest, made_by and, as the kind has them, shape, axes, voxel_um, levels."""
        problem = {"problem": self.problem} if self.problem else {}
        return {
            "ref": str(self.ref),
            "kind": self.entry.kind,
            **self.entry.facts,
            "digest": self.entry.digest,
            "made_by": self.entry.made_by,
            **problem,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDetail:
    """All about one thing."""

    summary: EntrySummary
    made_by: RunRecord | None
    """The run that made it, where a record says so."""
    used_by: tuple[RunRecord, ...]
    """Runs of the catalogue that took it as input, latest first."""

    def to_json(self) -> dict[str, Any]:
        """Return the summary with the runs added as `run` and `used_by`."""
        return {
            **self.summary.to_json(),
            "run": self.made_by.to_json() if self.made_by else None,
            "used_by": [
                {"run": run.id, "tool": run.tool, "outputs": [port.ref for port in run.outputs]}
                for run in self.used_by
            ],
        }


def summarize_store(gateway: Gateway) -> list[DatasetSummary]:
    """Return every dataset of the store, by name."""
    summaries = []
    for name in list_datasets(gateway.store):
        info, problem = DatasetInfo(), None
        try:
            info = read_dataset(gateway.store, name)
        except GatewayError as error:
            problem = str(error)
        count = len(list_entries(gateway.store, name))
        summaries.append(DatasetSummary(name=name, info=info, entries=count, problem=problem))
    return summaries


def summarize_dataset(gateway: Gateway, dataset: str) -> list[EntrySummary]:
    """Return every thing of a dataset, by name.

    Raises:
        NotFoundError: There is no such dataset.
    """
    return [_summarize(gateway, entry) for entry in list_entries(gateway.store, dataset)]


def show_entry(gateway: Gateway, ref: str) -> EntryDetail:
    """Return all about one thing.

    Raises:
        RefError: The ref is malformed.
        NotFoundError: There is nothing of that name.
        FormatError: Its metadata is broken.
    """
    parsed = parse_ref(ref)
    record = describe_entry(gateway.store, entry_of(gateway.store, parsed))
    runs = gateway.catalogue.runs(ref=str(parsed), status="done")
    used_by = tuple(run for run in runs if str(parsed) in {port.ref for port in run.inputs})
    return EntryDetail(
        summary=EntrySummary(ref=parsed, entry=record),
        made_by=_maker(gateway, parsed, record, runs),
        used_by=used_by,
    )


def _summarize(gateway: Gateway, entry: Entry) -> EntrySummary:
    try:
        return EntrySummary(ref=entry.ref, entry=describe_entry(gateway.store, entry))
    except GatewayError as error:
        blank = EntryRecord(dataset=entry.ref.dataset, name=entry.ref.name, kind=entry.kind)
        return EntrySummary(ref=entry.ref, entry=blank, problem=str(error))


def _maker(
    gateway: Gateway, ref: Ref, record: EntryRecord, runs: Iterable[RunRecord]
) -> RunRecord | None:
    """Find the run that made an entry: in the catalogue, else in the dataset's crate."""
    known = [
        gateway.catalogue.run(run.id)
        for run in runs
        if str(ref) in {port.ref for port in run.outputs}
    ]
    if not known:
        with suppress(CorruptionError):  # `gateway verify` is where that is told
            crate = read_crate(gateway.store, ref.dataset)
            known = [
                run
                for run in (crate.runs if crate else ())
                if str(ref) in {port.ref for port in run.outputs}
            ]
    same = [run for run in known if record.made_by in (None, run.id)]
    return same[0] if same else None


def list_runs(gateway: Gateway, *, dataset: str | None = None, limit: int = 50) -> list[RunRecord]:
    """Return runs, latest first, however they ended."""
    return gateway.catalogue.runs(dataset=dataset, limit=limit)


def show_run(gateway: Gateway, run_id: str) -> RunRecord:
    """Return one run.

    Raises:
        NotFoundError: The catalogue has none of that id.
    """
    try:
        return gateway.catalogue.run(run_id)
    except NotFoundError:
        near = [run.id for run in gateway.catalogue.runs() if run.id.startswith(run_id)]
        if len(near) == 1:
            return gateway.catalogue.run(near[0])
        raise
