"""`gateway clean`: remove what runs that nobody will resume left behind."""

import sys
from collections.abc import Iterable
from datetime import timedelta

import click

from gateway.cli.answer import answer, columns, note
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.leftovers import Leftover, find_leftovers, give_up, mark_lost_runs


@click.command("clean")
@click.option(
    "--older-than",
    metavar="DAYS",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Only what was last at work so many days ago.",
)
@click.option("--yes", is_flag=True, help="Remove without asking.")
@shared_options
@pass_shared
def command(shared: Shared, /, *, older_than: float, yes: bool) -> None:
    """Remove what runs that nobody will resume left behind.

    A run that was stopped keeps what it has done, so that the same command goes on. This lists
    such runs, asks, and removes what they keep; the catalogue then says that they were given up.
    A run that is under way is left alone. Where nobody can be asked, nothing is removed without
    --yes.
    """
    with opened(shared) as gateway:
        found = find_leftovers(gateway, timedelta(days=older_than))
        idle = [item for item in found if not item.busy]
        for line in _lines(found):
            note(line)
        remove = bool(idle) and (yes or _agreed(len(idle), shared))
        for item in idle if remove else ():
            give_up(gateway, item)
        lost = mark_lost_runs(gateway)
    removed = idle if remove else []
    data = {
        "found": [item.to_json() for item in found],
        "removed": [str(item.run) for item in removed],
        "bytes": sum(item.bytes or 0 for item in removed),
        "marked": [record.id for record in lost],
    }
    answer(data, _outcome(removed, idle, len(lost)), as_json=shared.json)


def _agreed(count: int, shared: Shared) -> bool:
    if shared.json or not sys.stdin.isatty():
        return False
    whose = "this run" if count == 1 else f"these {count} runs"
    return click.confirm(f"Remove what {whose} left? It cannot be resumed then.", err=True)


def _lines(found: Iterable[Leftover]) -> Iterable[str]:
    return columns(
        [
            (
                f"{item.changed:%Y-%m-%d %H:%M}" if item.changed else "-",
                "-" if item.bytes is None else f"{item.bytes / 1e6:,.1f} MB",
                item.tool or "(never begun)",
                ", ".join(item.outputs) or item.run.dataset,
                f"under way: {item.busy}" if item.busy else "stopped",
            )
            for item in found
        ]
    )


def _outcome(removed: list[Leftover], idle: list[Leftover], lost: int) -> Iterable[str]:
    if not idle:
        yield "No stopped run left anything."
    elif removed:
        size = sum(item.bytes or 0 for item in removed)
        yield f"Removed what {len(removed)} stopped runs left: {size / 1e6:,.1f} MB."
    else:
        yield f"Nothing was removed; `gateway clean --yes` removes what {len(idle)} runs left."
    if lost:
        yield f"{lost} runs that ended without a word are marked as failed."
