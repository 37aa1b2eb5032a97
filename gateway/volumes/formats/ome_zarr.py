"""Zarr v2 and v3 on disk: OME-Zarr 0.4 and 0.5, or one bare array."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.errors import FormatError
from gateway.volumes.formats.array import array_source
from gateway.volumes.formats.chunked import open_chunked, read_json
from gateway.volumes.formats.format import FileSource, Format, OpenOptions
from gateway.volumes.formats.metadata import to_um
from gateway.volumes.formats.ome_zarr_write import write_ome_zarr
from gateway.volumes.model import Channel

_MARKS = ("zarr.json", ".zarray", ".zgroup")


def _sniff(path: Path, _head: bytes) -> bool:
    return path.is_dir() and any((path / mark).is_file() for mark in _MARKS)


def _open(path: Path, options: OpenOptions) -> FileSource:
    place, multiscale, omero = _find_image(path, options)
    if multiscale is None:
        return _open_array(path, place, options)
    datasets = multiscale["datasets"]
    wanted = options.dataset if options.dataset is not None else datasets[0]["path"]
    known = {d["path"]: d for d in datasets}
    if wanted not in known:
        raise FormatError(
            f"{path} has no dataset {wanted!r}; its levels are {', '.join(map(str, known))}"
        )
    axes = [_axis(a) for a in multiscale.get("axes", "tczyx")]
    scale = _transform(known[wanted], multiscale, "scale", len(axes), 1.0)
    shift = _transform(known[wanted], multiscale, "translation", len(axes), 0.0)
    letters = "".join(name for name, _ in axes)
    um = {name: to_um(s, unit) for (name, unit), s in zip(axes, scale, strict=True)}
    origin = {
        name: (value * (um[name] or 0.0) / s)
        for (name, _), s, value in zip(axes, scale, shift, strict=True)
    }
    step = dict(zip(letters, scale, strict=True)).get("t")
    return _source(
        path,
        place / wanted,
        options,
        axes=letters,
        voxel_um=(um.get("z"), um.get("y"), um.get("x")),
        origin_um=(origin.get("z", 0.0), origin.get("y", 0.0), origin.get("x", 0.0)),
        channels=_channels(omero),
        time_step_s=step,
    )


def _find_image(
    path: Path, options: OpenOptions
) -> tuple[Path, Mapping[str, Any] | None, Mapping[str, Any]]:
    attributes = _attributes(path)
    if "bioformats2raw.layout" in attributes and "multiscales" not in attributes:
        names = sorted((p.name for p in path.iterdir() if p.name.isdigit()), key=int)
        number = options.series
        if number is None and len(names) != 1:
            raise FormatError(
                f"{path} holds {len(names)} images; choose one with --series "
                f"({', '.join(names) or 'none'})"
            )
        path = path / (names[0] if number is None else str(number))
        attributes = _attributes(path)
    multiscales = attributes.get("multiscales")
    if not multiscales:
        return path, None, {}
    return path, multiscales[0], attributes.get("omero", {})


def _attributes(path: Path) -> Mapping[str, Any]:
    if (path / "zarr.json").is_file():
        attributes = read_json(path / "zarr.json").get("attributes", {})
        found: Mapping[str, Any] = attributes.get("ome", attributes)
        return found
    return read_json(path / ".zattrs") if (path / ".zattrs").is_file() else {}


def _open_array(path: Path, place: Path, options: OpenOptions) -> FileSource:
    place = place / options.dataset if options.dataset is not None else place
    is_array = (place / ".zarray").is_file() or (
        (place / "zarr.json").is_file() and read_json(place / "zarr.json")["node_type"] == "array"
    )
    if is_array:
        return _source(path, place, options)
    arrays = [
        str(p.parent.relative_to(path))
        for name in (".zarray", "zarr.json")
        for p in sorted(path.glob(f"*/{name}"))
    ]
    raise FormatError(
        f"{path} is a zarr group without OME metadata; choose an array with --array "
        f"({', '.join(arrays) or 'it holds none one level down'})"
    )


def _source(path: Path, place: Path, options: OpenOptions, **said: Any) -> FileSource:
    version3 = (place / "zarr.json").is_file()
    array = open_chunked(place, "zarr3" if version3 else "zarr")
    if "axes" not in said and version3:
        names = read_json(place / "zarr.json").get("dimension_names") or ()
        said["axes"] = "".join(str(n)[:1] for n in names) if all(names) and names else None
    said.setdefault("axes", None)
    return array_source(
        path=path,
        files=(path,),
        format_name="OME-Zarr" if "voxel_um" in said else "Zarr",
        read_range=array.read,
        stored=array.shape,
        dtype=array.dtype,
        options=options,
        unit=array.chunk,
        details={"dataset": str(place.relative_to(path))},
        **said,
    )


def _axis(axis: Any) -> tuple[str, str | None]:
    if isinstance(axis, str):
        return axis, None
    return str(axis["name"]).lower()[:1], axis.get("unit")


def _transform(
    dataset: Mapping[str, Any], multiscale: Mapping[str, Any], kind: str, count: int, none: float
) -> list[float]:
    """Compose the transformation of a level with that of all levels."""
    out = [none] * count
    for holder in (dataset, multiscale):
        for step in holder.get("coordinateTransformations") or ():
            if step["type"] == "scale" and len(step["scale"]) == count:
                out = [a * float(b) for a, b in zip(out, step["scale"], strict=True)]
            elif step["type"] == kind == "translation" and len(step[kind]) == count:
                out = [a + float(b) for a, b in zip(out, step[kind], strict=True)]
    return out


def _channels(omero: Mapping[str, Any]) -> tuple[Channel, ...]:
    found = []
    for i, entry in enumerate(omero.get("channels", ())):
        window: tuple[float, float] | None = None
        if {"start", "end"} <= set(entry.get("window") or {}):
            window = (float(entry["window"]["start"]), float(entry["window"]["end"]))
        found.append(
            Channel(
                name=str(entry.get("label", i)),
                colour=str(entry.get("color", "FFFFFF")).lstrip("#").upper(),
                window=window,
            )
        )
    return tuple(found)


FORMAT = Format(
    name="OME-Zarr",
    suffixes=(".ome.zarr", ".zarr"),
    sniff=_sniff,
    open=_open,
    write=write_ome_zarr,
)
