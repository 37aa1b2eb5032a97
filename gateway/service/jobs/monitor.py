"""What goes on: jobs and the queue, runs by person, the largest datasets, what failed."""

import heapq
import math
import threading
import time
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psutil
from sqlalchemy import Row, func, select

from gateway.records.database import reading
from gateway.records.tables import EntryRow, RunRow
from gateway.records.work_tables import JobRow
from gateway.service.access.actor import Actor
from gateway.service.access.rights import require_administrator
from gateway.service.gateway import Gateway
from gateway.service.jobs.dispatch import find_process, start_waiting
from gateway.service.jobs.job import LIVE, Job, JobFilter, list_jobs
from gateway.service.jobs.machine import read_machine
from gateway.service.leases.seen import see_leases

_DAYS = 30
_SHOWN = 15
_KEEP_S = 60.0
_COLUMN_BYTES = 8
_SLOW: dict[str, tuple[float, list[dict[str, Any]]]] = {}
"""Home to when its datasets were measured, and the largest."""
_SLOW_LOCK = threading.Lock()


def watch(gateway: Gateway, actor: Actor) -> dict[str, Any]:
    """Return everything the monitor shows, as JSON values.

    Raises:
        ForbiddenError: The actor is no administrator.
    """
    require_administrator(actor)
    start_waiting(gateway)
    live = list_jobs(gateway, JobFilter(statuses=LIVE, limit=500))
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": asdict(read_machine(gateway)),
        "jobs": [_live(job) for job in sorted(live, key=lambda job: job.asked)],
        "gpus": see_leases(gateway, actor),
        "people": _people(gateway),
        "days": _DAYS,
        "failures": _failures(gateway),
        "datasets": _largest(gateway),
    }


def _live(job: Job) -> dict[str, Any]:
    """Return a waiting or running job with what its processes use."""
    memory, processor = 0, 0.0
    process = find_process(job)
    if process is not None:
        for one in _family(process):
            try:
                memory += one.memory_info().rss
                processor += sum(one.cpu_times()[:2])
            except psutil.NoSuchProcess:
                continue
    return {
        **job.to_json(),
        "host": job.host,
        "pid": job.pid,
        "memory": memory or None,
        "processor_s": processor or None,
    }


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _people(gateway: Gateway) -> list[dict[str, Any]]:
    """Return how much each person ran lately, those who ran most first."""
    since = datetime.now(UTC) - timedelta(days=_DAYS)
    runs = (
        select(RunRow.person, RunRow.status, func.count(), func.sum(RunRow.wall_s))
        .where(RunRow.started >= since)
        .group_by(RunRow.person, RunRow.status)
    )
    waiting = (
        select(JobRow.person, JobRow.status, func.count())
        .where(JobRow.status.in_(LIVE))
        .group_by(JobRow.person, JobRow.status)
    )
    found: dict[str, dict[str, Any]] = {}
    with reading(gateway.database) as connection:
        for name, status, count, seconds in connection.execute(runs):
            person = found.setdefault(name or "unknown", _nothing())
            person["runs"] += count
            person["failed"] += count if status == "failed" else 0
            person["seconds"] += seconds or 0.0
        for name, status, count in connection.execute(waiting):
            found.setdefault(name, _nothing())[status] = count
    rows = [{"person": name, **figures} for name, figures in found.items()]
    rows.sort(key=lambda row: (-row["running"], -row["queued"], -row["seconds"], row["person"]))
    return rows[:50]


def _nothing() -> dict[str, Any]:
    return {"runs": 0, "failed": 0, "seconds": 0.0, "running": 0, "queued": 0}


def _failures(gateway: Gateway) -> list[dict[str, Any]]:
    """Return what failed last, with its first line: jobs, and runs that no job asked for."""
    jobs = list_jobs(gateway, JobFilter(statuses=("failed", "interrupted"), limit=_SHOWN))
    known = {job.run for job in jobs}
    bad = select(RunRow.id, RunRow.tool, RunRow.person, RunRow.started, RunRow.ended, RunRow.error)
    bad = bad.where(RunRow.status == "failed").order_by(RunRow.started.desc()).limit(_SHOWN)
    found = [
        _failure(job.id, job.tool, job.person, job.ended or job.made, job.error) for job in jobs
    ]
    with reading(gateway.database) as connection:
        for row in connection.execute(bad):
            if row.id not in known:
                at = row.ended or row.started
                found.append(_failure(row.id, row.tool, row.person or "unknown", at, row.error))
    found.sort(key=lambda item: str(item["at"]), reverse=True)
    return found[:_SHOWN]


def _failure(
    some_id: str, tool: str, person: str, at: datetime, error: str | None
) -> dict[str, Any]:
    line = (error or "no reason").strip().splitlines()[0]
    return {"id": some_id, "tool": tool, "person": person, "at": at.isoformat(), "error": line}


def _largest(gateway: Gateway) -> list[dict[str, Any]]:
    """Return the largest datasets; counted once a minute, since it looks at every entry."""
    key = str(gateway.home)
    with _SLOW_LOCK:
        at, rows = _SLOW.get(key, (-_KEEP_S, []))
        if time.monotonic() - at >= _KEEP_S:
            rows = _measure(gateway)
            _SLOW[key] = (time.monotonic(), rows)
        return rows


def _measure(gateway: Gateway) -> list[dict[str, Any]]:
    totals: dict[str, list[int]] = {}
    columns = select(EntryRow.dataset, EntryRow.kind, EntryRow.facts)
    with reading(gateway.database) as connection:
        for row in connection.execute(columns.execution_options(yield_per=2000)):
            total = totals.setdefault(row.dataset, [0, 0])
            total[0] += _raw_bytes(row)
            total[1] += 1
    top = heapq.nlargest(_SHOWN, totals.items(), key=lambda item: item[1][0])
    return [{"dataset": name, "bytes": size, "entries": count} for name, (size, count) in top]


def _raw_bytes(row: Row[Any]) -> int:
    """Return the finest level of a volume, or the columns of a table, in bytes, uncompressed."""
    facts = row.facts or {}
    try:
        if "shape" in facts:  # of all axes, channels and times too
            return int(math.prod(facts["shape"]) * np.dtype(facts["dtype"]).itemsize)
        return int(facts["count"]) * len(facts["columns"]) * _COLUMN_BYTES
    except (KeyError, TypeError, ValueError):
        return 0
