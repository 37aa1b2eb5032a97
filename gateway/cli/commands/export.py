"""`gateway export REF FILE`: write a thing to a file other programs read."""

from pathlib import Path

import click

from gateway.cli.answer import answer
from gateway.cli.opening import opened
from gateway.cli.progress import show_count
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.cli.values import BoxOfVoxels
from gateway.service.exports import export
from gateway.volumes.box import Box
from gateway.volumes.ref import parse_ref


@click.command("export")
@click.argument("ref")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--level",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Resolution level of a volume; 0 is the finest.",
)
@click.option("--box", type=BoxOfVoxels(), help="The voxels wanted, in the grid of that level.")
@click.option("--overwrite", is_flag=True, help="Replace FILE where it is there already.")
@shared_options
@pass_shared
def command(
    shared: Shared, /, ref: str, file: Path, *, level: int, box: Box | None, overwrite: bool
) -> None:
    """Write a volume or table to a file other programs read.

    The name of FILE says the format: .tif .nii .nii.gz .nrrd .npy .ome.zarr for volumes, .csv
    .json .parquet .h5 for tables.
    """
    name = parse_ref(ref)
    with opened(shared) as gateway, show_count("export") as progress:
        export(gateway, name, file, level=level, box=box, overwrite=overwrite, progress=progress)
    data = {
        "ref": str(name),
        "file": str(file.absolute()),
        "level": level,
        "box": str(box) if box else None,
    }
    answer(data, [f"{name} -> {file}"], as_json=shared.json)
