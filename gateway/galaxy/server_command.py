"""`gateway-galaxy up`, `down`, `status`: the server's own commands."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from types import FrameType

import click

from gateway.galaxy.remote import publish_workflows
from gateway.galaxy.server import environment, process
from gateway.galaxy.server.configuration import write_configuration
from gateway.galaxy.server.site import PREFIX, Site
from gateway.service.settings import find_home, read_settings

_STOP_S = 60.0
Home = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="The gateway home; without it, the one GATEWAY_HOME names.",
)


@click.command()
@Home
@click.option("--port", type=click.IntRange(1, 65535), help="The setting galaxy_port otherwise.")
@click.option("--behind-hub", is_flag=True, help="People come through the gateway's proxy.")
@click.option("--detach", is_flag=True, help="Return once it answers, and leave it running.")
def up(*, home: Path | None, port: int | None, behind_hub: bool, detach: bool) -> None:
    """Start a Galaxy with all tools of the gateway; installs it the first time."""
    begun = time.monotonic()
    site = open_site(home, port=port, behind_hub=behind_hub)
    say = _speaker(begun)
    environment.install(site.environment, say, postgres=site.settings.galaxy_database is not None)
    say("writing its configuration")
    write_configuration(site)
    say("starting Galaxy")
    running = process.start(site)
    try:
        process.wait_ready(site, running, say)
        publish_workflows(site)
        say(f"Galaxy answers at {site.url}/")
    except BaseException:
        process.stop(site)
        raise
    if detach:
        return
    try:
        _stay(running)
    finally:
        process.stop(site)


@click.command()
@Home
def down(*, home: Path | None) -> None:
    """Stop the Galaxy of a home."""
    stopped = process.stop(open_site(home))
    click.echo("Galaxy is stopped" if stopped else "Galaxy was not running")


@click.command()
@Home
@click.option("--port", type=click.IntRange(1, 65535), help="The setting galaxy_port otherwise.")
@click.option("--behind-hub", is_flag=True, help="It was started so.")
def status(*, home: Path | None, port: int | None, behind_hub: bool) -> None:
    """Say whether the Galaxy of a home runs and answers."""
    site = open_site(home, port=port, behind_hub=behind_hub)
    running = process.find(site)
    if running is None:
        click.echo("Galaxy is not running")
        sys.exit(1)
    answers = "answers" if process.answers(site) else "does not answer (yet)"
    click.echo(f"Galaxy runs, process {running.pid}, and {answers} at {site.url}/")


def open_site(
    home: Path | None, *, port: int | None = None, behind_hub: bool = False, prefix: str = PREFIX
) -> Site:
    """Return the Galaxy of a home.

    Args:
        home: The home; None takes the one `GATEWAY_HOME` names.
        port: The setting otherwise.
        behind_hub: Whether people come to it through a proxy that says who they are.
        prefix: Path under which the hub has it.

    Raises:
        SettingsError: No home is selected, or a setting is wrong.
    """
    path = find_home(home)
    settings = read_settings(path)
    return Site(
        home=path,
        environment=environment.environment_folder(settings.galaxy_environment),
        programs=Path(sys.executable).parent,
        packages=os.environ.get("PYTHONPATH", ""),
        settings=settings,
        port=port or settings.galaxy_port,
        prefix=prefix if behind_hub else "",
        behind_hub=behind_hub,
    )


def _speaker(begun: float) -> Callable[[str], None]:
    def say(text: str) -> None:
        click.echo(f"[{time.monotonic() - begun:4.0f} s] {text}")

    return say


def _stay(running: Popen[bytes]) -> None:
    def leave(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    with contextlib.suppress(KeyboardInterrupt):
        running.wait()
