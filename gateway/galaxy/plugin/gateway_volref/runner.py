"""Runs jobs on Galaxy's own machine, without a process more for each than it needs.

What a volref says is read by Galaxy itself when a job ends: a process for it, as Galaxy starts one
for every job, takes longer than many a tool.
"""

from typing import Any

from galaxy.jobs.runners.local import LocalJobRunner

from .datatypes import VolumeReference


class VolrefRunner(LocalJobRunner):
    """Galaxy's local runner, but for what happens when a job that gives volrefs ends."""

    runner_name = "VolrefRunner"

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
