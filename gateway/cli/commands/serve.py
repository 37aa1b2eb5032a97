"""`gateway serve`: the gateway in the browser."""

import importlib.util
import os
import sys

import click

from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.errors import SettingsError
from gateway.service.settings import find_home


@click.command("serve")
@click.option("--host", help="Address to listen on; the setting host otherwise.")
@click.option("--port", type=click.IntRange(0, 65535), help="Its port; 0 takes a free one.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that answer requests.")
@shared_options
@pass_shared
def command(shared: Shared, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the catalogue, the viewer, tools and runs in the browser.

    Prints one link that signs you in as the administrator of this gateway. Stop with Ctrl-C.
    """
    if importlib.util.find_spec("uvicorn") is None:
        raise SettingsError(
            "the web service is not installed; add it with `pip install brain-gateway[web]`"
        )
    given = {"host": host, "port": port, "web_workers": workers}
    chosen = {f"GATEWAY_{k.upper()}": str(v) for k, v in given.items() if v is not None}
    environment = {**os.environ, **chosen, "GATEWAY_HOME": str(find_home(shared.home))}
    # The web is a face of its own, which this one does not know: it takes over the process.
    os.execve(sys.executable, [sys.executable, "-m", "gateway.web"], environment)  # noqa: S606 - as above
