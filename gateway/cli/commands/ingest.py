"""`gateway ingest SOURCE DATASET/NAME`: bring data into the store."""

from pathlib import Path
from typing import Any, get_args

import click

from gateway.cli.answer import answer, note
from gateway.cli.cancelling import cancel_on_signal
from gateway.cli.opening import opened
from gateway.cli.outcome import plan_lines, result_lines
from gateway.cli.progress import show_events
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.cli.values import GridOfTiles, Lengths, Words
from gateway.service.gateway import Gateway
from gateway.service.ingest import (
    IngestOptions,
    ingest,
    link,
    links_in_place,
    plan_ingest,
    recognise,
)
from gateway.service.runs import run_options
from gateway.service.sheet import check_fields
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.model import IMAGE_DTYPES, LABEL_DTYPES, VolumeInfo, VolumeKind
from gateway.volumes.positions import Order
from gateway.volumes.ref import Ref, parse_ref

_SAMPLE_FIELDS = tuple(DatasetInfo.model_fields)


@click.command("ingest")
@click.argument("source")
@click.argument("ref", metavar="DATASET/NAME")
@click.option(
    "--voxel-um",
    type=Lengths(),
    help="Voxel size in micrometres; needed where the files do not say it.",
)
@click.option(
    "--positions",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV with a line per tile: file,nominal_z,nominal_y,nominal_x in voxels, or with _um.",
)
@click.option(
    "--overlap",
    type=click.FloatRange(0, 1, max_open=True),
    help="Share of a tile that neighbours have in common, to place tiles by row and column in "
    "their names.",
)
@click.option(
    "--order",
    type=click.Choice(get_args(Order)),
    default="raster",
    show_default=True,
    help="Whether every second row of tiles runs backwards.",
)
@click.option(
    "--grid", type=GridOfTiles(), help="Rows and columns, where the names only count the tiles."
)
@click.option("--channel-names", type=Words(), help="Names of the channels, in their order.")
@click.option(
    "--pattern", help="Regular expression whose first group is the channel in file names."
)
@click.option(
    "--kind",
    type=click.Choice(get_args(VolumeKind)),
    help="Whether voxels are intensities or object numbers, where the files do not say it.",
)
@click.option(
    "--dtype",
    type=click.Choice([*IMAGE_DTYPES, *LABEL_DTYPES]),
    help="Convert to this data type, checking that every value fits.",
)
@click.option("--axes", help="Order of the axes in the files, such as zcyx.")
@click.option("--array", help="The array inside a container, such as a path in an HDF5 file.")
@click.option("--series", type=click.IntRange(0), help="The image of a file that holds several.")
@click.option(
    "--in-place", is_flag=True, help="Register the data where they lie instead of copying them."
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML or CSV file with what is known of the sample.",
)
@click.option("--title", help="Title of the dataset.")
@click.option("--sample", help="Id of the sample.")
@click.option("--species", help="Species, such as Mus musculus.")
@click.option("--stain", help="What was stained, and how.")
@click.option("--modality", help="How it was imaged, such as 'light sheet'.")
@click.option("--date", help="When it was imaged: 2026-11-21, 2026-11 or 2026.")
@click.option("--licence", help="Licence of the data, such as CC-BY-4.0.")
@click.option("--person", "people", multiple=True, help="Who made the data. Repeat for more.")
@click.option("--tag", "tags", multiple=True, help="A word to find it by. Repeat for more.")
@click.option("--workers", type=click.IntRange(1, 4096), help="Processes; one per core if not set.")
@click.option("--dry-run", is_flag=True, help="Say what SOURCE is and what would be done.")
@click.option("--events", is_flag=True, help="Progress as JSON lines on stderr.")
@shared_options
@pass_shared
def command(
    shared: Shared,
    /,
    *,
    source: str,
    ref: str,
    workers: int | None,
    dry_run: bool,
    events: bool,
    **said: Any,
) -> None:
    """Bring a stack, a folder or a grid of tiles into the store.

    SOURCE is a file, a folder of planes, a folder of tiles, or a volume of another program. The
    result is called DATASET/NAME. Whatever is stopped goes on when the same command is given
    again.
    """
    options, name = _options(said), parse_ref(ref)
    with opened(shared) as gateway:
        if links_in_place(source, options):
            _link(shared, gateway, source, name, options)
            return
        path = Path(source)
        run = run_options(gateway, workers=workers) if workers else None
        found = recognise(path, options)
        note(str(found))
        if dry_run:
            plan = plan_ingest(gateway, path, name, options, run=run)
            data = {"source": found.to_json(), "plan": plan.to_json()}
            answer(data, plan_lines(plan), as_json=shared.json)
            return
        with cancel_on_signal() as cancel, show_events(as_json=events) as listener:
            result = ingest(
                gateway, path, name, options, run=run, listeners=(listener,), cancel=cancel
            )
    data = {**result.to_json(), "source": found.to_json()}
    answer(data, result_lines(result), as_json=shared.json)


def _options(said: dict[str, Any]) -> IngestOptions:
    fields = {name: said.pop(name) for name in _SAMPLE_FIELDS}
    known = {name: value for name, value in fields.items() if value}
    return IngestOptions(
        as_dtype=said.pop("dtype"),
        dataset=check_fields(known, "the command line") if known else None,
        **said,
    )


def _link(shared: Shared, gateway: Gateway, source: str, name: Ref, options: IngestOptions) -> None:
    info = link(gateway, source, name, options)
    answer(_link_json(name, source, info), _link_lines(name, source, info), as_json=shared.json)


def _link_json(name: Ref, source: str, info: VolumeInfo) -> dict[str, Any]:
    return {
        "ref": str(name),
        "kind": info.kind,
        "linked": source,
        "shape": info.array_shape,
        "axes": info.axes,
        "voxel_um": info.voxel_um,
        "digest": info.digest,
    }


def _link_lines(name: Ref, source: str, info: VolumeInfo) -> list[str]:
    shape = "x".join(map(str, info.array_shape))
    return [f"{name}  {info.kind}  {info.axes} {shape} {info.dtype}, lies in {source}"]
