"""`gateway-galaxy`: what Galaxy's jobs and administrators call."""

import sys
from pathlib import Path

import click

from gateway.errors import CallError, GatewayError
from gateway.galaxy.job import run_job
from gateway.galaxy.publish import write_examples, write_tools
from gateway.service.gateway import open_gateway


@click.group()
def main() -> None:
    """Tools of the gateway in Galaxy."""


@main.command()
@click.argument("tool")
@click.option("--version", required=True, help="Version of the tool the form is of.")
@click.option("--form", required=True, type=click.Path(path_type=Path), help="Galaxy's JSON.")
@click.option("--user", required=True, help="E-mail address of the Galaxy user.")
def run(tool: str, version: str, form: Path, user: str) -> None:
    """Run TOOL as a job of Galaxy: writes a volref for every output into this folder."""
    try:
        gateway = open_gateway()
        with gateway.catalogue:
            for path in run_job(
                gateway, tool, version=version, form=form, user=user, folder=Path.cwd()
            ):
                click.echo(path.name)
    except GatewayError as error:
        # the first line of stderr is what the history shows
        click.echo(str(error), err=True)
        sys.exit(2 if isinstance(error, CallError) else 1)


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
