"""What a format's metadata say of an array that lies elsewhere."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import FormatError, NotFoundError
from gateway.volumes.box import Vector
from gateway.volumes.model import Channel, VolumeKind
from gateway.volumes.store import Store

Units = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredLevel:
    """One array as TensorStore opens it, with its place in the units of the file, zyx."""

    driver: str
    path: str
    """Key of the array in its store; '' is the root."""
    scale: Vector | None = None
    """Size of a voxel; None where only the shape tells."""
    translation: Vector = (0.0, 0.0, 0.0)
    """Centre of voxel (0, 0, 0)."""
    options: Mapping[str, int] = field(default_factory=dict)
    """Further members of the TensorStore spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """An image pyramid in place, finest level first."""

    format: str
    levels: tuple[StoredLevel, ...]
    axes: str | None = None
    """The stored order of `tczyx`; None where the file does not say."""
    um_per_unit: Units = (None, None, None)
    """Micrometres per unit of `scale`, zyx; None where the file does not say."""
    kind: VolumeKind | None = None
    channels: tuple[Channel, ...] = ()
    time_step_s: float | None = None
    digest: str | None = None
    """The gateway's digest, where it wrote the volume itself."""


def read_document(store: Store, key: str) -> dict[str, Any] | None:
    """Read a JSON object; None where there is no such file.

    Raises:
        FormatError: The file is not a JSON object.
    """
    try:
        found = json.loads(store.get(key))
    except NotFoundError:
        return None
    except ValueError as error:
        raise FormatError(f"{key} in {store.url} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise FormatError(f"{key} in {store.url} holds no JSON object")
    return found


def from_xyz(values: Sequence[Any]) -> Vector:
    """Turn the first three of values in x, y, z order into zyx."""
    x, y, z = (float(value) for value in values[:3])
    return (z, y, x)
