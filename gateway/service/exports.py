"""Export: a level of a volume, a box of it, or a table of points as a file of another program."""

from collections.abc import Mapping
from pathlib import Path

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.errors import CallError
from gateway.service.gateway import Gateway
from gateway.volumes.box import Box
from gateway.volumes.formats.export import export_points, export_volume
from gateway.volumes.formats.format import Progress
from gateway.volumes.model import VolumeKind
from gateway.volumes.open import open_ref
from gateway.volumes.points import PointsTable
from gateway.volumes.ref import Ref
from gateway.volumes.volume import Volume
from gateway.volumes.writer import Reduce

_REDUCE: Mapping[VolumeKind, Reduce] = {"image": reduce_mean, "labels": reduce_mode}


def export(
    gateway: Gateway,
    ref: Ref,
    file: Path,
    *,
    level: int = 0,
    box: Box | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> None:
    """Write a thing of the store to a file; the file appears when it is whole.

    Args:
        gateway: The gateway.
        ref: An image, labels or points.
        file: Its name tells the format: `.tif .nii.gz .nii .nrrd .npy .ome.zarr` for volumes,
            `.csv .json .parquet .h5` for points.
        level: The resolution level of a volume.
        box: The voxels wanted, in the grid of that level; None takes all.
        overwrite: Replace a file that is there.
        progress: Told planes or shards done and in all.

    Raises:
        NotFoundError: Nothing has that name, or there is no folder to write into.
        CallError: The thing has no file format, or level and box have no meaning for it.
        FormatError: No format of that name is written, or it cannot hold the volume.
        BoxError: The level or box is not in the volume.
        ExistsError: The file is there and is not to be replaced.
        StoreError: There is no room; says how much is needed and free.
    """
    thing = open_ref(gateway.store, ref)
    path = file.absolute()
    if isinstance(thing, PointsTable):
        if level or box is not None:
            raise CallError(f"{ref} is a table of points: --level and --box are for volumes")
        export_points(thing, path, overwrite=overwrite)
    elif isinstance(thing, Volume):
        export_volume(
            thing,
            path,
            level=level,
            box=box,
            reduce=_REDUCE[thing.info.kind],
            overwrite=overwrite,
            progress=progress,
        )
    else:
        raise CallError(
            f"{ref} is a {type(thing).__name__}, which no other program's file holds; export an "
            "image, labels or points"
        )
