"""The process of one job: `python -m gateway.service.jobs.runner HOME JOB`.

It belongs to no web service: those come and go while it runs. What it prints is the job's log.
"""

import logging
import os
import platform
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from sqlalchemy import update

from gateway.errors import GatewayError, RunCancelledError
from gateway.records.database import writing
from gateway.records.work_tables import JobRow
from gateway.run.events import Event, RunStarted, TaskRetried
from gateway.service.access.named import actor_named
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.jobs.dispatch import BEAT_S, start_waiting
from gateway.service.jobs.job import Job, change_job, read_job
from gateway.service.jobs.journal import Journal, JournalListener
from gateway.service.jobs.places import without_folders
from gateway.service.jobs.rights import check_call
from gateway.service.runs import run_tool

_LOG = logging.getLogger("gateway.jobs")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one job; returns 0 when it is done.

    Args:
        arguments: Home and job id; None takes those of this process.
    """
    home, job_id = arguments if arguments is not None else sys.argv[1:]
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    logging.captureWarnings(capture=True)
    gateway = open_gateway(Path(home))
    with gateway.catalogue:
        try:
            return _Runner(gateway, job_id).run()
        finally:
            start_waiting(gateway)  # the next in the queue


class _Runner:
    """Runs a job and writes down how it ended."""

    def __init__(self, gateway: Gateway, job_id: str) -> None:
        self._gateway = gateway
        self._id = job_id
        self._journal = Journal(gateway, job_id)
        self._cancel = threading.Event()
        self._ended = threading.Event()

    def run(self) -> int:
        signal.signal(signal.SIGTERM, lambda *_: self._cancel.set())
        signal.signal(signal.SIGINT, lambda *_: self._cancel.set())
        if not self._take():
            _LOG.error("the job %s is run by another process", self._id)
            return 1
        beat = threading.Thread(target=self._beat, name="job-beat", daemon=True)
        beat.start()
        job = read_job(self._gateway, self._id)
        if job.stop:  # somebody did so before there was a process to tell
            self._cancel.set()
        self._journal.say("running")
        _LOG.info("%s for %s", job.tool, job.person)
        try:
            status, error = self._execute(job)
        finally:
            self._ended.set()
            beat.join()
        self._end(status, error)
        return 0 if status == "done" else 1

    def _take(self) -> bool:
        """Put this process's number into the job, unless another one is there."""
        mine: dict[str, Any] = {"pid": os.getpid(), "host": platform.node()}
        mine |= {"pid_started": psutil.Process().create_time(), "beat": datetime.now(UTC)}
        free = (JobRow.id == self._id, JobRow.status == "running", JobRow.pid.is_(None))
        with writing(self._gateway.database) as connection:
            return connection.execute(update(JobRow).where(*free).values(**mine)).rowcount == 1

    def _execute(self, job: Job) -> tuple[str, str | None]:
        try:
            actor = actor_named(self._gateway, job.person)
            call = check_call(self._gateway, actor, job.call, claim=False)
            listeners = (JournalListener(self._journal), self._hear)
            result = run_tool(
                self._gateway,
                call,
                job.run_options(self._gateway),
                listeners,
                self._cancel,
                person=job.person,
            )
        except RunCancelledError:
            return "cancelled", None
        except GatewayError as error:
            _LOG.error("%s", self._plain(job, error))
            return "failed", self._plain(job, error)
        except Exception as error:  # noqa: BLE001 - the process boundary: any failure is written down
            _LOG.error("%s", traceback.format_exc())
            return "failed", f"{type(error).__name__}: {error}"
        self._set(run=result.run_id)
        return "done", None

    def _plain(self, job: Job, error: GatewayError) -> str:
        return without_folders(self._gateway, job.person, str(error))

    def _hear(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._set(run=event.run_id)
            _LOG.info("run %s: %d tasks, %d worker(s)", event.run_id, event.tasks, event.workers)
        elif isinstance(event, TaskRetried):
            _LOG.warning("a worker died at %s %s: %s", event.name, event.block, event.reason)

    def _beat(self) -> None:
        """Tell that we live, and hear whether we shall stop; the database may be away for long."""
        while not self._ended.wait(BEAT_S):
            try:
                self._set(beat=datetime.now(UTC))
                if read_job(self._gateway, self._id).stop:
                    self._cancel.set()
            except GatewayError as error:
                _LOG.warning("the database did not answer: %s", error)

    def _end(self, status: str, error: str | None) -> None:
        _LOG.info("%s", status)
        self._set(status=status, error=error, ended=datetime.now(UTC), pid=None)
        self._journal.say(status, error=error)

    def _set(self, **values: Any) -> None:
        with writing(self._gateway.database) as connection:
            change_job(connection, self._id, **values)


if __name__ == "__main__":
    sys.exit(main())
