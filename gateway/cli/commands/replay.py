"""`gateway replay REF`: run again what made a thing and compare."""

from collections.abc import Iterable

import click

from gateway.cli.answer import answer
from gateway.cli.cancelling import cancel_on_signal
from gateway.cli.group import DONE, FAILED
from gateway.cli.opening import opened
from gateway.cli.progress import show_events
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.cli.values import Voxels
from gateway.service.replay import ReplayReport, replay
from gateway.service.runs import run_options
from gateway.volumes.box import Shape


@click.command("replay")
@click.argument("ref")
@click.option("--workers", type=click.IntRange(1, 4096), help="Processes; one per core if not set.")
@click.option("--block-voxels", type=Voxels(), help="Shape of a block; any gives the same result.")
@click.option("--events", is_flag=True, help="Progress as JSON lines on stderr.")
@shared_options
@pass_shared
def command(
    shared: Shared, /, ref: str, *, workers: int | None, block_voxels: Shape | None, events: bool
) -> int:
    """Run again what made a thing and compare the digests.

    The record beside the data says what to run. What is made again is removed afterwards. Exit
    code 1 means that something came out different.
    """
    with opened(shared) as gateway:
        options = run_options(gateway, workers=workers, block_voxels=block_voxels)
        with cancel_on_signal() as cancel, show_events(as_json=events) as listener:
            report = replay(gateway, ref, options, listeners=(listener,), cancel=cancel)
    answer(report.to_json(), _lines(report), as_json=shared.json)
    return DONE if report.same else FAILED


def _lines(report: ReplayReport) -> Iterable[str]:
    for output in report.outputs:
        if output.same:
            yield f"same       {output.ref}  {output.found}"
        else:
            yield f"DIFFERENT  {output.ref}  recorded {output.recorded}, now {output.found}"
    outcome = "came out the same" if report.same else "came out DIFFERENT"
    yield f"{report.tool} {report.version} {outcome} ({report.wall_s:.1f} s)"
