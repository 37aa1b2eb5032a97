"""What runs that nobody resumed left behind, and how it is given up.

A stopped run keeps what it has done in a hidden staging folder, so that the same command can go
on. Nothing else removes it: only people know which runs they will not resume.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.errors import CorruptionError, NotFoundError, RefError
from gateway.records.runs import RunRecord
from gateway.run.inputs import staged_file
from gateway.run.lock import RunLock, live_holder
from gateway.run.staging import Staging, list_stagings
from gateway.service.gateway import Gateway
from gateway.volumes.ref import Ref, parse_dataset

GIVEN_UP = "given up: what it had begun was removed with `gateway clean`"
"""What the record of such a run says."""
_LOST = "ended without a word; nothing of it is left to resume"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """What one run left."""

    run: Ref
    """Dataset and key of its staging folder."""
    run_id: str
    """Id of its record; empty where it never began."""
    tool: str
    outputs: tuple[str, ...]
    """Refs and paths it was to make."""
    bytes: int | None
    """What it takes on disk; None where the store is not on this machine."""
    changed: datetime | None
    """When it was last at work, as far as files or the catalogue tell."""
    busy: str
    """Who is at it now; empty where nobody is."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        changed = self.changed.isoformat(timespec="seconds") if self.changed else None
        return {**asdict(self), "run": str(self.run), "changed": changed}


def find_leftovers(gateway: Gateway, older_than: timedelta | None = None) -> list[Leftover]:
    """Return what runs left that are not done, those under way included, the oldest first.

    Args:
        gateway: The gateway.
        older_than: Only what was last touched so long ago; what has no time counts as old.

    Raises:
        StoreError: The storage failed.
    """
    found = []
    for staging in _stagings(gateway):
        item = _describe(gateway, staging)
        age = datetime.now(UTC) - item.changed if item.changed else None
        if older_than is None or age is None or age >= older_than:
            found.append(item)
    oldest = datetime.min.replace(tzinfo=UTC)
    return sorted(found, key=lambda item: (item.changed or oldest, item.run))


def give_up(gateway: Gateway, leftover: Leftover) -> None:
    """Remove what a run left, and write down that it will not be resumed.

    Raises:
        RunError: It is being run just now; says where.
        StoreError: The store is read-only, or failed.
    """
    staging = Staging(gateway.store, leftover.run)
    with RunLock(staging):
        for value in _plan(staging).get("call", {}).get("outputs", {}).values():
            _delete_path(staged_file(str(value), leftover.run.name))
        staging.delete()
    with suppress(NotFoundError):
        _mark(gateway, gateway.catalogue.run(leftover.run_id), GIVEN_UP)


def mark_lost_runs(gateway: Gateway) -> list[RunRecord]:
    """Mark runs as failed that the catalogue calls running and of which nothing is left.

    Such is a run whose machine lost power and whose dataset was deleted since.
    """
    marked = []
    for record in gateway.catalogue.runs(status="running"):
        place = _place(record)
        if place is None or gateway.store.exists(Staging(gateway.store, place).key()):
            continue
        _mark(gateway, record, _LOST)
        marked.append(record)
    return marked


def count_idle(gateway: Gateway) -> int:
    """Count runs the catalogue calls running at which nobody is; looks at no dataset beside."""
    places = (_place(record) for record in gateway.catalogue.runs(status="running"))
    return sum(1 for place in places if place and not live_holder(Staging(gateway.store, place)))


def _stagings(gateway: Gateway) -> Iterator[Staging]:
    for folder in gateway.store.list("").folders:
        with suppress(RefError):  # a folder that is no dataset
            yield from list_stagings(gateway.store, parse_dataset(folder))


def _describe(gateway: Gateway, staging: Staging) -> Leftover:
    document = _plan(staging)
    call = document.get("call", {})
    size, changed = _measure(gateway.store.local_path(staging.key()))
    run_id = str(document.get("run_id", ""))
    if changed is None and run_id:
        with suppress(NotFoundError):
            record = gateway.catalogue.run(run_id)
            changed = record.ended or record.started
    return Leftover(
        run=staging.run,
        run_id=run_id,
        tool=str(call.get("tool", "")),
        outputs=tuple(str(value) for value in call.get("outputs", {}).values()),
        bytes=size,
        changed=changed,
        busy=live_holder(staging),
    )


def _plan(staging: Staging) -> dict[str, Any]:
    """Return the plan; what is broken can be given up too, so that counts as none."""
    with suppress(CorruptionError):
        return staging.read_plan() or {}
    return {}


def _measure(folder: Path | None) -> tuple[int | None, datetime | None]:
    """Return what a folder takes and when something in it was last written."""
    if folder is None:
        return None, None
    total, latest = 0, 0.0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):  # of a run that goes on
                stat = (Path(place) / name).stat()
                total += stat.st_size
                latest = max(latest, stat.st_mtime)
    return total, datetime.fromtimestamp(latest, UTC) if latest else None


def _delete_path(path: Path) -> None:
    """Remove a file or folder outside the store that no run completed; its name is ours."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _place(record: RunRecord) -> Ref | None:
    """Return where a run keeps what it has done: by its id, beside its first output or input."""
    key = record.id.rpartition("-")[0]
    for port in (*record.outputs, *record.inputs):
        dataset = port.ref.partition("/")[0]
        if port.kind != "file" and key:
            return Ref(dataset, key)
    return None


def _mark(gateway: Gateway, record: RunRecord, why: str) -> None:
    if record.status != "done":
        ended = record.ended or datetime.now(UTC)
        gateway.catalogue.put_run(replace(record, status="failed", ended=ended, error=why))
