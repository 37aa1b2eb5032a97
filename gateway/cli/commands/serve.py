"""`gateway serve`: the gateway in the browser."""

import importlib.util
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click

from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.errors import SettingsError
from gateway.service.settings import find_home


@click.command("serve")
@click.option("--host", help="Address to listen on; the setting host otherwise.")
@click.option("--port", type=click.IntRange(0, 65535), help="Its port; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that answer requests.")
@click.option("--open", "browse", is_flag=True, help="Open the sign-in link in a browser.")
@shared_options
@pass_shared
def command(
    shared: Shared,
    /,
    *,
    host: str | None,
    port: int | None,
    workers: int | None,
    browse: bool,
) -> None:
    """Serve the catalogue, the viewer, tools and runs in the browser.

    Prints one link that signs you in as the administrator of this gateway, once requests are
    answered. Stop with Ctrl-C: what is being answered finishes; a second Ctrl-C ends at once.
    Runs that people asked for in the browser go on, or are found and continued at the next start.
    """
    given = {"host": host, "port": port, "web_workers": workers}
    take_over(find_home(shared.home), given, as_json=shared.json, browse=browse)


def take_over(
    home: Path, given: Mapping[str, object], *, as_json: bool = False, browse: bool = False
) -> NoReturn:
    """Become the web service of a home.

    Args:
        home: The home.
        given: Settings that differ from the home's; None leaves one as it is.
        as_json: Whether to answer with one JSON object.
        browse: Whether to open a browser.

    Raises:
        SettingsError: The web service is not installed.
    """
    if importlib.util.find_spec("uvicorn") is None:
        raise SettingsError(
            "the web service is not installed; add it with `pip install brain-gateway[web]`"
        )
    chosen = {f"GATEWAY_{k.upper()}": str(v) for k, v in given.items() if v is not None}
    environment = {**os.environ, **chosen, "GATEWAY_HOME": str(home)}
    flags = [*(["--json"] if as_json else []), *(["--open"] if browse else [])]
    words = [sys.executable, "-m", "gateway.web", *flags]
    # The web is a face of its own, which this one does not know: it takes over the process.
    os.execve(sys.executable, words, environment)  # noqa: S606 - as above
