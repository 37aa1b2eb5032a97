"""OME-Zarr 0.5: a volume's metadata as Zarr v3 documents, and back."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gateway.errors import FormatError
from gateway.volumes.box import Box, Shape, Vector
from gateway.volumes.digest import canonical_digest
from gateway.volumes.model import (
    IMAGE_DTYPES,
    LABEL_DTYPES,
    Channel,
    Level,
    VolumeInfo,
    VolumeKind,
)

_SPACE = ("z", "y", "x")
_INDEX_CODECS: list[dict[str, Any]] = [
    {"name": "bytes", "configuration": {"endian": "little"}},
    {"name": "crc32c"},
]
# On camera noise higher efforts of blosc cost two to eight times the time for a few per cent of
# space. One block per chunk beats blosc's own choice of block in time and space.
_IMAGE_EFFORT = 1
_LABELS_EFFORT = 3


def complete_document(
    info: VolumeInfo, arrays: Mapping[str, Mapping[str, Any]], digests: Mapping[str, str]
) -> dict[str, Any]:
    """Return the `zarr.json` of the group of a complete volume.

    Args:
        info: The metadata, digest included.
        arrays: The `zarr.json` of each level, by path.
        digests: The digest of each level, by path.
    """
    group = group_document(info)
    extras = group["attributes"]["gateway"]
    extras["levels"] = dict(digests)
    extras["metadata"] = documents_digest(group, arrays)
    return group


def documents_digest(group: Mapping[str, Any], arrays: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the digest of all metadata of a volume but of that digest itself.

    Args:
        group: The `zarr.json` of the group.
        arrays: The `zarr.json` of each level, by path.
    """
    attributes = dict(group["attributes"])
    extras = attributes.get("gateway", {})
    attributes["gateway"] = {name: extras[name] for name in extras if name != "metadata"}
    return canonical_digest({"group": {**group, "attributes": attributes}, "arrays": arrays})


def group_document(info: VolumeInfo) -> dict[str, Any]:
    """Return the `zarr.json` of the volume's group."""
    ome: dict[str, Any] = {"version": "0.5", "multiscales": [_multiscale(info)]}
    if info.kind == "labels":
        ome["image-label"] = {}
    else:
        ome["omero"] = _omero(info)
    extras = {
        "digest": info.digest,
        "made_by": info.made_by,
        "attributes": info.attributes,
    }
    attributes = {"ome": ome, "gateway": extras}
    return {"zarr_format": 3, "node_type": "group", "attributes": attributes}


def array_document(info: VolumeInfo, level: Level) -> dict[str, Any]:
    """Return the `zarr.json` of the array of one level."""
    lead = (info.times, len(info.channels)) if info.times > 1 else (len(info.channels),)
    ones = [1] * len(lead)
    sharding = {
        "chunk_shape": [*ones, *level.chunk],
        "codecs": _chunk_codecs(info, level),
        "index_codecs": _INDEX_CODECS,
        "index_location": "end",
    }
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": [*lead, *level.shape],
        "data_type": info.dtype,
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": [*ones, *level.shard]},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0 if info.dtype == "float32" else 0,
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "dimension_names": list(info.axes),
        "attributes": {},
    }


def shard_key(info: VolumeInfo, level: int, time: int, channel: int, box: Box) -> str:
    """Return the key, below the volume's, of the file that holds the shard of a box."""
    grid = info.levels[level]
    lead = (time, channel) if info.times > 1 else (channel,)
    index = (a // n for a, n in zip(box.start, grid.shard, strict=True))
    return "/".join([grid.path, "c", *map(str, (*lead, *index))])


def level_paths(group: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return the paths of a volume's levels, the finest first.

    Args:
        group: The `zarr.json` of the volume's group.
        name: What to call the volume in an error.

    Raises:
        FormatError: It is not an OME-Zarr 0.5 image.
    """
    try:
        ome = group["attributes"]["ome"]
        paths = tuple(str(dataset["path"]) for dataset in ome["multiscales"][0]["datasets"])
    except (KeyError, IndexError, TypeError) as error:
        raise FormatError(
            f"{name} is not an OME-Zarr 0.5 image: its zarr.json has no ome.multiscales ({error!r})"
        ) from error
    if not paths or any("/" in path or path.startswith(".") for path in paths):
        raise FormatError(f"{name} names the levels {paths}; expected plain names such as 0, 1, 2")
    return paths


def parse_documents(
    group: Mapping[str, Any], arrays: Mapping[str, Mapping[str, Any]], name: str
) -> VolumeInfo:
    """Make the metadata of a volume from its Zarr documents.

    Args:
        group: The `zarr.json` of the group.
        arrays: The `zarr.json` of each level, by path.
        name: What to call the volume in an error.

    Raises:
        FormatError: Something is missing, of a wrong type or not as the gateway writes it.
    """
    paths = level_paths(group, name)
    try:
        return _parse(group["attributes"], [arrays[path] for path in paths], paths, name)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise FormatError(f"the metadata of {name} is incomplete: {error!r}") from error
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"the metadata of {name} has a wrong value: {error}") from error


def _chunk_codecs(info: VolumeInfo, level: Level) -> list[dict[str, Any]]:
    """A checksum comes last, so that any reader notices a flipped byte."""
    if info.kind == "labels":
        packed = {"name": "zstd", "configuration": {"level": _LABELS_EFFORT, "checksum": False}}
    else:
        size = np.dtype(info.dtype).itemsize
        blosc = {
            "cname": "zstd",
            "clevel": _IMAGE_EFFORT,
            "shuffle": "bitshuffle" if size > 1 else "shuffle",
            "typesize": size,
            "blocksize": size * math.prod(level.chunk),
        }
        packed = {"name": "blosc", "configuration": blosc}
    return [_INDEX_CODECS[0], packed, {"name": "crc32c"}]


def _multiscale(info: VolumeInfo) -> dict[str, Any]:
    seconds = info.time_step_s
    time: dict[str, Any] = {"name": "t", "type": "time"}
    if seconds is not None:
        time["unit"] = "second"
    axes = [time] if info.times > 1 else []
    axes.append({"name": "c", "type": "channel"})
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in _SPACE]
    step = [1.0 if seconds is None else seconds] if info.times > 1 else []
    datasets = [
        {
            "path": level.path,
            "coordinateTransformations": [
                {"type": "scale", "scale": [*step, 1.0, *level.voxel_um]},
                {
                    "type": "translation",
                    "translation": [*(0.0 for _ in step), 0.0, *level.origin_um],
                },
            ],
        }
        for level in info.levels
    ]
    return {"axes": axes, "datasets": datasets, "type": "mode" if info.kind == "labels" else "mean"}


def _omero(info: VolumeInfo) -> dict[str, Any]:
    lowest, highest = _intensity_range(info.dtype)
    channels = []
    for channel in info.channels:
        start, end = channel.window or (lowest, highest)
        channels.append(
            {
                "label": channel.name,
                "color": channel.colour,
                "active": True,
                "window": {
                    "start": start,
                    "end": end,
                    "min": min(lowest, start),
                    "max": max(highest, end),
                },
            }
        )
    return {"channels": channels}


def _intensity_range(dtype: str) -> tuple[float, float]:
    if dtype == "float32":
        return (0.0, 1.0)
    limits = np.iinfo(dtype)
    return (float(limits.min), float(limits.max))


def _parse(
    attributes: Mapping[str, Any],
    arrays: list[Mapping[str, Any]],
    paths: tuple[str, ...],
    name: str,
) -> VolumeInfo:
    ome, extras = attributes["ome"], attributes.get("gateway", {})
    multiscale = ome["multiscales"][0]
    axes = "".join(axis["name"] for axis in multiscale["axes"])
    if axes not in {"czyx", "tczyx"}:
        raise FormatError(f"the axes of {name} are {axes!r}; expected 'czyx' or 'tczyx'")
    kind: VolumeKind = "labels" if "image-label" in ome else "image"
    dtype = str(arrays[0]["data_type"])
    allowed = LABEL_DTYPES if kind == "labels" else IMAGE_DTYPES
    if dtype not in allowed:
        raise FormatError(
            f"{name} ({kind}) has dtype {dtype}; expected one of {', '.join(allowed)}"
        )
    shape = [int(n) for n in arrays[0]["shape"]]
    _check_shapes(axes, arrays, paths, name)
    levels = tuple(_levels(multiscale["datasets"], arrays, paths))
    return VolumeInfo(
        kind=kind,
        dtype=dtype,
        shape=levels[0].shape,
        voxel_um=levels[0].voxel_um,
        origin_um=levels[0].origin_um,
        channels=_channels(ome, dtype, count=shape[-4]),
        times=shape[0] if axes == "tczyx" else 1,
        time_step_s=_time_step(multiscale),
        levels=levels,
        digest=extras.get("digest"),
        made_by=extras.get("made_by"),
        attributes=dict(extras.get("attributes", {})),
    )


def _check_shapes(
    axes: str, arrays: list[Mapping[str, Any]], paths: tuple[str, ...], name: str
) -> None:
    lead = arrays[0]["shape"][:-3]
    for path, array in zip(paths, arrays, strict=True):
        shape = array["shape"]
        if len(shape) != len(axes) or shape[:-3] != lead or min(shape) < 1:
            raise FormatError(f"level {path} of {name} has shape {shape}, against axes {axes}")
        if array["data_type"] != arrays[0]["data_type"]:
            raise FormatError(f"level {path} of {name} has another dtype than level {paths[0]}")


def _levels(
    datasets: list[Mapping[str, Any]], arrays: list[Mapping[str, Any]], paths: tuple[str, ...]
) -> Iterator[Level]:
    base_um = _transform(datasets[0], "scale", 1.0)
    for dataset, array, path in zip(datasets, arrays, paths, strict=True):
        shard = array["chunk_grid"]["configuration"]["chunk_shape"]
        first = array["codecs"][0]
        sharded = first["name"] == "sharding_indexed"
        chunk = first["configuration"]["chunk_shape"] if sharded else shard
        voxel_um = _transform(dataset, "scale", 1.0)
        z, y, x = (max(1, round(um / b)) for um, b in zip(voxel_um, base_um, strict=True))
        yield Level(
            path=path,
            shape=_shape(array["shape"]),
            factor=(z, y, x),
            voxel_um=voxel_um,
            origin_um=_transform(dataset, "translation", 0.0),
            chunk=_shape(chunk),
            shard=_shape(shard),
        )


def _transform(dataset: Mapping[str, Any], kind: str, default: float) -> Vector:
    for step in dataset["coordinateTransformations"]:
        if step["type"] == kind:
            z, y, x = (float(v) for v in step[kind][-3:])
            if not all(map(math.isfinite, (z, y, x))) or (kind == "scale" and min(z, y, x) <= 0):
                raise FormatError(f"the {kind} of level {dataset['path']} is {(z, y, x)}")
            return (z, y, x)
    return (default, default, default)


def _channels(ome: Mapping[str, Any], dtype: str, *, count: int) -> tuple[Channel, ...]:
    shown = ome.get("omero", {}).get("channels", [])
    if not shown:
        return tuple(Channel(name=str(i)) for i in range(count))
    if len(shown) != count:
        raise FormatError(f"omero names {len(shown)} channels, the array has {count}")
    whole = _intensity_range(dtype)
    channels = []
    for i, entry in enumerate(shown):
        limits = entry.get("window", {})
        window = (float(limits.get("start", whole[0])), float(limits.get("end", whole[1])))
        channels.append(
            Channel(
                name=str(entry.get("label", i)),
                colour=str(entry.get("color", "FFFFFF")),
                window=None if window == whole else window,
            )
        )
    return tuple(channels)


def _time_step(multiscale: Mapping[str, Any]) -> float | None:
    first = multiscale["axes"][0]
    if first["name"] != "t" or first.get("unit") != "second":
        return None
    for step in multiscale["datasets"][0]["coordinateTransformations"]:
        if step["type"] == "scale":
            return float(step["scale"][0])
    return None


def _shape(values: list[int]) -> Shape:
    z, y, x = (int(v) for v in values[-3:])
    return (z, y, x)
