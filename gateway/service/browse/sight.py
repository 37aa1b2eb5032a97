"""Runs as an actor may see them: what lies in datasets that are closed to it is not named."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from sqlalchemy import func, select

from gateway.records.database import reading
from gateway.records.runs import PortRecord, RunRecord
from gateway.records.tables import SourceFileRow
from gateway.service.access.actor import Actor, Role
from gateway.service.access.rights import role_on, visible_entries
from gateway.service.gateway import Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPort:
    """What a run took or gave."""

    port: str
    kind: str
    ref: str | None
    """None where it is a file, or lies in a dataset that is closed to who asks."""
    digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRun:
    """A run in short."""

    id: str
    tool: str
    version: str
    status: str
    started: datetime
    wall_s: float | None
    person: str | None
    error: str | None
    inputs: tuple[SeenPort, ...]
    outputs: tuple[SeenPort, ...]
    files: int
    """Files from outside the store that it read."""
    file_bytes: int


def sight_of(gateway: Gateway, actor: Actor) -> Callable[[str], bool]:
    """Return what tells whether an actor may know of a ref."""

    @cache
    def sees(ref: str) -> bool:
        dataset, _, entry = ref.partition("/")
        return role_on(gateway, actor, dataset, entry or None) >= Role.VIEWER

    return sees


def seen_runs(gateway: Gateway, actor: Actor, runs: Iterable[RunRecord]) -> list[SeenRun]:
    """Return runs as an actor may see them."""
    records = list(runs)
    sees = sight_of(gateway, actor)
    files = _count_files(gateway, [run.id for run in records])
    seen = [_seen(run, sees, *files.get(run.id, (0, 0))) for run in records]
    if visible_entries(actor) is None:
        return seen
    return [replace(run, person=None) for run in seen]  # who is no part of one thing


def _seen(run: RunRecord, sees: Callable[[str], bool], files: int, size: int) -> SeenRun:
    return SeenRun(
        id=run.id,
        tool=run.tool,
        version=run.version,
        status=run.status,
        started=run.started,
        wall_s=run.wall_s,
        person=run.person,
        error=run.error if all(_open(port, sees) for port in run.inputs) else None,
        inputs=tuple(_port(port, sees) for port in run.inputs),
        outputs=tuple(_port(port, sees) for port in run.outputs),
        files=files,
        file_bytes=size,
    )


def _open(port: PortRecord, sees: Callable[[str], bool]) -> bool:
    return port.kind != "file" and sees(port.ref)


def _port(port: PortRecord, sees: Callable[[str], bool]) -> SeenPort:
    known = _open(port, sees)
    return SeenPort(
        port=port.port,
        kind=port.kind,
        ref=port.ref if known else None,
        digest=port.digest if known else None,
    )


def _count_files(gateway: Gateway, runs: list[str]) -> dict[str, tuple[int, int]]:
    counted = select(SourceFileRow.run, func.count(), func.sum(SourceFileRow.size))
    counted = counted.where(SourceFileRow.run.in_(runs)).group_by(SourceFileRow.run)
    with reading(gateway.database) as connection:
        return {run: (number, int(size)) for run, number, size in connection.execute(counted)}
