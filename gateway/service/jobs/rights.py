"""Who may have a call run: asked when a job is made, and again when it starts."""

from sqlalchemy import func, select

from gateway.errors import ForbiddenError
from gateway.records.access_tables import GrantRow
from gateway.records.database import reading
from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import own_new_dataset
from gateway.service.access.rights import require, require_person, visible_datasets
from gateway.service.gateway import Gateway
from gateway.service.jobs.job import Job
from gateway.service.jobs.places import check_source, find_place
from gateway.toolkit.call import Call
from gateway.toolkit.registry import get_tool
from gateway.volumes.ref import parse_ref


def check_call(gateway: Gateway, actor: Actor, call: Call, *, claim: bool) -> Call:
    """Refuse a call whose inputs the actor may not see, or whose outputs they may not make.

    Args:
        gateway: The gateway.
        actor: Who asks.
        call: What for.
        claim: Whether a dataset that is new becomes the actor's.

    Returns:
        The call, its files named by their real paths.

    Raises:
        ForbiddenError: A role is missing, or a file lies outside the inboxes.
        NotFoundError: A file is gone.
    """
    person = require_person(actor)
    spec = get_tool(call.tool)
    inputs = dict(call.inputs)
    for port, value in call.inputs.items():
        if spec.inputs[port].kind == "file":
            path = value if value.startswith("/") else str(find_place(gateway, person, value))
            inputs[port] = str(check_source(gateway, person, path))
            continue
        ref = parse_ref(value)
        require(gateway, actor, ref.dataset, Role.VIEWER, ref.name)
    for port, value in call.outputs.items():
        if spec.outputs[port].kind == "file":
            raise ForbiddenError(
                f"{spec.id} writes the file {value!r} on the server, which the web does not do; "
                "download a box from the dataset's page, or run `gateway export`"
            )
    for dataset in sorted({parse_ref(value).dataset for value in call.outputs.values()}):
        if is_new(gateway, dataset):
            if claim:
                _claim(gateway, actor, dataset)
        else:
            require(gateway, actor, dataset, Role.EDITOR)
    return Call(
        tool=call.tool,
        version=call.version,
        inputs=inputs,
        outputs=call.outputs,
        params=call.params,
    )


def is_new(gateway: Gateway, dataset: str) -> bool:
    """Whether nobody has made or been given a dataset of that name."""
    with reading(gateway.database) as connection:
        given = connection.scalar(select(func.count()).where(GrantRow.dataset == dataset))
    if given:
        return False
    there = gateway.store.list(dataset)
    return not (there.files or there.folders)


def require_job(actor: Actor, job: Job) -> None:
    """Refuse who neither asked for a job nor is an administrator.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: It is another person's job.
    """
    person = require_person(actor)
    if job.person != person and not actor.administrator:
        raise ForbiddenError(f"the job {job.id} is of another person; only they may see it")


def require_datasets(gateway: Gateway, actor: Actor, names: frozenset[str]) -> None:
    """Refuse who may not see every one of these datasets.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: One of them is closed to the actor.
    """
    require_person(actor)
    seen = visible_datasets(gateway, actor)
    for name in sorted(names if seen is not None else ()):
        require(gateway, actor, name, Role.VIEWER)


def _claim(gateway: Gateway, actor: Actor, dataset: str) -> None:
    """Make a person the owner of a new dataset; of two who want one, the first has it."""
    if not own_new_dataset(gateway, actor, dataset):
        raise ForbiddenError(
            f"somebody else began the dataset {dataset} at this moment; choose another name"
        )
