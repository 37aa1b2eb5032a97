"""Ingest a folder of microscope tiles as a tile grid; only the gateway itself calls it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from gateway.errors import FormatError, StoreError
from gateway.toolkit.define import tool
from gateway.toolkit.passes import Arrays, Items, Pass, Passes, Work
from gateway.toolkit.ports import File, Tiles
from gateway.volumes.checksums import checksum_file
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.tile_survey import TileOptions, TileSurvey, open_tile, survey_tiles
from gateway.volumes.tiles import InPlace, Tile, TileGridInfo

SOURCES_FILE = "sources.json"
Length = Annotated[float, Field(gt=0)]
_ITEM_BYTES = 64_000_000


@tool(version="1.0.0", image="brain-gateway/tools", edam=("operation_3434",), hidden=True)
def ingest_tiles(
    source: File,
    positions: File | None = None,
    *,
    voxel_um: tuple[Length, Length, Length] | None = None,
    overlap: Annotated[float, Field(ge=0, lt=1)] | None = None,
    order: Literal["raster", "snake"] = "raster",
    grid: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None,
    channel_names: tuple[str, ...] | None = None,
    as_dtype: Literal["uint8", "uint16", "int16", "float32"] | None = None,
    axes: str | None = None,
    series: Annotated[int, Field(ge=0)] | None = None,
    in_place: bool = False,
) -> Passes[Tiles]:
    """Copy the tiles of a folder into the store, or register them where they lie.

    Args:
        source: The folder.
        positions: A CSV file of nominal places; positions.csv of the folder where none is given.
        voxel_um: Voxel size z, y, x in micrometres; overrides what the files say.
        overlap: Share of a tile that its neighbour covers, to place tiles by their names.
        order: Whether every second row runs backwards.
        grid: Rows and columns, where the names only count the tiles.
        channel_names: Names of the channels.
        as_dtype: Read tiles as this dtype.
        axes: Order of the axes in the files.
        series: The image of a file that holds several.
        in_place: Leave the tiles where they are.
    """
    options = TileOptions(
        positions=None if positions is None else Path(positions),
        overlap=overlap,
        order=order,
        grid=grid,
        read=OpenOptions(
            voxel_um=voxel_um,
            channel_names=channel_names,
            as_dtype=as_dtype,
            axes=axes,
            series=series,
        ),
    )
    ingest = _Ingest(survey_tiles(Path(source), options), options, in_place)
    tiles = Pass(
        name="tiles",
        work=ingest.take,
        over=Items(count=len(ingest.survey.files), bytes_each=_ITEM_BYTES),
    )
    return Passes(
        passes=(tiles,), grids={"tiles": ingest.describe}, reports={SOURCES_FILE: ingest.report}
    )


@dataclass(frozen=True, slots=True)
class _Ingest:
    """One folder of tiles on its way into a store."""

    survey: TileSurvey
    options: TileOptions
    in_place: bool

    def take(self, work: Work) -> Arrays:
        """Check, hash and copy one tile."""
        file = self.survey.files[work.item]
        info, first = open_tile(file, self.options).info, self.survey.first.info
        if (info.shape, info.dtype, info.voxel_um) != (first.shape, first.dtype, first.voxel_um):
            raise FormatError(
                f"{file} is {info.shape} {info.dtype}, {self.survey.first.path.name} is "
                f"{first.shape} {first.dtype}; all tiles of a grid must be alike"
            )
        before = file.stat()
        checksum = checksum_file(file) if self.in_place else _copy(file, work.folder)
        after = file.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise FormatError(f"{file} changed while it was read; ingest it when it is complete")
        return {
            "item": np.array([work.item]),
            "checksum": np.array([checksum]),
            "bytes": np.array([after.st_size]),
            "mtime_ns": np.array([after.st_mtime_ns]),
        }

    def describe(self, work: Work) -> TileGridInfo:
        """Return what `tiles.json` shall hold."""
        first, read = self.survey.first.info, self.options.read
        return TileGridInfo(
            tiles=tuple(self._tile(row) for row in _rows(work)),
            voxel_um=self.survey.voxel_um,
            dtype=first.dtype,
            channels=first.channels,
            as_dtype=read.as_dtype,
            axes=read.axes,
            series=read.series,
        )

    def report(self, work: Work) -> bytes:
        """Return path, size and checksum of every tile as JSON."""
        sources = [
            {
                "path": str(self.survey.files[row["item"]]),
                "size": row["bytes"],
                "checksum": row["checksum"],
            }
            for row in _rows(work)
        ]
        return f"{json.dumps(sources, indent=1, ensure_ascii=False)}\n".encode()

    def _tile(self, row: Mapping[str, int]) -> Tile:
        file = self.survey.files[row["item"]]
        place = InPlace(path=str(file), mtime_ns=row["mtime_ns"]) if self.in_place else None
        return Tile(
            file=file.name,
            nominal_voxels=self.survey.nominal_voxels(row["item"]),
            shape=self.survey.first.info.shape,
            checksum=str(row["checksum"]),
            bytes=row["bytes"],
            in_place=place,
            extra=self.survey.places[row["item"]].extra,
        )


def _rows(work: Work) -> list[dict[str, int]]:
    state = work.state["tiles"]
    columns = {name: array.tolist() for name, array in state.items()}
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    return sorted(rows, key=lambda row: row["item"])


def _copy(file: Path, folder: Path | None) -> str:
    """Copy a file under a temporary name, then rename it; doing it again changes nothing."""
    if folder is None:
        raise StoreError(
            f"{file} cannot be copied into a remote store yet; register tiles with --in-place"
        )
    temporary = folder / f".{file.name}.part"
    checksum = checksum_file(file, copy_to=temporary)
    temporary.replace(folder / file.name)
    return checksum
