"""OME-Zarr 0.1 to 0.5 in place, on Zarr v2 or v3."""

from collections.abc import Mapping
from typing import Any

from gateway.errors import FormatError
from gateway.volumes.box import Vector
from gateway.volumes.formats.metadata import to_um
from gateway.volumes.inplace.described import Described, StoredLevel, Units, read_document
from gateway.volumes.keys import join_key
from gateway.volumes.model import Channel
from gateway.volumes.objects import public_url
from gateway.volumes.store import Store

_OLD_AXES = "tczyx"
"""OME-Zarr 0.1 and 0.2 have no other."""

_SECONDS = {"second": 1.0, "millisecond": 1e-3, "minute": 60.0, "hour": 3600.0}


def describe(store: Store) -> Described | None:
    """Describe the image at the root of a store; None where there is none.

    Raises:
        FormatError: Its metadata are inconsistent, or the root holds several images.
    """
    group = read_document(store, "zarr.json")
    attributes = group.get("attributes", {}) if group else read_document(store, ".zattrs") or {}
    ome = attributes.get("ome", attributes)
    if not ome.get("multiscales"):
        if "bioformats2raw.layout" in ome:
            raise FormatError(
                f"{public_url(store.url)} holds a series of images; choose one with --series, "
                "e.g. --series 0"
            )
        return None
    try:
        return _describe(ome, attributes, "zarr3" if group else "zarr")
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise FormatError(
            f"the OME-Zarr metadata of {store.url} are incomplete: {error!r}"
        ) from error


def _describe(ome: Mapping[str, Any], attributes: Mapping[str, Any], driver: str) -> Described:
    multiscale = ome["multiscales"][0]
    axes = [_axis(axis) for axis in multiscale.get("axes", _OLD_AXES)]
    letters = "".join(letter for letter, _ in axes)
    levels = []
    step = None
    for dataset in multiscale["datasets"]:
        scale, translation = _transform(dataset, multiscale, len(axes))
        levels.append(
            StoredLevel(
                driver=driver,
                path=join_key(dataset["path"]),
                scale=_zyx(letters, scale, 1.0) if scale else None,
                translation=_zyx(letters, translation, 0.0),
            )
        )
        if scale and "t" in letters and step is None:
            step = scale[letters.index("t")]
    units = dict(axes)
    return Described(
        format="ome-zarr",
        levels=tuple(levels),
        axes=letters,
        um_per_unit=_units(units),
        kind="labels" if "image-label" in ome else None,
        channels=_channels(ome.get("omero") or {}),
        time_step_s=None if step is None else _seconds(step, units.get("t")),
        digest=attributes.get("gateway", {}).get("digest"),
    )


def _axis(axis: Any) -> tuple[str, str | None]:
    if isinstance(axis, str):
        return axis.lower()[:1], None
    return str(axis["name"]).lower()[:1], axis.get("unit")


def _transform(
    dataset: Mapping[str, Any], multiscale: Mapping[str, Any], count: int
) -> tuple[list[float], list[float]]:
    """Compose the transformations of a level with those of all; no scale gives an empty one."""
    scale, translation, said = [1.0] * count, [0.0] * count, False
    for holder in (dataset, multiscale):
        for step in holder.get("coordinateTransformations") or ():
            if step["type"] == "scale":
                said = True
                factors = [float(value) for value in step["scale"]]
                scale = [a * b for a, b in zip(scale, factors, strict=True)]
                translation = [a * b for a, b in zip(translation, factors, strict=True)]
            elif step["type"] == "translation":
                moves = [float(value) for value in step["translation"]]
                translation = [a + b for a, b in zip(translation, moves, strict=True)]
    return scale if said else [], translation


def _zyx(letters: str, values: list[float], missing: float) -> Vector:
    z, y, x = (values[letters.index(a)] if a in letters else missing for a in "zyx")
    return (z, y, x)


def _units(units: Mapping[str, str | None]) -> Units:
    z, y, x = (to_um(1.0, units.get(axis)) for axis in "zyx")
    return (z if "z" in units else y, y, x)


def _seconds(step: float, unit: str | None) -> float | None:
    return step * _SECONDS[unit] if unit in _SECONDS else None


def _channels(omero: Mapping[str, Any]) -> tuple[Channel, ...]:
    channels = []
    for number, entry in enumerate(omero.get("channels", ())):
        window = entry.get("window") or {}
        shown = {"start", "end"} <= set(window)
        channels.append(
            Channel(
                name=str(entry.get("label", number)),
                colour=str(entry.get("color", "FFFFFF")).lstrip("#").upper(),
                window=(float(window["start"]), float(window["end"])) if shown else None,
            )
        )
    return tuple(channels)
