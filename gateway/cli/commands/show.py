"""`gateway show REF`: what a thing is and where it comes from."""

from collections.abc import Iterable

import click

from gateway.cli.answer import answer, pairs
from gateway.cli.facts import fact_rows
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.listing import EntryDetail, show_entry


@click.command("show")
@click.argument("ref")
@shared_options
@pass_shared
def command(shared: Shared, ref: str) -> None:
    """Show what a volume, table or grid of tiles is.

    Shape, axes, voxel size, levels, digest, and the run that made it.
    """
    with opened(shared) as gateway:
        detail = show_entry(gateway, ref)
    answer(detail.to_json(), _lines(detail), as_json=shared.json)


def _lines(detail: EntryDetail) -> Iterable[str]:
    summary, run = detail.summary, detail.made_by
    rows = {"ref": str(summary.ref), "kind": summary.entry.kind, **fact_rows(summary.entry.facts)}
    rows["digest"] = summary.entry.digest or "none"
    rows["made by"] = summary.entry.made_by or "another program"
    if run is not None:
        inputs = ", ".join(f"{port.port}={port.ref}" for port in run.inputs)
        given = {name: value for name, value in run.call["params"].items() if value is not None}
        settings = ", ".join(f"{name}={value}" for name, value in given.items())
        rows["made by"] = f"{run.tool} {run.version}, run {run.id}"
        rows["from"] = inputs or "nothing in a store"
        rows["settings"] = settings or "none"
        rows["when"] = f"{run.started:%Y-%m-%d %H:%M} UTC, {run.wall_s or 0:.1f} s"
    for used in detail.used_by:
        rows[f"used by {used.id}"] = f"{used.tool} {used.version}"
    yield from pairs(rows)
