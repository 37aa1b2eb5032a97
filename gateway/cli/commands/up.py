"""`gateway up`: JupyterHub as the front door of the gateway."""

import click

from gateway.cli.serving import take_over_as_hub
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.settings import find_home


@click.command("up")
@click.option("--host", help="Address to listen on; the setting host otherwise.")
@click.option("--port", type=click.IntRange(0, 65535), help="The one public port; 0 a free one.")
@click.option(
    "--spawner",
    type=click.Choice(["auto", "local", "docker", "kube", "slurm"]),
    help="Where notebook servers start; the setting hub_spawner otherwise.",
)
@click.option("--galaxy", is_flag=True, help="Run Galaxy too; the first start installs it.")
@click.option("--new-passwords", is_flag=True, help="Make new shared passwords and print them.")
@shared_options
@pass_shared
def command(
    shared: Shared,
    /,
    *,
    host: str | None,
    port: int | None,
    spawner: str | None,
    galaxy: bool,
    new_passwords: bool,
) -> None:
    """Start JupyterHub with the gateway behind it, under one sign-in.

    People sign in once and then reach the catalogue, the viewer and their own notebook servers
    through one port. Prints the address and, at the first start, the passwords. Ctrl-C stops the
    hub, its proxy, the web service and, where they are local processes, the notebook servers.
    """
    given = {"host": host, "hub_port": port, "hub_spawner": spawner, "galaxy": galaxy or None}
    take_over_as_hub(
        find_home(shared.home), given, as_json=shared.json, new_passwords=new_passwords
    )
