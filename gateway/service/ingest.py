"""Ingest: from whatever a microscope or a colleague left on disk to a thing in the store."""

import math
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from gateway.errors import FormatError, NotFoundError, PlanError
from gateway.records.recorder import record_entry
from gateway.run.events import Listener
from gateway.run.plan import Plan, RunOptions
from gateway.run.result import RunResult
from gateway.service.browse.thumbnails import prepare_thumbnail
from gateway.service.descriptions import describe_dataset
from gateway.service.gateway import Gateway
from gateway.service.runs import plan_tool, run_options, run_tool
from gateway.service.sheet import merge_info, read_sheet
from gateway.toolkit.call import Call, make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.box import Shape, Vector
from gateway.volumes.dataset import DatasetInfo, list_datasets, read_dataset
from gateway.volumes.formats.format import FileSource, OpenOptions
from gateway.volumes.formats.metadata import check_voxel_um
from gateway.volumes.formats.registry import open_source
from gateway.volumes.link import register
from gateway.volumes.model import VolumeInfo, VolumeKind
from gateway.volumes.positions import Order
from gateway.volumes.ref import Ref
from gateway.volumes.tile_survey import TileOptions, check_alike, is_tile_folder, survey_tiles

_LINKABLE = ("OME-Zarr", "Zarr", "N5", "precomputed")
_BYTES_PER_WORKER = 2_000_000_000
_UNKNOWN_SIZE = (1.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """What a person says about a source; None leaves it to the files."""

    voxel_um: Vector | None = None
    positions: Path | None = None
    """CSV file with the nominal places of tiles."""
    overlap: float | None = None
    """Share of a tile that its neighbour covers, to place tiles by their names."""
    order: Order = "raster"
    grid: tuple[int, int] | None = None
    """Rows and columns of tiles whose names only count them."""
    channel_names: tuple[str, ...] | None = None
    kind: VolumeKind | None = None
    as_dtype: str | None = None
    axes: str | None = None
    array: str | None = None
    """The array inside a container, such as a path in HDF5."""
    series: int | None = None
    pattern: str | None = None
    """Regular expression whose first group is the channel in names."""
    in_place: bool = False
    sheet: Path | None = None
    dataset: DatasetInfo | None = None
    """Sample metadata; its fields win over those of the sheet."""

    @property
    def opening(self) -> OpenOptions:
        """How files are opened."""
        return OpenOptions(
            voxel_um=self.voxel_um,
            channel_names=self.channel_names,
            kind=self.kind,
            as_dtype=self.as_dtype,
            axes=self.axes,
            dataset=self.array,
            series=self.series,
            pattern=self.pattern,
        )

    @property
    def tiling(self) -> TileOptions:
        """How tiles are found."""
        return TileOptions(
            positions=self.positions,
            overlap=self.overlap,
            order=self.order,
            grid=self.grid,
            read=self.opening,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """What a source is, said before anything is written."""

    path: Path
    what: Literal["volume", "tiles"]
    format: str
    kind: VolumeKind
    dtype: str
    shape: Shape
    """Of the volume, or of each tile; zyx."""
    channels: tuple[str, ...]
    times: int
    voxel_um: Vector | None
    """None where nobody says it: it must be given."""
    tiles: int
    """Number of tiles; 0 for a volume."""
    files: int
    file_bytes: int
    """Of all files together, as they lie on disk; 0 for a folder of chunks."""

    @property
    def bytes(self) -> int:
        """Voxels in bytes, uncompressed."""
        voxels = math.prod(self.shape) * len(self.channels) * self.times * max(1, self.tiles)
        return voxels * np.dtype(self.dtype).itemsize

    def __str__(self) -> str:
        """Say it in one line."""
        size = " x ".join(map(str, self.shape))
        um = "unknown voxel size" if self.voxel_um is None else (
            " x ".join(f"{v:g}" for v in self.voxel_um) + " µm"
        )  # fmt: skip
        channels = f"{len(self.channels)} channel{'s' * (len(self.channels) != 1)}"
        times = f", {self.times} times" if self.times > 1 else ""
        each = f"{self.tiles} tiles of " if self.what == "tiles" else ""
        return (
            f"{self.path.name}: {each}{size} {self.dtype} ({self.kind}), {channels} "
            f"({', '.join(self.channels)}){times}, {um}; {self.format}, {self.files} "
            f"file{'s' * (self.files != 1)}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "path": str(self.path)}


def recognise(source: Path, options: IngestOptions | None = None) -> Recognised:
    """Look at a source and say what it is; every header is read, no voxel.

    Raises:
        NotFoundError: There is nothing.
        FormatError: It is broken, inconsistent or of no known format; names file and place.
        StoreError: It cannot be read.
    """
    said = options or IngestOptions()
    path = source.absolute()
    if not path.exists():
        raise NotFoundError(f"there is no file or folder {source}; check the spelling")
    if said.voxel_um is not None:
        check_voxel_um(said.voxel_um)
    opening = replace(said.opening, default_um=_UNKNOWN_SIZE)
    if _is_tiles(path, said):
        return _recognise_tiles(path, replace(said.tiling, read=opening))
    opened = open_source(path, opening)
    return _describe(path, opened, opened.files)


def plan_ingest(
    gateway: Gateway,
    source: Path,
    ref: Ref,
    options: IngestOptions | None = None,
    run: RunOptions | None = None,
) -> Plan:
    """Return what an ingest would do; nothing is written.

    Raises:
        GatewayError: As `recognise`, and as `gateway.service.runs.plan_tool`.
    """
    said = options or IngestOptions()
    found = recognise(source, said)
    call = ingest_call(found, ref, said)
    return plan_tool(gateway, call, run or ingest_run_options(gateway, found))


def ingest_run_options(gateway: Gateway, found: Recognised) -> RunOptions:
    """Return how an ingest uses the machine where nobody says.

    One process reads, encodes and writes on all cores; another one pays once its start is short
    against its share of the voxels.
    """
    options = run_options(gateway)
    if options.workers is not None or found.what == "tiles":
        return options
    shares = found.bytes // _BYTES_PER_WORKER
    return replace(options, workers=max(1, min(len(os.sched_getaffinity(0)), shares)))


def ingest(
    gateway: Gateway,
    source: Path,
    ref: Ref,
    options: IngestOptions | None = None,
    *,
    run: RunOptions | None = None,
    listeners: Sequence[Listener] = (),
    cancel: threading.Event | None = None,
) -> RunResult:
    """Ingest a file or folder as a volume, or a folder of tiles as a tile grid.

    The same call again continues what was stopped, or finds it done.

    Args:
        gateway: The gateway.
        source: File or folder.
        ref: The name to give it.
        options: What the files do not say.
        run: How to use the machine.
        listeners: Called with every event, in this thread.
        cancel: Set it, from any thread, to stop.

    Raises:
        GatewayError: As `recognise`, and as `gateway.service.runs.run_tool`.
    """
    said = options or IngestOptions()
    found = recognise(source, said)
    call = ingest_call(found, ref, said)
    info = described_dataset(gateway, ref.dataset, said)
    if found.what == "tiles" and not said.in_place:
        _check_room(gateway, found)
    how = run or ingest_run_options(gateway, found)
    result = run_tool(gateway, call, how, listeners, cancel)
    _keep_description(gateway, ref.dataset, info)
    return result


def link(
    gateway: Gateway, source: Path | str, ref: Ref, options: IngestOptions | None = None
) -> VolumeInfo:
    """Register a volume where it lies, without copying a voxel.

    Args:
        gateway: The gateway.
        source: Folder or URL of an OME-Zarr, zarr, N5 or precomputed volume.
        ref: The name to give it.
        options: What its metadata do not say.

    Raises:
        FormatError: It is of a format that can only be copied; says which can be registered.
        GatewayError: As `gateway.volumes.link.register`.
    """
    said = options or IngestOptions()
    if "://" not in str(source):
        path = Path(source).absolute()
        if not path.exists():
            raise NotFoundError(f"there is no file or folder {source}; check the spelling")
        if path.is_file() or not recognise(path, said).format.startswith(_LINKABLE):
            raise FormatError(
                f"{path} cannot be registered in place: blocks can be read from "
                f"{', '.join(_LINKABLE)} only, and from tiles of a grid; leave out --in-place to "
                "copy it"
            )
        source = path
    about = described_dataset(gateway, ref.dataset, said)
    info = register(gateway.store, ref, str(source), said.opening)
    record_entry(gateway.store, gateway.catalogue, ref)
    prepare_thumbnail(gateway, ref)
    _keep_description(gateway, ref.dataset, about)
    return info


def links_in_place(source: Path | str, options: IngestOptions) -> bool:
    """Whether `link` rather than `ingest` serves: in place, and no tile grid."""
    if not options.in_place:
        return False
    return "://" in str(source) or not _is_tiles(Path(source).absolute(), options)


def ingest_call(found: Recognised, ref: Ref, options: IngestOptions) -> Call:
    """Return the call that ingests what was recognised.

    Raises:
        CallError: An option is out of bounds; names it.
        FormatError: Nobody says how large the voxels are, or an option does not suit the source.
    """
    if found.voxel_um is None:
        raise FormatError(
            f"{found.path} does not say how large its voxels are; give it as --voxel-um Z,Y,X in "
            "micrometres, e.g. --voxel-um 5,2,2"
        )
    common: dict[str, Any] = {
        "voxel_um": options.voxel_um,
        "channel_names": options.channel_names,
        "as_dtype": options.as_dtype,
        "axes": options.axes,
        "series": options.series,
    }
    more: dict[str, Any]
    if found.what == "volume":
        more = {"kind": options.kind, "dataset": options.array, "pattern": options.pattern}
        return _call("ingest_volume", {"source": found.path}, {found.kind: ref}, common | more)
    inputs = {"source": found.path}
    if options.positions is not None:
        inputs["positions"] = options.positions.absolute()
    more = {
        "overlap": options.overlap,
        "order": options.order,
        "grid": options.grid,
        "in_place": options.in_place,
    }
    return _call("ingest_tiles", inputs, {"tiles": ref}, common | more)


def described_dataset(gateway: Gateway, dataset: str, options: IngestOptions) -> DatasetInfo:
    """Return what is known of the sample with what sheet and flags add; nothing is written.

    Raises:
        FormatError: A field is unknown or wrong; names field and row.
        NotFoundError: There is no such sheet, or nothing about this dataset in it.
    """
    store = gateway.store
    info = read_dataset(store, dataset) if dataset in list_datasets(store) else DatasetInfo()
    if options.sheet is not None:
        info = merge_info(info, read_sheet(options.sheet, dataset))
    return info if options.dataset is None else merge_info(info, options.dataset)


def _check_room(gateway: Gateway, found: Recognised) -> None:
    """Refuse to begin to copy tiles that cannot fit.

    Raises:
        PlanError: Says how much is needed and how much is free.
    """
    free = gateway.store.free_bytes()
    if free is not None and found.file_bytes > free:
        raise PlanError(
            f"the {found.tiles} tiles of {found.path} are {found.file_bytes:,} bytes and "
            f"{gateway.store.url} has {free:,} bytes free: free some space, choose another store, "
            "or register the tiles with --in-place"
        )


def _keep_description(gateway: Gateway, dataset: str, info: DatasetInfo) -> None:
    """Write the description of a sample where it changed: store, catalogue and crate."""
    if info != read_dataset(gateway.store, dataset):
        describe_dataset(gateway, dataset, info)


def _is_tiles(path: Path, options: IngestOptions) -> bool:
    if options.tiling.says_tiles and not path.is_dir():
        raise FormatError(
            f"{path} is a file, but --positions, --overlap and --grid speak of tiles; name the "
            "folder that holds them"
        )
    return is_tile_folder(path, options.tiling)


def _recognise_tiles(path: Path, options: TileOptions) -> Recognised:
    survey = survey_tiles(path, options)
    tiles = check_alike(survey, options)
    paths = tuple(tile.path for tile in tiles)
    return _describe(path, survey.first, paths, tiles=len(tiles))


def _describe(
    path: Path, opened: FileSource, files: Sequence[Path], *, tiles: int = 0
) -> Recognised:
    info = opened.info
    return Recognised(
        path=path,
        what="tiles" if tiles else "volume",
        format=opened.format,
        kind=info.kind,
        dtype=info.dtype,
        shape=info.shape,
        channels=tuple(c.name for c in info.channels),
        times=info.times,
        voxel_um=None if opened.voxel_um_from == "default" else info.voxel_um,
        tiles=tiles,
        files=len(files),
        file_bytes=sum(file.stat().st_size for file in files if file.is_file()),
    )


def _call(
    tool: str, inputs: Mapping[str, Path], outputs: Mapping[str, Ref], settings: Mapping[str, Any]
) -> Call:
    return make_call(
        get_tool(tool),
        {port: str(path) for port, path in inputs.items()},
        {port: str(ref) for port, ref in outputs.items()},
        {name: value for name, value in settings.items() if value is not None},
    )
