"""A dataset at a glance: what it holds, what is said of it, how to cite it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from gateway.records.rows import EntryRecord
from gateway.service.access.actor import Actor, Role
from gateway.service.access.rights import role_on, visible_entries
from gateway.service.browse.citation import Citation, cite, content_digest
from gateway.service.browse.search import read_card
from gateway.service.browse.sight import SeenRun, seen_runs, sight_of
from gateway.service.descriptions import current_description
from gateway.service.gateway import Gateway
from gateway.service.listing import show_entry, summarize_dataset
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.ref import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEntry:
    """A volume, table, tile grid or transform."""

    ref: str
    name: str
    kind: str
    digest: str | None
    made_by: str | None
    """Id of the run that made it."""
    facts: dict[str, Any]
    """Shape, voxel size, dtype, levels, columns: what the kind has."""
    bytes: int | None
    """Voxels of level 0, uncompressed."""
    problem: str | None = None
    """Why its metadata cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """A dataset and what it holds, as far as who asks may see it."""

    name: str
    title: str
    version: int
    """Of the description; give it as `base` to change the description."""
    info: DatasetInfo
    role: str
    """What you may do: viewer, annotator, editor or owner."""
    listed: bool
    """False where the catalogue does not know it: `gateway catalog rebuild` mends that."""
    made: datetime | None
    changed: datetime | None
    digest: str | None
    """Over all that it holds; None where something has no digest."""
    citation: Citation
    entries: tuple[SeenEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    """One thing of a dataset, the run that made it and the runs that used it."""

    entry: SeenEntry
    run: SeenRun | None
    used_by: tuple[SeenRun, ...]


def overview(gateway: Gateway, actor: Actor, dataset: str, url: str) -> Overview:
    """Return a dataset at a glance.

    A share link that opens one thing sees that thing, the title and the licence.

    Args:
        gateway: The gateway.
        actor: Who asks.
        dataset: Name of the dataset.
        url: Where the dataset is found, for the citation.

    Raises:
        NotFoundError: There is no such dataset.
        FormatError: `dataset.json` is broken.
    """
    said = current_description(gateway, dataset)
    only = visible_entries(actor)
    info = said.info
    if only is not None:
        info = DatasetInfo(title=info.title, licence=info.licence)
    card = read_card(gateway, actor, dataset)
    entries = _entries(gateway, dataset, listed=card is not None)
    seen = tuple(entry for entry in entries if only is None or entry.name in only)
    digest = content_digest({entry.name: entry.digest for entry in seen})
    made = card.made if card else None
    return Overview(
        name=dataset,
        title=info.title or dataset,
        version=said.version,
        info=info,
        role=_role(gateway, actor, dataset).label,
        listed=card is not None,
        made=made,
        changed=card.changed if card else None,
        digest=digest,
        citation=cite(dataset, info, made=made, digest=digest, url=url),
        entries=seen,
    )


def view_entry(gateway: Gateway, actor: Actor, ref: Ref) -> EntryView:
    """Return one thing; runs of other things are named as far as who asks may see them.

    Raises:
        NotFoundError: There is nothing of that name.
        FormatError: Its metadata is broken.
    """
    detail = show_entry(gateway, str(ref))
    sees = sight_of(gateway, actor)
    made = seen_runs(gateway, actor, [detail.made_by] if detail.made_by else [])
    used = seen_runs(
        gateway,
        actor,
        [run for run in detail.used_by if any(sees(port.ref) for port in run.outputs)],
    )
    return EntryView(
        entry=_seen(detail.summary.entry, detail.summary.problem),
        run=made[0] if made else None,
        used_by=tuple(used),
    )


def runs_of(gateway: Gateway, actor: Actor, dataset: str, limit: int) -> list[SeenRun]:
    """Return the runs that took from or gave to a dataset, latest first, however they ended."""
    return seen_runs(gateway, actor, gateway.catalogue.runs(dataset=dataset, limit=limit))


def _role(gateway: Gateway, actor: Actor, dataset: str) -> Role:
    return role_on(gateway, actor, dataset, actor.link_entry)


def _entries(gateway: Gateway, dataset: str, *, listed: bool) -> Iterable[SeenEntry]:
    if listed:
        return [_seen(record) for record in gateway.catalogue.entries(dataset)]
    return [_seen(s.entry, s.problem) for s in summarize_dataset(gateway, dataset)]


def _seen(record: EntryRecord, problem: str | None = None) -> SeenEntry:
    facts = dict(record.facts)
    return SeenEntry(
        ref=f"{record.dataset}/{record.name}",
        name=record.name,
        kind=record.kind,
        digest=record.digest,
        made_by=record.made_by,
        facts=facts,
        bytes=_bytes(facts),
        problem=problem,
    )


def _bytes(facts: Mapping[str, Any]) -> int | None:
    if "shape" not in facts or "dtype" not in facts:
        return None
    return int(math.prod(facts["shape"])) * int(np.dtype(facts["dtype"]).itemsize)
