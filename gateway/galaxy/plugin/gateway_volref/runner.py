"""Runs jobs on Galaxy's own machine; those that a restart stopped are run again.

The gateway goes on where a run stopped, and finds done what is done, so running again is right.
"""

import os
import signal
from pathlib import Path
from typing import Any

from galaxy import model
from galaxy.jobs.runners.local import LocalJobRunner


class ResumingRunner(LocalJobRunner):
    """Galaxy's local runner, but for what happens at a restart."""

    runner_name = "ResumingRunner"

    def recover(self, job: Any, job_wrapper: Any) -> None:
        """Put a job that was under way into the line again."""
        _end(job.job_runner_external_id, job_wrapper.working_directory)
        # the number of a process of before may be somebody else's by now
        job_wrapper.set_external_id(None, job=job)
        job_wrapper.change_state(model.Job.states.QUEUED, job=job)
        self.put(job_wrapper)

    def _fail_job_local(self, job_wrapper: Any, message: str) -> None:
        if message == "job terminated by Galaxy shutdown":
            return  # it stays as it is, for `recover` to find
        super()._fail_job_local(job_wrapper, message)


def _end(number: str | None, folder: str) -> None:
    """End what still runs of a job in `folder`, where Galaxy itself went without a chance to."""
    try:
        process = int(number or "")
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace")
        if folder in words:
            os.killpg(process, signal.SIGTERM)
    except (OSError, ValueError):
        return
