"""What is kept for a time only: the journals of ended jobs, old audit lines, abandoned uploads."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, select

from gateway.records.access_tables import AuditRow
from gateway.records.database import reading, writing
from gateway.records.work_tables import JobRow
from gateway.service.gateway import Gateway
from gateway.service.jobs.job import LIVE
from gateway.service.jobs.uploads import clean_up


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was deleted."""

    journals: int
    audit_lines: int
    uploads: int


def forget_old(gateway: Gateway, now: datetime | None = None) -> Forgotten:
    """Delete what is older than the settings `keep_journals_days` and `keep_audit_days` say.

    A job stays in the list of runs, and its record with the data; only its events and log go.

    Raises:
        StoreError: The database failed.
    """
    now = now or datetime.now(UTC)
    settings = gateway.settings
    return Forgotten(
        journals=_forget_journals(gateway, now, settings.keep_journals_days),
        audit_lines=_forget_audit(gateway, now, settings.keep_audit_days),
        uploads=clean_up(gateway),
    )


def _forget_journals(gateway: Gateway, now: datetime, days: int) -> int:
    folder = gateway.home / "jobs"
    if not days or not folder.is_dir():
        return 0
    since = now - timedelta(days=days)
    kept = select(JobRow.id).where(JobRow.status.in_(LIVE) | (JobRow.ended >= since))
    with reading(gateway.database) as connection:
        wanted = set(connection.scalars(kept))
    old = [p for p in folder.iterdir() if p.name not in wanted and _untouched(p, since)]
    for path in old:
        shutil.rmtree(path, ignore_errors=True)
    return len(old)


def _untouched(path: Path, since: datetime) -> bool:
    """Tell whether nothing was written into a folder since then: one just made has no row yet."""
    try:
        times = [path.stat().st_mtime, *(file.stat().st_mtime for file in path.iterdir())]
    except OSError:  # another process deletes it
        return False
    return max(times) < since.timestamp()


def _forget_audit(gateway: Gateway, now: datetime, days: int) -> int:
    if not days:
        return 0
    old = delete(AuditRow).where(AuditRow.at < now - timedelta(days=days))
    with writing(gateway.database) as connection:
        return connection.execute(old).rowcount
