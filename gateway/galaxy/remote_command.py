"""`gateway-galaxy send`, `publish`, `invoke`: a Galaxy used from the command line."""

import getpass
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.errors import CallError, NotFoundError, StoreError
from gateway.galaxy.client import GalaxyClient, Invocation, Step, match_label
from gateway.galaxy.job import actor_of_user, describe
from gateway.galaxy.publish import workflow_files
from gateway.galaxy.remote import client_elsewhere, client_here
from gateway.galaxy.server_command import open_site
from gateway.galaxy.tracing import calls_behind
from gateway.galaxy.volref import Volref
from gateway.galaxy.weave import weave
from gateway.service.access.actor import Role
from gateway.service.access.rights import require
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.invocations import Invoked, record_invocation
from gateway.service.toolbox import list_tools
from gateway.volumes.ref import parse_ref

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])
_HISTORY = "Brain Gateway"


def _whose(function: FunctionT) -> FunctionT:
    """Add the options that say which Galaxy, and as whom."""
    for option in (
        click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="The home."),
        click.option("--url", help="Another Galaxy than the home's; needs GALAXY_API_KEY."),
        click.option("--behind-hub", is_flag=True, help="The home's Galaxy was started so."),
        click.option("--as", "address", help="Address of a user of the home's Galaxy."),
    ):
        function = option(function)
    return function


@click.command()
@click.argument("refs", nargs=-1, required=True)
@click.option("--history", default=_HISTORY, help="Name of the history; made where there is none.")
@_whose
def send(*, refs: tuple[str, ...], history: str, **whose: Any) -> None:
    """Put things of the store into a history, by name: nothing is copied."""
    gateway = open_gateway(whose["home"])
    with gateway.catalogue:
        volrefs = [_visible(gateway, whose, ref) for ref in refs]
    client = _client(**whose)
    for ref, dataset in zip(refs, client.send(volrefs, client.history(history)), strict=True):
        click.echo(f"{ref}: dataset {dataset} in the history {history!r}")


@click.command()
@_whose
def publish(**whose: Any) -> None:
    """Put the gateway's workflows into Galaxy, for all of its users."""
    client = _client(**whose)
    for name, text in workflow_files().items():
        number = client.publish_workflow(text, published=True)
        click.echo(f"{name}: workflow {number}, for all to use")


@click.command()
@click.argument("workflow")
@click.option("--in", "inputs", multiple=True, metavar="INPUT=VALUE", help="A ref, or a value.")
@click.option("--history", default=_HISTORY, help="Name of the history that gets the results.")
@click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object on stdout.")
@_whose
def invoke(
    *, workflow: str, inputs: tuple[str, ...], history: str, as_json: bool, **whose: Any
) -> None:
    """Run WORKFLOW in Galaxy, follow it, and say what it made.

    WORKFLOW is one of the gateway's own (tiles_to_nuclei), a file, or the name of one in Galaxy.
    An input is named by the beginning of its label: --in tiles=mouse1/tiles --in diameter=12.
    """
    words = dict(_split(word) for word in inputs)
    client = _client(**whose)
    number, document = _workflow(client, workflow)
    place = client.history(history)
    labels, data = client.inputs(number)
    words = {match_label(name, labels): value for name, value in words.items()}
    refs = {label: value for label, value in words.items() if label in data}
    gateway = open_gateway(whose["home"])
    with gateway.catalogue:
        volrefs = [_visible(gateway, whose, ref) for ref in refs.values()]
    sent = client.send(volrefs, place) if volrefs else []
    given = words | {n: f"dataset:{d}" for n, d in zip(refs, sent, strict=True)}
    began = datetime.now(UTC)
    invocation = client.invoke(number, given, place)
    client.follow(invocation, (_tell,))
    results = client.results(invocation)
    _report(invocation, results, as_json=as_json)
    if document is not None and whose["url"] is None:
        settings = {label: value for label, value in words.items() if label not in data}
        invoked = Invoked(
            id=invocation.id,
            workflow=invocation.workflow,
            document=document,
            server=client.url,
            person=_address(gateway.settings.galaxy_domain, whose["address"]),
            started=began,
            ended=datetime.now(UTC),
            inputs=refs,
            outputs={label: volref.ref for label, volref in results.items()},
            settings=settings,
        )
        opened = open_gateway(whose["home"])
        with opened.catalogue:
            record_invocation(opened, invoked)


@click.command()
@click.argument("refs", nargs=-1, required=True)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="FILE.gxwf.yml")
@click.option("--title", default="From my runs", help="What Galaxy shall call it.")
@click.option("--home", type=click.Path(path_type=Path, file_okay=False), help="The home.")
def workflow(*, refs: tuple[str, ...], out: Path, title: str, home: Path | None) -> None:
    """Write the runs that led to REFS as a workflow file of Galaxy."""
    gateway = open_gateway(home)
    with gateway.catalogue:
        calls = calls_behind(gateway, refs)
    text = weave(calls, refs, {spec.id: spec for spec in list_tools()}, title)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error.strerror}") from error
    click.echo(f"{out}: run it with `gateway galaxy invoke {out} --in INPUT=REF`")


def _report(invocation: Invocation, results: Mapping[str, Volref], *, as_json: bool) -> None:
    if as_json:
        made: Mapping[str, Any] = {
            label: {"ref": v.ref, "kind": v.kind, "digest": v.digest}
            for label, v in results.items()
        }
        click.echo(json.dumps({"invocation": invocation.id, "outputs": made}))
        return
    for label, volref in results.items():
        click.echo(f"{label}: {volref.ref} ({volref.digest})")


def _tell(step: Step) -> None:
    click.echo(f"{step.name}: {step.state}", err=True)


def _workflow(client: GalaxyClient, name: str) -> tuple[str, str | None]:
    """Return the id of a workflow and, where it is a file, its content."""
    ours = workflow_files()
    if name in ours:
        return client.publish_workflow(ours[name]), ours[name]
    if name.endswith((".yml", ".yaml", ".ga")):
        try:
            text = Path(name).read_text(encoding="utf-8")
        except OSError as error:
            raise NotFoundError(
                f"the workflow file {name} cannot be read: {error.strerror}"
            ) from error
        return client.publish_workflow(text), text
    return client.find_workflow(name), None


def _visible(gateway: Gateway, whose: Mapping[str, Any], ref: str) -> Volref:
    """Return the volref of what its receiver may see; the job asks again when it starts."""
    if whose["url"] is None:
        actor = actor_of_user(gateway, _address(gateway.settings.galaxy_domain, whose["address"]))
        parsed = parse_ref(ref)
        require(gateway, actor, parsed.dataset, Role.VIEWER, parsed.name)
    return describe(gateway, ref)


def _client(
    *, home: Path | None, url: str | None, behind_hub: bool, address: str | None
) -> GalaxyClient:
    if url is not None:
        return client_elsewhere(url)
    site = open_site(home, behind_hub=behind_hub)
    return client_here(site, _address(site.settings.galaxy_domain, address))


def _address(domain: str | None, address: str | None) -> str:
    if address is not None:
        return address
    if domain is None:
        raise CallError(
            "as which user of Galaxy is not said; name one with --as ADDRESS, or set galaxy_domain"
        )
    return f"{getpass.getuser()}@{domain}"


def _split(word: str) -> tuple[str, str]:
    name, mark, value = word.partition("=")
    if not mark or not name:
        raise CallError(f"--in {word!r} is not INPUT=VALUE, such as tiles=mouse1/tiles")
    return name, value
