"""N5 on disk: one dataset, or the finest of a multi-scale group. N5 counts axes from x."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.errors import FormatError
from gateway.volumes.formats.array import array_source
from gateway.volumes.formats.chunked import open_chunked, read_json
from gateway.volumes.formats.format import FileSource, Format, OpenOptions
from gateway.volumes.formats.metadata import to_um

_FILE = "attributes.json"


def _open(path: Path, options: OpenOptions) -> FileSource:
    place = _find(path, options.dataset)
    array = open_chunked(place, "n5")
    attributes = read_json(place / _FILE)
    above = read_json(place.parent / _FILE) if (place.parent / _FILE).is_file() else {}
    axes = "".join(str(a)[:1] for a in attributes.get("axes", ()))
    return array_source(
        path=path,
        files=(path,),
        format_name="N5",
        read_range=array.read,
        stored=array.shape,
        dtype=array.dtype,
        axes=axes or "xyzct"[: len(array.shape)],
        options=options,
        voxel_um=_voxel_um(attributes, above),
        unit=array.chunk,
        details={"dataset": str(place.relative_to(path))},
    )


def _find(path: Path, name: str | None) -> Path:
    if name is not None:
        place = path / name
        if not _is_dataset(place):
            raise FormatError(f"{path} has no N5 dataset {name!r}; there are: {_listed(path)}")
        return place
    for place in (path, path / "s0"):
        if _is_dataset(place):
            return place
    found = list(_datasets(path))
    tops = [p for p in found if p.name == "s0"] or found
    if len(tops) != 1:
        raise FormatError(
            f"{path} holds {len(tops)} N5 datasets; choose one with --array "
            f"(there are: {_listed(path)})"
        )
    return tops[0]


def _is_dataset(place: Path) -> bool:
    return (place / _FILE).is_file() and "dimensions" in read_json(place / _FILE)


def _datasets(path: Path, depth: int = 4) -> Iterator[Path]:
    """Find datasets without walking into their chunks."""
    if _is_dataset(path):
        yield path
    elif depth:
        for inner in sorted(p for p in path.iterdir() if p.is_dir()):
            yield from _datasets(inner, depth - 1)


def _listed(path: Path) -> str:
    found = _datasets(path)
    return ", ".join(str(p.relative_to(path)) for p in found) or "none"


def _voxel_um(
    attributes: Mapping[str, Any], above: Mapping[str, Any]
) -> tuple[float | None, float | None, float | None]:
    """Read `pixelResolution` (with its unit) or `resolution` with `units`, both from x."""
    said = attributes.get("pixelResolution", above.get("pixelResolution"))
    if isinstance(said, Mapping):
        values, units = said.get("dimensions", ()), [said.get("unit")] * 3
    else:
        values = attributes.get("resolution", above.get("resolution", said or ()))
        units = attributes.get("units", above.get("units", [None] * 3))
    if len(values) < 3 or len(units) < 3:  # noqa: PLR2004
        return None, None, None
    x, y, z = (to_um(float(v), u) for v, u in zip(values[:3], units[:3], strict=True))
    return z, y, x


FORMAT = Format(
    name="N5",
    suffixes=(".n5",),
    sniff=lambda path, _head: path.is_dir() and (path / _FILE).is_file(),
    open=_open,
)
