"""`gateway catalog`: look after the catalogue."""

from collections.abc import Iterable

import click

from gateway.cli.answer import answer, columns
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.records.runs import RunRecord
from gateway.service.listing import list_runs
from gateway.service.rebuild import RebuildReport, rebuild_catalogue
from gateway.service.review.keeping import store_layers


@click.group("catalog")
@shared_options
def command() -> None:
    """Look after the catalogue."""


@command.command("rebuild")
@shared_options
@pass_shared
def rebuild(shared: Shared) -> None:
    """Make the catalogue anew from what lies in the store.

    The store holds all that the catalogue knows; use this when the database is lost or old.
    """
    with opened(shared) as gateway:
        report = rebuild_catalogue(gateway)
    answer(report.to_json(), _rebuild_lines(report), as_json=shared.json)


@command.command("runs")
@click.argument("dataset", required=False)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="At most so many, the latest first.",
)
@shared_options
@pass_shared
def runs(shared: Shared, dataset: str | None, limit: int) -> None:
    """List runs, the latest first, however they ended."""
    with opened(shared) as gateway:
        records = list_runs(gateway, dataset=dataset, limit=limit)
    data = {"runs": [record.to_json() for record in records]}
    answer(data, _run_lines(records), as_json=shared.json)


@command.command("layers")
@shared_options
@pass_shared
def layers(shared: Shared) -> None:
    """Write changed annotation layers into the folders of their datasets.

    A running service does so by itself, a few seconds after the last edit.
    """
    with opened(shared) as gateway:
        stored = store_layers(gateway)
    answer({"stored": stored}, [f"wrote {each}" for each in stored], as_json=shared.json)


def _rebuild_lines(report: RebuildReport) -> Iterable[str]:
    for problem in report.problems:
        yield f"left out: {problem}"
    for dataset in report.crates_restored:
        yield f"the record beside {dataset} was completed from the old catalogue"
    for layer in report.layers_restored:
        yield f"the annotation layer {layer} came back from its dataset"
    yield f"{report.datasets} datasets, {report.entries} things, {report.runs} runs"


def _run_lines(records: Iterable[RunRecord]) -> Iterable[str]:
    yield from columns(
        [
            (
                f"{record.started:%Y-%m-%d %H:%M}",
                record.status,
                f"{record.tool} {record.version}",
                ", ".join(port.ref for port in record.outputs),
                record.id,
            )
            for record in records
        ]
    )
