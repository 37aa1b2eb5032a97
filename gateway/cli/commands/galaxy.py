"""`gateway galaxy`: becomes the commands of the Galaxy face, which this one does not know."""

import importlib.util
import os
import sys

import click

from gateway.cli.shared import Shared, pass_shared
from gateway.errors import SettingsError


@click.command(
    "galaxy",
    # what stands behind the first word is for that command of the Galaxy face, --help too
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND]...")
@pass_shared
def command(shared: Shared, /, *, words: tuple[str, ...]) -> None:
    """Start a Galaxy with all tools, and run workflows in one.

    `gateway galaxy` alone lists its commands: up, down, status, publish, send, invoke and more.
    `gateway galaxy COMMAND --help` explains one.
    """
    if importlib.util.find_spec("bioblend") is None:
        raise SettingsError(
            "the Galaxy face is not installed; add it with `pip install brain-gateway[galaxy]`"
        )
    environment = dict(os.environ)
    if shared.home is not None:
        environment["GATEWAY_HOME"] = str(shared.home)
    # Galaxy is a face of its own: it takes over the process
    os.execve(  # noqa: S606 - our own interpreter and module
        sys.executable, [sys.executable, "-m", "gateway.galaxy", *words], environment
    )
