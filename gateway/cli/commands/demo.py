"""`gateway demo`: the whole way on one sample."""

import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from gateway.cli.answer import answer, note
from gateway.cli.cancelling import cancel_on_signal
from gateway.cli.progress import show_events
from gateway.cli.serving import can_serve, take_over
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.cli.values import Lengths
from gateway.service.demo import DemoOptions, DemoResult, run_demo
from gateway.volumes.box import Vector


@click.command("demo")
@click.option(
    "--sample",
    type=click.Path(path_type=Path),
    help="A folder of tiles, with positions.csv where there is one; else a sample is fetched.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo-output"),
    show_default=True,
    help="Where home, sample and report go.",
)
@click.option(
    "--voxel-um", type=Lengths(), help="Voxel size of the tiles; 5,2,2 where they do not say."
)
@click.option(
    "--diameter-um",
    type=click.FloatRange(min=0, min_open=True),
    help="Expected diameter of a nucleus; 16 where the sample does not say.",
)
@click.option("--workers", type=click.IntRange(1, 4096), help="Processes; one per core if not set.")
@click.option(
    "--serve/--no-serve",
    default=None,
    help="Serve the result in the browser at the end; on a terminal that is the default.",
)
@shared_options
@pass_shared
def command(
    shared: Shared,
    /,
    *,
    sample: Path | None,
    out: Path,
    voxel_um: Vector | None,
    diameter_um: float | None,
    workers: int | None,
    serve: bool | None,
) -> None:
    """Stitch, detect, measure and draw a sample brain, and report it.

    The steps: ingest a grid of tiles, stitch them, find and outline every nucleus, measure each,
    and write one HTML file that shows it all. Run it again to go on where it was stopped. At the
    end the result is served in the browser, until you press Ctrl-C.
    """
    options = DemoOptions(
        out=out, sample=sample, voxel_um=voxel_um, diameter_um=diameter_um, workers=workers
    )
    with cancel_on_signal() as cancel, show_events() as listener:
        result = run_demo(options, say=note, listeners=(listener,), cancel=cancel)
    answer(_as_json(result), _lines(result), as_json=shared.json)
    if _shall_serve(wanted=serve, as_json=shared.json):
        note("\nServing the result; Ctrl-C stops it. `gateway up` adds notebooks.")
        take_over(result.home, {"port": 0})


def _shall_serve(*, wanted: bool | None, as_json: bool) -> bool:
    """Return what was asked for; else serve where somebody watches."""
    if wanted is not None:
        return wanted
    return sys.stdout.isatty() and not as_json and "CI" not in os.environ and can_serve()


def _as_json(result: DemoResult) -> dict[str, Any]:
    data = asdict(result)
    if result.errors.nuclei is not None:
        data["errors"]["nuclei"]["f1"] = result.errors.nuclei.f1
    return data


def _lines(result: DemoResult) -> Iterable[str]:
    yield f"{result.sample}: {result.nuclei} nuclei, {result.wall_s:.0f} s"
    if result.errors.position_voxels is not None:
        yield (
            f"tile positions: rms error {result.errors.position_voxels:.3f} voxel "
            f"(the stage: {result.errors.stage_voxels:.2f})"
        )
    if result.errors.nuclei is not None:
        score = result.errors.nuclei
        yield f"nuclei: F1 {score.f1:.3f}, {score.matched} of {score.true} true ones found"
    yield ""
    yield f"report: {result.report}"
    yield ""
    yield "Try next:"
    for line in result.commands:
        yield f"  {line}"
