"""What a Galaxy job does: form in, run, volrefs out, with the rights of its Galaxy user."""

import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.errors import CallError, ForbiddenError, NotFoundError
from gateway.galaxy.form import Form, read_form
from gateway.galaxy.volref import Volref, kind_of, read_volref
from gateway.run.lent import given_by_slurm, lent_environment
from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import own_new_dataset
from gateway.service.access.people import find_person
from gateway.service.access.rights import require
from gateway.service.calls import call_from_words
from gateway.service.gateway import Gateway
from gateway.service.leases.holding import Wanted, holding
from gateway.service.listing import show_entry
from gateway.service.runs import run_options, run_tool
from gateway.toolkit.call import Call
from gateway.toolkit.registry import get_tool
from gateway.toolkit.spec import ToolSpec
from gateway.volumes.ref import parse_dataset

_NAME_DIGITS = 10


def run_job(
    gateway: Gateway,
    tool: str,
    *,
    version: str,
    form: Path,
    user: str,
    folder: Path,
    cancel: threading.Event | None = None,
) -> list[Path]:
    """Run a tool as its form says and write a volref, or the file, for every output.

    Args:
        gateway: The gateway.
        tool: Id of the tool.
        version: The version that Galaxy's form is of.
        form: JSON file that Galaxy wrote.
        user: E-mail address of the Galaxy user, as Galaxy itself says it.
        folder: Where outputs are written: the job's working folder.
        cancel: Set it, from any thread, to stop.

    Returns:
        The files written.

    Raises:
        CallError: The form does not suit the tool, or is of another version.
        ForbiddenError: The user may not read an input, or not write the dataset.
        GatewayError: As the run.
    """
    spec = get_tool(tool)
    if version != spec.version:
        raise CallError(
            f"the form is of {tool} {version}, but {spec.version} is installed; ask the "
            "administrator to publish the tools of this gateway to Galaxy again"
        )
    filled = read_form(spec, read_json(form))
    actor = actor_of_user(gateway, user)
    inputs = {
        port: _checked(gateway, spec, actor, port, path) for port, path in filled.inputs.items()
    }
    dataset = _output_dataset(gateway, spec, actor, filled, inputs)
    call = _make_call(spec, filled, inputs, dataset, folder)
    stop = cancel or threading.Event()
    with _devices(gateway, spec, actor, stop):
        options = run_options(gateway, tool=call.tool)
        run_tool(gateway, call, options, cancel=stop, person=actor.person)
    return [_write(gateway, spec, port, ref, folder) for port, ref in call.outputs.items()]


@contextmanager
def _devices(
    gateway: Gateway, spec: ToolSpec, actor: Actor, stop: threading.Event
) -> Iterator[None]:
    """Hold a GPU for a tool that wants one; a lease that is revoked stops the run."""
    if not spec.resources.gpu or actor.person is None or given_by_slurm(os.environ):
        yield
        return
    wanted = Wanted(person=actor.person, purpose="galaxy")
    with holding(gateway, wanted, lost=lambda _: stop.set(), cancel=stop) as lease:
        before = dict(os.environ)
        os.environ.update(lent_environment(lease.id, lease.devices))
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def actor_of_user(gateway: Gateway, user: str) -> Actor:
    """Return the person a Galaxy user is.

    That is the person of this very address; where its domain is the setting `galaxy_domain`,
    which Galaxy itself gives to those who come through the hub, also of the name before the `@`.

    Raises:
        ForbiddenError: Nobody of that name may use the gateway.
    """
    account, _, domain = user.rpartition("@")
    trusted = domain == gateway.settings.galaxy_domain
    for name in (user, account) if trusted else (user,):
        try:
            person = find_person(gateway, name)
        except NotFoundError:
            continue
        if person.active:
            return Actor(
                person=person.name,
                groups=frozenset(person.groups),
                administrator=person.administrator,
            )
    raise ForbiddenError(
        f"the Galaxy user {user!r} is nobody here; sign in to the gateway once, or ask its "
        "administrator to add you"
    )


def _checked(gateway: Gateway, spec: ToolSpec, actor: Actor, port: str, path: Path) -> str:
    """Return the ref that a volref claims, once its reader may see it and it is what it says."""
    volref = read_volref(path)
    wanted = spec.inputs[port].kind
    if volref.kind != wanted:
        raise CallError(f"{spec.id}: {port!r} takes {wanted}, but {volref.ref} is {volref.kind}")
    ref = volref.parsed
    require(gateway, actor, ref.dataset, Role.VIEWER, ref.name)
    return volref.ref


def _output_dataset(
    gateway: Gateway, spec: ToolSpec, actor: Actor, form: Form, inputs: Mapping[str, str]
) -> str:
    """Return the dataset results go into, which the user may write."""
    dataset = _dataset(form, inputs)
    if any(spec.outputs[port].kind != "file" for port in form.outputs):
        own_new_dataset(gateway, actor, dataset)
        require(gateway, actor, dataset, Role.EDITOR)
    return dataset


def _make_call(
    spec: ToolSpec, form: Form, inputs: Mapping[str, str], dataset: str, folder: Path
) -> Call:
    files = {
        port: str(folder / f"{port}{form.suffixes[port]}")
        for port in form.outputs
        if spec.outputs[port].kind == "file"
    }
    draft = {port: files.get(port, f"{dataset}/{port}") for port in form.outputs}
    asked = call_from_words(spec.id, inputs, draft, form.settings)
    # the same form gives the same names: run again in a workflow, the work is found done
    mark = asked.digest.removeprefix("blake3:")[:_NAME_DIGITS]
    outputs = {p: files.get(p, f"{dataset}/{spec.id}-{mark}-{p}") for p in form.outputs}
    return call_from_words(spec.id, inputs, outputs, form.settings)


def _dataset(form: Form, inputs: Mapping[str, str]) -> str:
    if form.dataset is not None:
        return parse_dataset(form.dataset)
    first = next(iter(inputs.values()), None)
    if first is None:
        raise CallError("no dataset is named and no input says one; fill in Results, Dataset")
    return first.partition("/")[0]


def _write(gateway: Gateway, spec: ToolSpec, port: str, ref: str, folder: Path) -> Path:
    if spec.outputs[port].kind == "file":
        made = Path(ref)
        return made.rename(folder / port)
    path = folder / f"{port}.volref"
    path.write_text(describe(gateway, ref).to_text(), encoding="utf-8")
    return path


def describe(gateway: Gateway, ref: str) -> Volref:
    """Return the volref of a thing in the store.

    Raises:
        NotFoundError: There is nothing of that name.
    """
    entry = show_entry(gateway, ref).summary.entry
    return Volref(ref=ref, kind=kind_of(entry.kind), digest=entry.digest, facts=_short(entry.facts))


def _short(facts: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("shape", "axes", "dtype", "voxel_um", "channels", "columns", "rows", "tiles")
    return {name: facts[name] for name in kept if name in facts}


def read_json(path: Path) -> dict[str, Any]:
    """Return the form that Galaxy wrote.

    Raises:
        CallError: It cannot be read, or is no object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CallError(f"the form {path.name} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise CallError(f"the form {path.name} is no JSON object")
    return document
