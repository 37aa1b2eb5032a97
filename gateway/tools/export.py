"""The tool `export`: a volume or a table of points as a file of another program."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.errors import CallError
from gateway.toolkit.define import tool
from gateway.toolkit.outputs import Outputs
from gateway.toolkit.ports import File, Image, Labels, Points
from gateway.toolkit.spec import Example
from gateway.volumes.box import Box
from gateway.volumes.formats.export import export_points, export_volume

Index = Annotated[int, Field(ge=0)]


@tool(
    version="1.0.0",
    image="brain-gateway/tools",
    edam=("operation_3434",),
    examples=(
        Example(inputs={"image": "two_blobs"}, params={}, expect={"file": ""}),
        Example(inputs={"points": "three_points"}, params={}, expect={"file": ""}),
    ),
)
def export(
    image: Image | None = None,
    labels: Labels | None = None,
    points: Points | None = None,
    *,
    level: Annotated[int, Field(ge=0, le=32)] = 0,
    start_voxels: tuple[Index, Index, Index] | None = None,
    stop_voxels: tuple[Index, Index, Index] | None = None,
    outputs: Outputs[File],
) -> None:
    """Write a volume or a table of points to a file of another format.

    The name of the file tells the format: .tif, .nii.gz, .nii, .nrrd, .npy or .ome.zarr for
    volumes, .csv, .json, .parquet or .h5 for points. Voxel size and position are kept where the
    format can hold them.

    Args:
        image: The image to write; give one input.
        labels: The labels to write.
        points: The points to write.
        level: Resolution level; 0 is the finest.
        start_voxels: First voxel wanted z, y, x, in the grid of the level; the first of all
            where none is given.
        stop_voxels: First voxel z, y, x no longer wanted; the end where none is given.
        outputs: Where the file goes.

    Returns:
        The file.
    """
    given = [item for item in (image, labels, points) if item is not None]
    if len(given) != 1:
        raise CallError(f"export: {len(given)} inputs given; give one of image, labels, points")
    path = Path(outputs.file("file"))
    if points is not None:
        export_points(points, path)
        return
    volume = image or labels
    if volume is None:
        return
    info = volume.info
    shape = info.levels[level].shape if level < len(info.levels) else info.shape
    box = Box(start_voxels or (0, 0, 0), stop_voxels or shape)
    reduce = reduce_mode if info.kind == "labels" else reduce_mean
    export_volume(volume, path, level=level, box=box, reduce=reduce)
