"""How much may be copied into a Galaxy history, or out of it: small boxes, never volumes."""

import math
import os
from pathlib import Path

import numpy as np

from gateway.errors import CallError
from gateway.service.gateway import Gateway
from gateway.volumes.box import Box
from gateway.volumes.formats.export import excerpt_info
from gateway.volumes.points import PointsTable
from gateway.volumes.volume import Volume

_CELL_BYTES = 8
"""Of a table, as a rule."""


def check_volume(
    gateway: Gateway, volume: Volume, name: str, level: int = 0, box: Box | None = None
) -> None:
    """Refuse a box that is too large to copy into a history.

    Args:
        gateway: The gateway, whose setting `cutout` is the limit.
        volume: The volume.
        name: What to call it in the refusal.
        level: The resolution level.
        box: The voxels wanted; None takes all.

    Raises:
        CallError: It is larger; says how large, and what would do.
        BoxError: The level or box is not in the volume.
    """
    info, _ = excerpt_info(volume.info, level, box)
    size = math.prod(info.array_shape) * np.dtype(info.dtype).itemsize
    _check(gateway, size, name, "export a coarser level or a box of it with the tool Export")


def check_table(gateway: Gateway, table: PointsTable, name: str) -> None:
    """Refuse a table that is too large to copy into a history.

    Raises:
        CallError: It is larger; says how large.
    """
    size = table.count * len(table.columns) * _CELL_BYTES
    _check(gateway, size, name, "read it by box in a notebook, or export it from its page")


def check_file(gateway: Gateway, path: Path, name: str) -> None:
    """Refuse a file or folder of a history that is too large to copy out of it.

    Raises:
        CallError: It is larger, or is not there.
    """
    try:
        size = _size(path)
    except OSError as error:
        raise CallError(f"{name!r} of the history cannot be read: {error.strerror}") from error
    _check(gateway, size, name, "put it into an inbox and ingest it from there")


def _check(gateway: Gateway, size: int, name: str, way_out: str) -> None:
    limit = int(gateway.settings.cutout)
    if size > limit:
        raise CallError(
            f"{name} has {size:,} bytes, and at most {limit:,} (the setting cutout) are copied "
            f"between a history and the store; {way_out}"
        )


def _size(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size
    files = (Path(parent, name) for parent, _, names in os.walk(path) for name in names)
    return sum(file.lstat().st_size for file in files)
