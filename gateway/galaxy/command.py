"""`gateway-galaxy`: what Galaxy's jobs and administrators call."""

import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import click

from gateway.errors import CallError, GatewayError
from gateway.galaxy.convert_job import copy_out, take_in
from gateway.galaxy.converters import TAKEN
from gateway.galaxy.ingest_job import run_ingest
from gateway.galaxy.job import run_job
from gateway.galaxy.publish import write_examples, write_tools
from gateway.galaxy.remote_command import invoke, publish, send, workflow
from gateway.galaxy.server_command import down, status, up
from gateway.service.gateway import open_gateway


class _Group(click.Group):
    """Commands whose errors are one line, the first of stderr: Galaxy shows its head."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except GatewayError as error:
            click.echo(str(error), err=True)
            sys.exit(2 if isinstance(error, CallError) else 1)


@click.group(cls=_Group)
def main() -> None:
    """Tools of the gateway in Galaxy, and a Galaxy for them."""


@main.command()
@click.argument("tool")
@click.option("--version", required=True, help="Version of the tool the form is of.")
@click.option("--form", required=True, type=click.Path(path_type=Path), help="Galaxy's JSON.")
@click.option("--user", required=True, help="E-mail address of the Galaxy user.")
def run(tool: str, version: str, form: Path, user: str) -> None:
    """Run TOOL as a job of Galaxy: writes a volref for every output into this folder."""
    cancel = _cancelled_by_galaxy()
    gateway = open_gateway()
    with gateway.catalogue:
        for path in run_job(
            gateway,
            tool,
            version=version,
            form=form,
            user=user,
            folder=Path.cwd(),
            cancel=cancel,
        ):
            click.echo(path.name)


@main.command()
@click.option("--version", required=True, help="Version of the tool the form is of.")
@click.option("--form", required=True, type=click.Path(path_type=Path), help="Galaxy's JSON.")
@click.option("--user", required=True, help="E-mail address of the Galaxy user.")
def ingest(version: str, form: Path, user: str) -> None:
    """Bring in what a form names, as a job of Galaxy: writes a volref into this folder."""
    cancel = _cancelled_by_galaxy()
    gateway = open_gateway()
    with gateway.catalogue:
        made = run_ingest(
            gateway, version=version, form=form, user=user, folder=Path.cwd(), cancel=cancel
        )
    click.echo(made.name)


@main.command()
@click.argument("volref", type=click.Path(path_type=Path))
@click.option("--to", required=True, help="Galaxy's datatype: tiff, ome_zarr, csv.")
@click.option("--user", required=True, help="E-mail address of the Galaxy user.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where an ome_zarr goes.")
def copy(volref: Path, to: str, user: str, folder: Path | None) -> None:
    """Copy what VOLREF names into a file of this folder, as a converter of Galaxy."""
    gateway = open_gateway()
    with gateway.catalogue:
        copy_out(gateway, volref, to=to, user=user, work=Path.cwd(), folder=folder)


@main.command()
@click.argument("kind", type=click.Choice(list(TAKEN)))
@click.option("--form", required=True, type=click.Path(path_type=Path), help="Galaxy's JSON.")
@click.option("--user", required=True, help="E-mail address of the Galaxy user.")
def take(kind: str, form: Path, user: str) -> None:
    """Copy a dataset of a history into the store as KIND, as a converter of Galaxy."""
    gateway = open_gateway()
    with gateway.catalogue:
        take_in(gateway, kind=kind, form=form, user=user, work=Path.cwd())


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def tools(folder: Path) -> None:
    """Write the XML of every tool below FOLDER."""
    for path in write_tools(folder):
        click.echo(str(path))


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
def examples(folder: Path) -> None:
    """Put the data of the tools' tests into the store, and a volref of each into FOLDER."""
    gateway = open_gateway()
    with gateway.catalogue:
        for path in write_examples(gateway, folder):
            click.echo(str(path))


def _cancelled_by_galaxy() -> threading.Event:
    """Return what is set when Galaxy cancels the job: a GPU then comes back at once."""
    cancel = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        cancel.set()
        raise KeyboardInterrupt

    # what is under way ends tidily
    signal.signal(signal.SIGTERM, stop)
    return cancel


for command in (up, down, status, publish, send, invoke, workflow):
    main.add_command(command)
