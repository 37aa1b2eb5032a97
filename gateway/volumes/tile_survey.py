"""Finding a tile grid in a folder: which files are tiles, where each should lie, are all alike."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from natsort import natsorted

from gateway.errors import FormatError, NotFoundError, StoreError
from gateway.volumes.box import Vector
from gateway.volumes.formats.format import FileSource, OpenOptions
from gateway.volumes.formats.planes import is_plane
from gateway.volumes.formats.registry import FORMATS, find_format, open_source
from gateway.volumes.positions import (
    Order,
    Place,
    match_files,
    places_from_names,
    read_positions,
    tell_row_column,
)

POSITIONS_FILE = "positions.csv"
_LEAST_TILES = 2
_LISTED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class TileOptions:
    """What a person may say about a folder of tiles."""

    positions: Path | None = None
    """A CSV file; None takes `positions.csv` of the folder, if there is one."""
    overlap: float | None = None
    """Share of a tile that its neighbour covers: place tiles by the row and column in names."""
    order: Order = "raster"
    grid: tuple[int, int] | None = None
    """Rows and columns, where names only count the tiles."""
    read: OpenOptions = field(default_factory=OpenOptions)

    @property
    def says_tiles(self) -> bool:
        """Whether the person speaks of tiles."""
        return self.positions is not None or self.overlap is not None or self.grid is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class TileSurvey:
    """The tiles of a folder, in natural order."""

    folder: Path
    files: tuple[Path, ...]
    places: tuple[Place, ...]
    voxel_um: Vector
    first: FileSource

    def nominal_voxels(self, index: int) -> Vector:
        """Return where a tile should lie, zyx."""
        return self.places[index].voxels(self.voxel_um)


def is_tile_folder(folder: Path, options: TileOptions) -> bool:
    """Whether a folder holds tiles: somebody says so, or names tell rows and columns of stacks."""
    if not folder.is_dir():
        return False
    if options.says_tiles or (folder / POSITIONS_FILE).is_file():
        return True
    if find_format(folder).suffixes:
        return False  # a zarr or N5: its files are chunks, too many to look at
    files = tile_files(folder)
    if len(files) < _LEAST_TILES or is_plane(files[0]):
        return False
    cells = {tell_row_column(f.stem) for f in files}
    return None not in cells and len(cells) == len(files)


def tile_files(folder: Path) -> list[Path]:
    """List the files of a folder that a format may read, in natural order.

    Raises:
        StoreError: The folder cannot be listed.
    """
    suffixes = tuple(s for f in FORMATS for s in f.suffixes)
    try:
        found = [
            p
            for p in folder.iterdir()
            if p.is_file() and p.name.lower().endswith(suffixes) and not p.name.startswith(".")
        ]
    except OSError as error:
        raise StoreError(f"cannot list {folder}: {error.strerror or error}") from error
    return natsorted(found, key=lambda p: p.name)


def survey_tiles(folder: Path, options: TileOptions) -> TileSurvey:
    """Find the tiles of a folder and their nominal places; only the first tile is opened.

    Raises:
        NotFoundError: There is no such folder, or no tile in it.
        FormatError: Files and positions do not match, or nothing tells where tiles lie.
    """
    if not folder.is_dir():
        raise NotFoundError(f"there is no folder {folder}; name the folder that holds the tiles")
    files = tile_files(folder)
    if not files:
        raise NotFoundError(f"{folder} holds no tiles (no file of a known format)")
    first = open_tile(files[0], options)
    table = options.positions or folder / POSITIONS_FILE
    if options.positions is None and (options.overlap is not None or not table.is_file()):
        if options.overlap is not None:
            places = places_from_names(
                files, first.info.shape, options.overlap, order=options.order, grid=options.grid
            )
        else:
            places = _stage_places(folder, files, options)
        ordered = files
    else:
        places = read_positions(table)
        ordered = match_files(places, files, table)
    return TileSurvey(
        folder=folder,
        files=tuple(ordered),
        places=places,
        voxel_um=first.info.voxel_um,
        first=first,
    )


def open_tile(file: Path, options: TileOptions) -> FileSource:
    """Open one tile; an image of one file without time.

    Raises:
        FormatError: It is not that, or cannot be read.
    """
    source = open_source(file, replace(options.read, kind="image"))
    if len(source.files) != 1 or source.info.times > 1:
        raise FormatError(
            f"tile {file} spans {len(source.files)} files and {source.info.times} time points; a "
            "tile is one file of one time point"
        )
    return source


def check_alike(survey: TileSurvey, options: TileOptions) -> tuple[FileSource, ...]:
    """Open every tile and refuse a grid of mixed tiles.

    Raises:
        FormatError: Names the tiles whose shape, dtype, channels or voxel size differ.
    """
    first = survey.first.info
    tiles = tuple(open_tile(file, options) for file in survey.files)
    odd = [
        f"{tile.path.name} ({tile.info.shape} {tile.info.dtype}, {len(tile.info.channels)} channels"
        f", {tile.info.voxel_um} µm)"
        for tile in tiles
        if (tile.info.shape, tile.info.dtype, len(tile.info.channels), tile.info.voxel_um)
        != (first.shape, first.dtype, len(first.channels), first.voxel_um)
    ]
    if odd:
        more = f" and {len(odd) - _LISTED} more" if len(odd) > _LISTED else ""
        raise FormatError(
            f"{survey.folder}: {', '.join(odd[:_LISTED])}{more} differ from "
            f"{survey.first.path.name} ({first.shape} {first.dtype}, {len(first.channels)} "
            f"channels, {first.voxel_um} µm); all tiles of a grid must be alike"
        )
    return tiles


def _stage_places(folder: Path, files: Sequence[Path], options: TileOptions) -> tuple[Place, ...]:
    places = []
    for file in files:
        stage = open_tile(file, options).details.get("stage_um")
        if not isinstance(stage, tuple):
            raise FormatError(
                f"nothing says where {file.name} lies: {folder} has no {POSITIONS_FILE} and the "
                "file keeps no stage position; give --positions FILE.csv, or --overlap with rows "
                "and columns in the names (tile_r01_c02.tif)"
            )
        z, y, x = stage
        places.append(Place(file=file.name, nominal_um=(z, y, x)))
    low = [min(p.nominal_um[i] for p in places if p.nominal_um) for i in range(3)]
    moved = [
        replace(p, nominal_um=(u[0] - low[0], u[1] - low[1], u[2] - low[2]))
        for p in places
        if (u := p.nominal_um)
    ]
    if len({p.nominal_um for p in moved}) < len(moved):
        raise FormatError(
            f"{folder}: two tiles have the same stage position; give --positions FILE.csv"
        )
    return tuple(moved)
