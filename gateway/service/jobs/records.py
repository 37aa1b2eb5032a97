"""Runs of the catalogue as a person may see them: those that no job asked for, too."""

from collections.abc import Mapping
from typing import Any

from gateway.errors import NotFoundError
from gateway.records.runs import RunRecord
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway
from gateway.service.jobs.job import read_job
from gateway.service.jobs.rights import require_datasets, require_job
from gateway.toolkit.call import Call


def see_run(gateway: Gateway, actor: Actor, run_id: str) -> RunRecord:
    """Return a run of the catalogue.

    Raises:
        NotFoundError: There is none of that id.
        ForbiddenError: It touched a dataset that is closed to the actor.
    """
    record = gateway.catalogue.run(run_id)
    if record.person is None or record.person != actor.person:
        ports = (*record.inputs, *record.outputs)
        names = frozenset(p.ref.partition("/")[0] for p in ports if p.kind != "file")
        require_datasets(gateway, actor, names)
    return record


def call_again(gateway: Gateway, actor: Actor, some_id: str) -> tuple[Call, Mapping[str, Any]]:
    """Return the call of a job or a run, and the options of the job.

    Raises:
        NotFoundError: There is neither a job nor a run of that id.
        ForbiddenError: It is closed to the actor.
    """
    try:
        job = read_job(gateway, some_id)
    except NotFoundError:
        return Call.from_json(see_run(gateway, actor, some_id).call), {}
    require_job(actor, job)
    return job.call, job.options
