"""`gateway init HOME`: make a gateway home."""

from pathlib import Path

import click

from gateway.cli.answer import answer, pairs
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.home import init_home


@click.command("init")
@click.argument("place", metavar="HOME", type=click.Path(path_type=Path))
@shared_options
@pass_shared
def command(shared: Shared, place: Path) -> None:
    """Make a gateway home: store, catalogue and settings.

    HOME is a folder that is new, empty, or already a home; what is there stays as it is.
    """
    settings = init_home(place)
    home = place.expanduser().absolute()
    data = {"home": str(home), "store": settings.store, "settings": str(home / "gateway.toml")}
    lines = [
        *pairs(data),
        "",
        f"Next: export GATEWAY_HOME={home}",
        "      gateway ingest SOURCE DATASET/NAME",
    ]
    answer(data, lines, as_json=shared.json)
