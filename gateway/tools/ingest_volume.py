"""Ingest a file or a folder of files as a volume; only the gateway itself calls it."""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gateway.errors import StoreError
from gateway.toolkit.define import tool
from gateway.toolkit.passes import Arrays, Blocks, Items, Pass, Passes, Work
from gateway.toolkit.ports import File, Image, Labels
from gateway.volumes.box import Box, cut_boxes
from gateway.volumes.checksums import checksum_file
from gateway.volumes.formats.format import FileSource, OpenOptions
from gateway.volumes.formats.registry import open_source

SOURCES_FILE = "sources.json"
"""Report with path, size and checksum of every file read."""

Length = Annotated[float, Field(gt=0)]
_GROUP_BYTES = 512_000_000
_CHECKSUM_BYTES = 32_000_000
_COPIES = 2
_PIECE_BYTES = 16_000_000
"""A thread reads pieces of about this size, so that they add little to the memory of a task."""


class Ingested(NamedTuple):
    """What was ingested; one of the two.

    Args:
        image: The intensities.
        labels: The object numbers.
    """

    image: Image | None
    labels: Labels | None


@tool(
    version="1.0.0",
    image="brain-gateway/tools",
    edam=("operation_3434",),
    hidden=True,
)
def ingest_volume(
    source: File,
    *,
    voxel_um: tuple[Length, Length, Length] | None = None,
    channel_names: tuple[str, ...] | None = None,
    kind: Literal["image", "labels"] | None = None,
    as_dtype: Literal["uint8", "uint16", "int16", "float32", "uint32", "uint64"] | None = None,
    axes: str | None = None,
    dataset: str | None = None,
    series: Annotated[int, Field(ge=0)] | None = None,
    pattern: str | None = None,
) -> Passes[Ingested]:
    """Read a file or folder of any known format and write it as a volume with all levels.

    Every voxel is read once. A checksum of every file read is kept in the report.

    Args:
        source: The file or folder.
        voxel_um: Voxel size z, y, x in micrometres; overrides what the file says.
        channel_names: Names of the channels.
        kind: Whether voxels are intensities or object numbers.
        as_dtype: Convert to this dtype, checking every value.
        axes: Order of the axes of the file, such as zcyx.
        dataset: The array inside a container.
        series: The image of a file that holds several.
        pattern: Regular expression whose first group is the channel in file names.
    """
    options = OpenOptions(
        voxel_um=voxel_um,
        channel_names=channel_names,
        kind=kind,
        as_dtype=as_dtype,
        axes=axes,
        dataset=dataset,
        series=series,
        pattern=pattern,
        checked=True,
    )
    opened = open_source(source, options)
    pixel = np.dtype(opened.info.dtype).itemsize * len(opened.info.channels)
    over = Blocks(grid=opened.info, read_unit=opened.read_unit)
    groups = _group_files(all_files(opened))
    volumes = tuple(
        Pass(
            name=port,
            work=_Reader(opened).read,
            over=over,
            writes=port,
            needed_for=(port,),
            bytes_per_voxel=float(pixel * _COPIES),
        )
        for port in Ingested._fields
    )
    checksums = Pass(
        name="checksums",
        work=_Checksums(groups).take,
        over=Items(count=len(groups), bytes_each=_CHECKSUM_BYTES),
    )
    return Passes(passes=(*volumes, checksums), reports={SOURCES_FILE: _sources_report})


@dataclass(slots=True)
class _Reader:
    """Reads blocks; where the input gives whole planes only, the planes of a task are kept."""

    source: FileSource
    _held: tuple[Box, int] | None = None
    _voxels: NDArray[Any] = field(default_factory=lambda: np.empty(0))

    def read(self, work: Work) -> Arrays:
        """Return the voxels of a block, czyx."""
        task, unit = work.task, self.source.read_unit
        alone = task is None or task == work.box or unit[1:] == (1, 1)
        if alone or task is None:
            return {"voxels": _read_parallel(self.source, work.box, work)}
        if self._held != (task, work.time):
            self._held, self._voxels = None, np.empty(0)
            self._voxels = _read_parallel(self.source, task, work)
            self._held = (task, work.time)
        return {"voxels": self._voxels[(slice(None), *work.box.slices(task.start))]}


def _read_parallel(source: FileSource, box: Box, work: Work) -> NDArray[Any]:
    """Read a box, czyx, on as many threads as the work may use: decoding leaves Python's lock."""
    out = np.empty((len(source.info.channels), *box.shape), source.info.dtype)
    plane = out[0, 0].nbytes * len(out) if box.voxels else 1
    height = max(source.read_unit[0], min(_PIECE_BYTES // plane, -(-box.shape[0] // work.threads)))
    slabs = list(cut_boxes(box, (height, *box.shape[1:])))

    def fill(slab: Box) -> None:
        out[(slice(None), *slab.slices(box.start))] = source.read(slab, time=work.time)

    with ThreadPoolExecutor(work.threads) as pool:
        for done in [pool.submit(fill, slab) for slab in slabs]:
            done.result()
    return out


@dataclass(frozen=True, slots=True)
class _Checksums:
    """Hashes groups of files."""

    groups: tuple[tuple[Path, ...], ...]

    def take(self, work: Work) -> Arrays:
        """Return path, size and checksum of the files of one group."""
        files = self.groups[work.item]
        return {
            "path": np.array([str(f) for f in files]),
            "size": np.array([f.stat().st_size for f in files], np.int64),
            "checksum": np.array([checksum_file(f) for f in files]),
        }


def all_files(source: FileSource) -> tuple[Path, ...]:
    """Return every file of a source, those in its folders included.

    Raises:
        StoreError: A folder cannot be listed.
    """
    found: list[Path] = []
    for path in source.files:
        try:
            found += sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        except OSError as error:
            raise StoreError(f"cannot list {path}: {error.strerror or error}") from error
    return tuple(found)


def _group_files(files: Iterable[Path]) -> tuple[tuple[Path, ...], ...]:
    """Group files so that each group is worth a task."""
    groups: list[list[Path]] = [[]]
    size = 0
    for file in files:
        if size >= _GROUP_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(file)
        size += file.stat().st_size
    return tuple(tuple(group) for group in groups)


def _sources_report(work: Work) -> bytes:
    state = work.state["checksums"]
    rows = sorted(
        zip(*(state[name].tolist() for name in ("path", "size", "checksum")), strict=True)
    )
    sources = [{"path": p, "size": s, "checksum": c} for p, s, c in rows]
    return f"{json.dumps(sources, indent=1, ensure_ascii=False)}\n".encode()
