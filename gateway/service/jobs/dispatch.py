"""Starts what may start and finds what has died; every request and every ending job does it.

There is no thread that could be lost: the queue is in the database, and whoever looks at it moves
it on, under the one lock of its writes.
"""

import platform
import signal
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psutil
from sqlalchemy import Connection, select, text

from gateway.records.database import reading, writing
from gateway.records.work_tables import JobRow
from gateway.service.gateway import Gateway
from gateway.service.jobs.job import Job, change_job, job_of
from gateway.service.jobs.journal import Journal

BEAT_S = 5.0
_SILENT = timedelta(seconds=90)
"""A job on another machine that was silent for so long is dead."""
_LOADING = timedelta(seconds=60)
_SAME_TIME_S = 1.0
_LOCK = 0x6A6F6273
_DETACH = "import os, sys; os.fork() and os._exit(0); os.execv(sys.argv[1], sys.argv[1:])"
"""Begins a program as nobody's child: it outlives the service, and leaves it nothing to reap."""


def start_waiting(gateway: Gateway) -> list[str]:
    """Start the jobs whose turn it is, and mark those that died; returns what was started.

    Raises:
        StoreError: The database failed.
    """
    if not _anything_to_do(gateway):
        return []
    now = datetime.now(UTC)
    with writing(gateway.database) as connection:
        _lock(connection)
        live = _live(connection)
        dead = [job for job in live if job.status == "running" and is_dead(job, now)]
        for job in dead:
            change_job(
                connection, job.id, status="interrupted", ended=now, pid=None, error=_died(job)
            )
        gone = {job.id for job in dead}
        started = _choose([job for job in live if job.id not in gone], gateway)
        for job in started:
            values = {"status": "running", "started": now, "beat": now, "host": platform.node()}
            change_job(connection, job.id, pid=None, ended=None, error=None, stop=False, **values)
    for job in dead:
        Journal(gateway, job.id).say("interrupted", error=_died(job))
    for job in started:
        _spawn(gateway, job)
    return [job.id for job in started]


def is_dead(job: Job, now: datetime) -> bool:
    """Whether the process of a running job is gone."""
    beat = job.beat or job.started or job.asked
    if job.host != platform.node():
        return now - beat > _SILENT
    if job.pid is None:
        return now - beat > _LOADING
    return find_process(job) is None


def find_process(job: Job) -> psutil.Process | None:
    """Return the process of a job of this machine; None where it has ended."""
    if job.pid is None or job.host != platform.node():
        return None
    try:
        process = psutil.Process(job.pid)
        same = abs(process.create_time() - (job.pid_started or 0)) < _SAME_TIME_S
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def ask_to_stop(job: Job) -> None:
    """Tell the process of a job at once; one on another machine reads it from the database."""
    process = find_process(job)
    if process is not None:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)


def _anything_to_do(gateway: Gateway) -> bool:
    """Look without the lock: mostly nothing waits, and what runs is alive."""
    now = datetime.now(UTC)
    with reading(gateway.database) as connection:
        live = _live(connection)
    if any(job.status == "running" and is_dead(job, now) for job in live):
        return True
    return bool(_choose(live, gateway))


def _live(connection: Connection) -> list[Job]:
    statement = select(JobRow.__table__).where(JobRow.status.in_(("queued", "running")))
    rows = connection.execute(statement.order_by(JobRow.asked, JobRow.id))
    return [job_of(row) for row in rows]


def _choose(live: list[Job], gateway: Gateway) -> list[Job]:
    """Return the queued jobs that may start: of each person the oldest, up to the limit."""
    busy = Counter(job.person for job in live if job.status == "running")
    chosen = []
    for job in live:
        if job.status == "queued" and busy[job.person] < gateway.settings.runs_per_person:
            busy[job.person] += 1
            chosen.append(job)
    return chosen


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":  # on SQLite a write has the whole file
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _spawn(gateway: Gateway, job: Job) -> None:
    journal = Journal(gateway, job.id)
    journal.open()
    program = [sys.executable, "-m", "gateway.service.jobs.runner", str(gateway.home), job.id]
    with journal.log.open("ab") as log:
        subprocess.run(  # noqa: S603 - this interpreter, and names of our own making
            [sys.executable, "-I", "-S", "-c", _DETACH, *program],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=gateway.home,
            start_new_session=True,
            check=True,
        )


def _died(job: Job) -> str:
    where = f"process {job.pid}" if job.pid else "its process"
    return (
        f"{where} on {job.host} ended without a word (killed, out of memory, or the machine went "
        "down); what was done is kept: resume it to go on from there"
    )
