"""`gateway ls [DATASET]`: list what there is."""

from collections.abc import Iterable, Sequence

import click

from gateway.cli.answer import answer, columns
from gateway.cli.facts import size_words
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.listing import (
    DatasetSummary,
    EntrySummary,
    summarize_dataset,
    summarize_store,
)


@click.command("ls")
@click.argument("dataset", required=False)
@shared_options
@pass_shared
def command(shared: Shared, dataset: str | None) -> None:
    """List datasets, or what one dataset holds."""
    with opened(shared) as gateway:
        if dataset is None:
            datasets = summarize_store(gateway)
            data = {"datasets": [item.to_json() for item in datasets]}
            answer(data, _dataset_lines(datasets, gateway.store.url), as_json=shared.json)
            return
        entries = summarize_dataset(gateway, dataset)
    answer(
        {"dataset": dataset, "entries": [item.to_json() for item in entries]},
        _entry_lines(dataset, entries),
        as_json=shared.json,
    )


def _dataset_lines(datasets: Sequence[DatasetSummary], url: str) -> Iterable[str]:
    if not datasets:
        yield f"No dataset in {url} yet; `gateway ingest SOURCE DATASET/NAME` brings one in."
    yield from columns(
        [
            (
                item.name,
                f"{item.entries} things",
                item.problem or " ".join(filter(None, (item.info.title, item.info.species))),
            )
            for item in datasets
        ]
    )


def _entry_lines(dataset: str, entries: Sequence[EntrySummary]) -> Iterable[str]:
    if not entries:
        yield f"{dataset} holds nothing yet."
    yield from columns(
        [
            (str(item.ref), item.entry.kind, item.problem or size_words(item.entry.facts))
            for item in entries
        ]
    )
