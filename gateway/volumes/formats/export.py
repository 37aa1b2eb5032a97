"""Writing a level, or a box of it, to a file of another format: whole or not at all."""

import errno
import math
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from gateway.errors import BoxError, ExistsError, NotFoundError, StoreError
from gateway.volumes.box import Box, Vector
from gateway.volumes.formats.format import Excerpt, Progress
from gateway.volumes.formats.registry import writer_for
from gateway.volumes.formats.table import table_writer_for
from gateway.volumes.model import Level, VolumeInfo
from gateway.volumes.points import PointsTable
from gateway.volumes.source import Source
from gateway.volumes.writer import Reduce

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_PACKED_SHARE = 0.02
"""What the best compression might leave of the voxels, in formats that compress."""
_PACKED = (".gz", ".nrrd", ".zarr")


def export_volume(
    source: Source,
    path: Path,
    *,
    level: int = 0,
    box: Box | None = None,
    reduce: Reduce | None = None,
    overwrite: bool = False,
    progress: Progress = lambda _done, _total: None,
) -> Excerpt:
    """Write voxels to a file of the format its name tells, slab by slab.

    Args:
        source: The volume.
        path: `.tif`, `.nii.gz`, `.nii`, `.nrrd`, `.npy` or `.ome.zarr`.
        level: The resolution level.
        box: The voxels wanted, in the grid of that level; None takes all.
        reduce: Makes the coarse levels of `.ome.zarr`.
        overwrite: Replace what is at `path`.
        progress: Told planes or shards done and in all.

    Raises:
        FormatError: No format of that name is written, or it cannot hold the volume.
        BoxError: The level or box is not in the volume.
        ExistsError: `path` is there and is not to be replaced.
        StoreError: There is no room; says how much is needed and free.
    """
    write = writer_for(path).write
    info, whole = excerpt_info(source.info, level, box)
    excerpt = Excerpt(
        source=source, info=info, level=level, box=whole, reduce=reduce, progress=progress
    )
    raw = math.prod(info.array_shape) * np.dtype(info.dtype).itemsize
    least = raw * (_PACKED_SHARE if path.name.lower().endswith(_PACKED) else 1)
    if write is not None:
        with whole_or_nothing(path, int(least), overwrite=overwrite) as staged:
            write(excerpt, staged)
    return excerpt


def export_points(table: PointsTable, path: Path, *, overwrite: bool = False) -> None:
    """Write a points table as `.csv`, `.json`, `.parquet` or `.h5`; errors as `export_volume`."""
    write = table_writer_for(path)
    with whole_or_nothing(path, 0, overwrite=overwrite) as staged:
        write(table, staged)


@contextmanager
def whole_or_nothing(path: Path, least_bytes: int, *, overwrite: bool) -> Iterator[Path]:
    """Yield a name to write to; it becomes `path` when the block ends, and vanishes if it fails.

    Raises:
        ExistsError: `path` is there and is not to be replaced.
        NotFoundError: Its folder is not there.
        StoreError: There are fewer than `least_bytes` free, or writing failed.
    """
    if path.exists() and not overwrite:
        raise ExistsError(f"{path} already exists; choose another name, or say --overwrite")
    if not path.parent.is_dir():
        raise NotFoundError(f"there is no folder {path.parent} to write {path.name} into")
    free = shutil.disk_usage(path.parent).free
    if least_bytes > free:
        raise StoreError(
            f"{path} needs at least {least_bytes:,} bytes and {path.parent} has {free:,} free; "
            "free some space, or export a coarser --level or a --box"
        )
    # the suffix stays, because formats look at it
    staged = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        yield staged
        if path.is_dir():
            shutil.rmtree(path)
        staged.replace(path)
    except OSError as error:
        if isinstance(error, StoreError | ExistsError):
            raise
        way_out = "; free some space" if error.errno in _FULL else ""
        raise StoreError(f"cannot write {path}: {error.strerror or error}{way_out}") from error
    finally:
        if staged.is_dir():
            shutil.rmtree(staged)
        else:
            staged.unlink(missing_ok=True)


def excerpt_info(info: VolumeInfo, level: int, box: Box | None) -> tuple[VolumeInfo, Box]:
    """Return the metadata of a box of a level, and the box; None takes all.

    Raises:
        BoxError: The level or box is not in the volume.
    """
    levels = info.levels
    if not 0 <= level < max(1, len(levels)):
        raise BoxError(f"there is no level {level}; levels are 0 to {max(0, len(levels) - 1)}")
    grid: VolumeInfo | Level = levels[level] if levels else info
    whole = Box.of_shape(grid.shape)
    wanted = box or whole
    if not wanted.voxels or not whole.contains(wanted):
        raise BoxError(f"box {wanted} is empty or reaches outside level {level}, {whole}")
    z, y, x = (
        o + a * v for o, a, v in zip(grid.origin_um, wanted.start, grid.voxel_um, strict=True)
    )
    origin: Vector = (z, y, x)
    cut = replace(
        info,
        shape=wanted.shape,
        voxel_um=grid.voxel_um,
        origin_um=origin,
        levels=(),
        digest=None,
        made_by=None,
    )
    return cut, wanted
