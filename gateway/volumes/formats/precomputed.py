"""Neuroglancer precomputed volumes on disk, the finest scale."""

from dataclasses import replace
from pathlib import Path

from gateway.errors import FormatError
from gateway.volumes.formats.array import array_source
from gateway.volumes.formats.chunked import open_chunked, read_json
from gateway.volumes.formats.format import FileSource, Format, OpenOptions
from gateway.volumes.model import VolumeKind

_UM_PER_NM = 1e-3
_KINDS: dict[str, VolumeKind] = {"image": "image", "segmentation": "labels"}


def _open(path: Path, options: OpenOptions) -> FileSource:
    info = read_json(path / "info")
    scales = info.get("scales") or []
    if not scales or info.get("type") not in _KINDS:
        raise FormatError(
            f"{path} is precomputed of type {info.get('type')!r} with {len(scales)} scales; "
            "expected an image or a segmentation"
        )
    array = open_chunked(path, "neuroglancer_precomputed", scale_index=0)
    x, y, z = (float(v) * _UM_PER_NM for v in scales[0]["resolution"])
    ox, oy, oz = (o * size for o, size in zip(array.offset[:3], (x, y, z), strict=True))
    return array_source(
        path=path,
        files=(path,),
        format_name="precomputed",
        read_range=array.read,
        stored=array.shape,
        dtype=array.dtype,
        axes="xyzc",
        options=replace(options, kind=options.kind or _KINDS[info["type"]]),
        voxel_um=(z, y, x),
        origin_um=(oz, oy, ox),
        unit=array.chunk,
    )


FORMAT = Format(
    name="precomputed",
    suffixes=(".precomputed",),
    sniff=lambda path, _head: (
        path.is_dir()
        and (path / "info").is_file()
        and read_json(path / "info").get("type") in _KINDS
    ),
    open=_open,
)
