"""Neuroglancer precomputed volumes in place; they are stored as `xyzc`, in nanometres."""

from collections.abc import Mapping
from typing import Any

from gateway.errors import FormatError
from gateway.volumes.box import Vector
from gateway.volumes.inplace.described import Described, StoredLevel, from_xyz, read_document
from gateway.volumes.model import VolumeKind
from gateway.volumes.store import Store

_UM_PER_NM = 1e-3
_KINDS: dict[str, VolumeKind] = {"image": "image", "segmentation": "labels"}


def describe(store: Store) -> Described | None:
    """Describe the volume at the root of a store; None where there is none.

    Raises:
        FormatError: Its `info` lacks something.
    """
    info = read_document(store, "info")
    if info is None or info.get("type") not in _KINDS:
        return None
    try:
        finest = from_xyz(info["scales"][0]["resolution"])
        levels = tuple(_level(number, scale, finest) for number, scale in enumerate(info["scales"]))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise FormatError(
            f"info in {store.url} is no precomputed volume: {error!r}; expected scales with "
            "resolution and voxel_offset"
        ) from error
    return Described(
        format="precomputed",
        levels=levels,
        axes="xyzc",
        um_per_unit=(_UM_PER_NM, _UM_PER_NM, _UM_PER_NM),
        kind=_KINDS[info["type"]],
    )


def _level(number: int, scale: Mapping[str, Any], finest: Vector) -> StoredLevel:
    size = from_xyz(scale["resolution"])
    offset = from_xyz(scale.get("voxel_offset", (0, 0, 0)))
    # Offsets count from corners, and levels share a corner: centres differ by half a voxel.
    z, y, x = (o * s + (s - f) / 2 for o, s, f in zip(offset, size, finest, strict=True))
    return StoredLevel(
        driver="neuroglancer_precomputed",
        path="",
        scale=size,
        translation=(z, y, x),
        options={"scale_index": number},
    )
