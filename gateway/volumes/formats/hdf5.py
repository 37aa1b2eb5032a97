"""HDF5: one dataset of a file, by its path or because it is the only volume in there."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import FormatError, NotFoundError
from gateway.volumes.formats.array import array_source
from gateway.volumes.formats.beside import check_beside
from gateway.volumes.formats.format import FileSource, Format, OpenOptions
from gateway.volumes.formats.metadata import to_um

if TYPE_CHECKING:
    import h5py

_MAGIC = b"\x89HDF\r\n\x1a\n"
_SIZE_NAMES = ("element_size_um", "voxel_size", "resolution")
_LEAST_AXES = 3
_ITSELF = "."
"""How a virtual dataset names its own file."""


def _open(path: Path, options: OpenOptions) -> FileSource:
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise FormatError(
            f"{path} is no readable HDF5 file: {error}; it may be truncated: copy it again"
        ) from error
    dataset = _choose(path, file, options.dataset)
    _check_sources(path, dataset)

    def read(start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
        index = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        try:
            return np.asarray(dataset[index])
        except (OSError, RuntimeError) as error:
            raise FormatError(
                f"{path}: dataset {dataset.name} cannot be read at {list(start)} to {list(stop)}: "
                f"{error}; the file is corrupt or truncated"
            ) from error

    return array_source(
        path=path,
        files=(path,),
        format_name="HDF5",
        read_range=read,
        stored=dataset.shape,
        dtype=dataset.dtype,
        axes=_axes(dataset),
        options=options,
        voxel_um=_voxel_um(dataset),
        unit=dataset.chunks,
        details={"dataset": dataset.name},
    )


def _choose(path: Path, file: "h5py.File", name: str | None) -> "h5py.Dataset":
    import h5py

    found: dict[str, h5py.Dataset] = {}

    def collect(key: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf" and item.ndim:
            found[key] = item

    file.visititems(collect)
    listed = ", ".join(f"{key} {d.shape} {d.dtype}" for key, d in found.items()) or "none"
    if name is not None:
        wanted = name.strip("/")
        if wanted not in found:
            raise NotFoundError(f"{path} has no dataset {name!r}; there are: {listed}")
        return found[wanted]
    volumes = [d for d in found.values() if sum(n > 1 for n in d.shape) >= _LEAST_AXES]
    if len(volumes) != 1:
        raise FormatError(
            f"{path} holds {len(volumes)} datasets of three or more axes; choose one with "
            f"--array (there are: {listed})"
        )
    return volumes[0]


def _check_sources(path: Path, dataset: "h5py.Dataset") -> None:
    """Refuse voxels that lie in files of other folders."""
    named = [item[0] for item in dataset.external or ()]
    if dataset.is_virtual:
        named += [source.file_name for source in dataset.virtual_sources()]
    for name in named:
        if name != _ITSELF:
            check_beside(path, name)


def _axes(dataset: "h5py.Dataset") -> str | None:
    labels = "".join(d.label[:1] for d in dataset.dims if d.label)
    if len(labels) == dataset.ndim:
        return labels
    tags = dataset.attrs.get("axistags")  # ilastik and vigra
    if tags is not None:
        text = tags.decode() if isinstance(tags, bytes) else str(tags)
        keys = [part.split('"')[3] for part in text.split("{")[1:] if '"key"' in part]
        if len(keys) == dataset.ndim:
            return "".join(keys)
    return None


def _voxel_um(dataset: "h5py.Dataset") -> tuple[float | None, float | None, float | None]:
    """Read `element_size_um` (Fiji, zyx) or a size with a `unit` beside it."""
    for name in _SIZE_NAMES:
        values = np.atleast_1d(dataset.attrs.get(name, ()))
        if values.shape != (3,) or values.dtype.kind not in "iuf":
            continue
        unit = "um" if name.endswith("_um") else dataset.attrs.get("unit")
        unit = unit.decode() if isinstance(unit, bytes) else unit
        z, y, x = (to_um(float(v), unit) for v in values)
        return z, y, x
    return None, None, None


FORMAT = Format(
    name="HDF5",
    suffixes=(".h5", ".hdf5", ".hdf", ".ims"),
    sniff=lambda _path, head: head.startswith(_MAGIC),
    open=_open,
)
