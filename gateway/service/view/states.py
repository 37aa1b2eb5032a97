"""Neuroglancer states: every layer of a dataset, placed, scaled and coloured to be seen at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gateway.errors import CallError, GatewayError, NotFoundError
from gateway.service.gateway import Gateway
from gateway.service.view.layers import (
    image_layers,
    labels_layer,
    points_layer,
    precomputed_layer,
)
from gateway.volumes.box import Vector
from gateway.volumes.dataset import Entry, list_entries
from gateway.volumes.open import Thing, open_ref
from gateway.volumes.points import PointsTable
from gateway.volumes.volume import Volume

Rendering = Literal["off", "max", "on"]

_SHOWN = frozenset({"image", "labels", "points", "mesh", "skeleton"})
_PANEL_PIXELS = 380.0
"""What one of four panels shows across, on a laptop."""
_MARGIN = 1.05
_METRES = 1e-6
_POINT_STEP_UM: Vector = (1.0, 1.0, 1.0)
"""The unit of a view of points alone."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An opened entry and the box it fills, in micrometres; None where it fills none."""

    entry: Entry
    thing: Thing | None
    low_um: Vector | None = None
    high_um: Vector | None = None


def viewer_state(
    gateway: Gateway,
    dataset: str,
    base: str,
    entries: Sequence[str] = (),
    *,
    rendering: Rendering = "off",
    visible: frozenset[str] | None = None,
) -> dict[str, Any]:
    """Return the state that shows a dataset, or some entries of it, in Neuroglancer.

    Args:
        gateway: The gateway.
        dataset: Name of the dataset.
        base: What leads the URLs of the data, without a slash at the end: the address of this
            service, with `/s/<token>` for whoever has a share link.
        entries: Names of what to show; none means all, the largest image on top.
        rendering: How the 3D panel shows images: `off` as slices, `max` or `on` as volumes.
        visible: The entries that whoever asks may know of; None means all.

    Returns:
        JSON as the viewer's `restoreState` takes it. What cannot be opened is left out.

    Raises:
        NotFoundError: There is no such dataset or entry, or nothing in it can be shown.
        CallError: An entry is of a kind that no viewer shows.
        StoreError: The storage failed.
    """
    placed = _open_all(gateway, dataset, tuple(dict.fromkeys(entries)), visible)
    hidden = frozenset() if entries else _hidden(placed)
    return {
        **navigation(placed, hidden),
        "layers": _layers(placed, hidden, base, rendering),
        "showScaleBar": True,
        "showSlices": rendering == "off",
        "showAxisLines": True,
        "layout": {"type": "4panel-alt", "orthographicProjection": True},
        "title": dataset,
    }


def place(entry: Entry, thing: Thing) -> Placed:
    """Return an opened entry with the box it fills."""
    if isinstance(thing, Volume):
        info = thing.info
        half = np.asarray(info.voxel_um) / 2
        low = np.asarray(info.origin_um) - half
        high = low + np.asarray(info.shape) * np.asarray(info.voxel_um)
        return Placed(entry, thing, _vector(low), _vector(high))
    if isinstance(thing, PointsTable) and thing.bounds_um is not None:
        return Placed(entry, thing, *thing.bounds_um)
    return Placed(entry, thing)


def navigation(placed: Sequence[Placed], hidden: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return dimensions, position and zoom that show all of what is placed and not hidden."""
    shown = [item for item in placed if item.entry.ref.name not in hidden]
    volumes = [item.thing for item in shown if isinstance(item.thing, Volume)]
    step: Vector = volumes[0].info.voxel_um if volumes else _POINT_STEP_UM
    lows = [item.low_um for item in shown if item.low_um is not None]
    highs = [item.high_um for item in shown if item.high_um is not None]
    low = np.min(lows, axis=0) if lows else np.zeros(3)
    high = np.max(highs, axis=0) if highs else np.asarray(step)
    centre = ((low + high) / 2 / np.asarray(step))[::-1]
    extent = (high - low) / min(step)
    dimensions: dict[str, list[Any]] = {
        axis: [um * _METRES, "m"] for axis, um in zip("xyz", step[::-1], strict=True)
    }
    position = [float(v) for v in centre]
    seconds = [volume.info.time_step_s or 1.0 for volume in volumes if volume.info.times > 1]
    if seconds:
        dimensions["t"] = [seconds[0], "s"] if _timed(volumes) else [1.0, ""]
        position.append(0.0)
    return {
        "dimensions": dimensions,
        "displayDimensions": ["x", "y", "z"],
        "position": position,
        "crossSectionScale": max(float(extent.max()), 1.0) / _PANEL_PIXELS * _MARGIN,
        "projectionScale": max(float(np.linalg.norm(extent)), 1.0) * _MARGIN,
    }


def open_shown(gateway: Gateway, entry: Entry) -> Placed:
    """Open an entry that viewers show.

    Raises:
        CallError: It is of another kind.
        NotFoundError: It is gone.
        FormatError: It is broken.
    """
    if entry.kind not in _SHOWN:
        raise CallError(
            f"{entry.ref} is a {entry.kind}, which the viewer does not show; "
            f"choose one of the kinds {', '.join(sorted(_SHOWN))}"
        )
    if entry.kind in ("mesh", "skeleton"):
        return Placed(entry, None)
    return place(entry, open_ref(gateway.store, entry.ref))


def entries_there(
    gateway: Gateway, dataset: str, names: Sequence[str], visible: frozenset[str] | None
) -> dict[str, Entry]:
    """Return the entries of a dataset that may be seen, by name; all of `names` are among them.

    Raises:
        NotFoundError: There is no such dataset, or no entry of one of the names.
    """
    there = {
        entry.ref.name: entry
        for entry in list_entries(gateway.store, dataset)
        if visible is None or entry.ref.name in visible
    }
    for name in names:
        if name not in there:
            known = ", ".join(there) or "nothing"
            raise NotFoundError(f"there is no {name!r} in {dataset}; there is {known}")
    return there


def _open_all(
    gateway: Gateway, dataset: str, names: tuple[str, ...], visible: frozenset[str] | None
) -> list[Placed]:
    there = entries_there(gateway, dataset, names, visible)
    if names:
        return [open_shown(gateway, there[name]) for name in names]
    placed = []
    for entry in there.values():
        if entry.kind in _SHOWN:
            try:
                placed.append(open_shown(gateway, entry))
            except GatewayError:
                continue  # one broken entry does not hide the others; the doctor says what it is
    if not placed:
        raise NotFoundError(
            f"{dataset} has nothing to show: no image, labels, points, mesh or skeleton that can "
            f"be opened among {', '.join(there) or 'its entries, of which there are none'}"
        )
    order = ["image", "labels", "mesh", "skeleton", "points"]
    return sorted(placed, key=lambda item: (order.index(item.entry.kind), -_size(item)))


def _size(item: Placed) -> float:
    if isinstance(item.thing, Volume):
        return float(np.prod(item.thing.info.shape))
    return float(item.thing.count) if isinstance(item.thing, PointsTable) else 0.0


def _hidden(placed: Sequence[Placed]) -> frozenset[str]:
    """Name what is there but not shown: of images, labels and points all after the first."""
    hidden = set()
    for kind in ("image", "labels", "points"):
        same = [item.entry.ref.name for item in placed if item.entry.kind == kind]
        hidden.update(same[1:])
    return frozenset(hidden)


def _layers(
    placed: Sequence[Placed], hidden: frozenset[str], base: str, rendering: Rendering
) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = []
    for item in placed:
        made: list[dict[str, Any]] = []
        if isinstance(item.thing, PointsTable):
            made = [points_layer(item.entry, item.thing, base, len(layers))]
        elif item.entry.kind == "labels":
            made = [labels_layer(item.entry, base)]
        elif isinstance(item.thing, Volume):
            made = list(image_layers(item.entry, item.thing, base, rendering=rendering))
        elif item.entry.kind in ("mesh", "skeleton"):
            made = [precomputed_layer(item.entry, base)]
        if item.entry.ref.name in hidden:
            made = [{**layer, "visible": False} for layer in made]
        layers += made
    return layers


def _timed(volumes: Sequence[Volume]) -> bool:
    return any(volume.info.time_step_s is not None for volume in volumes)


def _vector(values: Any) -> Vector:
    z, y, x = (float(v) for v in values)
    return (z, y, x)
