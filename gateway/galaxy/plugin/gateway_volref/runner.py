"""Runs jobs on Galaxy's own machine; those that a restart stopped are run again.

The gateway goes on where a run stopped, and finds done what is done, so running again is right.
What a volref says is read by Galaxy itself when a job ends: a process for it, as Galaxy starts one
for every job, takes longer than many a tool.
"""

import os
import signal
from pathlib import Path
from typing import Any

from galaxy import model
from galaxy.jobs.runners.local import LocalJobRunner

from .datatypes import VolumeReference

_STOPPED = "job terminated by Galaxy shutdown"


class ResumingRunner(LocalJobRunner):
    """Galaxy's local runner, but for what happens at a restart and when a job ends."""

    runner_name = "ResumingRunner"

    def recover(self, job: Any, job_wrapper: Any) -> None:
        """Put a job that was under way into the line again."""
        _end(job.job_runner_external_id, job_wrapper.working_directory)
        # the number of a process of before may be somebody else's by now
        job_wrapper.set_external_id(None, job=job)
        job_wrapper.change_state(model.Job.states.QUEUED, job=job)
        self.mark_as_queued(job_wrapper)

    def _fail_job_local(self, job_wrapper: Any, message: str) -> None:
        if message != _STOPPED:
            super()._fail_job_local(job_wrapper, message)
        # else it stays as it is, for `recover` to find

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


def _end(number: str | None, folder: str) -> None:
    """End what still runs of a job in `folder`, where Galaxy itself went without a chance to."""
    try:
        process = int(number or "")
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
        if folder in words:
            os.killpg(process, signal.SIGTERM)
    except (OSError, ValueError):
        return
