"""Runs jobs on Galaxy's own machine, without a process more for each than it needs.

What a volref says is read by Galaxy itself when a job ends: a process for it, as Galaxy starts one
for every job, takes longer than many a tool. A job that is cancelled, or that a stop of Galaxy
interrupts, has time to end tidily.
"""

import os
import signal
import time
from contextlib import suppress
from typing import Any

import psutil
from galaxy.jobs.runners.local import LocalJobRunner
from galaxy.jobs.runners.util.process_groups import kill_pg

from .datatypes import VolumeReference

_TIDY_S = 20.0
_LOOK_S = 0.2


class VolrefRunner(LocalJobRunner):
    """Galaxy's local runner, but for how a job ends."""

    runner_name = "VolrefRunner"

    def stop_job(self, job_wrapper: Any) -> None:
        """End a job that was cancelled: it gives back what it holds before it is killed."""
        number = job_wrapper.get_job().get_job_runner_external_id()
        if number:
            _end([int(number)])
        super().stop_job(job_wrapper)

    def shutdown(self) -> None:
        """End the jobs of this machine; each tidily."""
        with self._proc_lock:
            running = list(self._procs)
        for process in running:
            process.terminated_by_shutdown = True
        _end([process.pid for process in running])
        super().shutdown()

    def _embed_metadata(self, job_wrapper: Any) -> bool:
        return not _gives_volrefs_only(job_wrapper) and bool(super()._embed_metadata(job_wrapper))

    def _handle_metadata_if_needed(self, job_wrapper: Any) -> None:
        if not _gives_volrefs_only(job_wrapper):
            super()._handle_metadata_if_needed(job_wrapper)


def _gives_volrefs_only(job_wrapper: Any) -> bool:
    outputs = job_wrapper.get_job().output_datasets
    return bool(outputs) and all(
        isinstance(item.dataset.datatype, VolumeReference) for item in outputs
    )


def _end(groups: list[int]) -> None:
    """Ask groups of processes to end, and kill those that do not in time."""
    for group in groups:
        with suppress(OSError):
            os.killpg(group, signal.SIGTERM)
    deadline = time.monotonic() + _TIDY_S
    while (living := _living(groups)) and time.monotonic() < deadline:
        time.sleep(_LOOK_S)
    for group in living:
        kill_pg(group)


def _living(groups: list[int]) -> set[int]:
    """Return the groups that a process still runs in."""
    found = set()
    for process in psutil.process_iter(["status"]):
        with suppress(OSError):
            group = os.getpgid(process.pid)
            if group in groups and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.add(group)
    return found
