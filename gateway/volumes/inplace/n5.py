"""N5 in place: one dataset, or a group of levels `s0`, `s1`, …. N5 counts axes from x."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from gateway.volumes.box import Vector
from gateway.volumes.formats.metadata import to_um
from gateway.volumes.inplace.described import (
    Described,
    StoredLevel,
    Units,
    from_xyz,
    read_document,
)
from gateway.volumes.store import Store

_FILE = "attributes.json"
_AXES = "xyzct"


def describe(store: Store) -> Described | None:
    """Describe the dataset or group at the root of a store; None where there is none."""
    root = read_document(store, _FILE)
    if root is not None and "dimensions" in root:
        return _described([("", root)], root)
    levels = []
    for number in count():
        attributes = read_document(store, f"s{number}/{_FILE}")
        if attributes is None or "dimensions" not in attributes:
            break
        levels.append((f"s{number}", attributes))
    return _described(levels, root or {}) if levels else None


def _described(
    levels: Sequence[tuple[str, Mapping[str, Any]]], group: Mapping[str, Any]
) -> Described:
    finest = levels[0][1]
    voxel, units = _voxel(finest, group)
    stored = []
    for number, (path, attributes) in enumerate(levels):
        factor = _factor(attributes, group, number, finest)
        stored.append(
            StoredLevel(
                driver="n5",
                path=path,
                scale=_times(voxel or (1.0, 1.0, 1.0), factor),
                translation=_times(voxel or (1.0, 1.0, 1.0), _half(factor)),
            )
        )
    axes = "".join(str(axis).lower()[:1] for axis in finest.get("axes") or group.get("axes") or ())
    rank = len(finest["dimensions"])
    return Described(
        format="n5",
        levels=tuple(stored),
        axes=axes if len(axes) == rank and set(axes) <= set(_AXES) else _AXES[:rank],
        um_per_unit=units,
    )


def _voxel(finest: Mapping[str, Any], group: Mapping[str, Any]) -> tuple[Vector | None, Units]:
    """Read `pixelResolution` with its unit, or `resolution` with `units`."""
    said = finest.get("pixelResolution", group.get("pixelResolution"))
    if isinstance(said, Mapping):
        values, units = said.get("dimensions", ()), [said.get("unit")] * 3
    else:
        values = finest.get("resolution", group.get("resolution", said or ()))
        units = finest.get("units", group.get("units", [None] * 3))
    if len(values) < 3 or len(units) < 3:  # noqa: PLR2004
        return None, (None, None, None)
    x, y, z = (to_um(1.0, unit) for unit in units[:3])
    return from_xyz(values), (z, y, x)


def _factor(
    attributes: Mapping[str, Any], group: Mapping[str, Any], number: int, finest: Mapping[str, Any]
) -> Vector:
    """Return how much coarser a level is: as it says, as its group says, or by its shape."""
    listed = group.get("downsamplingFactors", group.get("scales", ()))
    said = attributes.get("downsamplingFactors")
    if said is None and number < len(listed):
        said = listed[number]
    if said is None:
        shapes = zip(finest["dimensions"], attributes["dimensions"], strict=True)
        said = [max(1, round(fine / coarse)) for fine, coarse in shapes]
    return from_xyz([*said, 1, 1, 1])


def _times(first: Vector, second: Vector) -> Vector:
    z, y, x = (a * b for a, b in zip(first, second, strict=True))
    return (z, y, x)


def _half(factor: Vector) -> Vector:
    """Return the centre of the first coarse voxel, in fine voxels from the first fine centre."""
    z, y, x = ((value - 1) / 2 for value in factor)
    return (z, y, x)
