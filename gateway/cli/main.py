"""The command `gateway`: the group of all commands and its way in."""

import click

import gateway
from gateway.cli.group import COMMANDS, GatewayGroup
from gateway.cli.shared import shared_options


@click.group(
    "gateway",
    cls=GatewayGroup,
    commands_table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 failed, 2 bad call, 130 cancelled.",
)
@click.version_option(gateway.__version__, prog_name="gateway", message="%(prog)s %(version)s")
@shared_options
def main() -> None:
    """Work on the same chunked brain volumes, without copying them.

    Start with `gateway demo`, or with `gateway init HOME` and `gateway ingest`.
    """
