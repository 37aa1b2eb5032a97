"""`gateway serve`: the gateway in the browser."""

import click

from gateway.cli.serving import take_over
from gateway.cli.shared import Shared, pass_shared, shared_options
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
