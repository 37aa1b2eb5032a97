"""Grids of tiles with known places, in a store, and a way to run tools on them."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile

from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.checksums import checksum_file
from gateway.volumes.model import Channel
from gateway.volumes.store import open_store
from gateway.volumes.tiles import InPlace, Tile, TileGridInfo, write_tiles


@dataclass(frozen=True)
class Grid:
    """Tiles, where the stage says they are, and where they are."""

    voxels: list
    nominal: np.ndarray
    true: np.ndarray

    def error(self, positions):
        """Return the rms distance from the truth once the common offset is removed."""
        off = positions - self.true
        off = off - off.mean(axis=0)
        return float(np.sqrt((off**2).sum(axis=1).mean()))


def read_grid(folder: Path) -> Grid:
    with (folder / "positions.csv").open() as file:
        rows = list(csv.DictReader(file))
    nominal, true = (
        np.array([[float(row[f"{name}_{axis}"]) for axis in "zyx"] for row in rows])
        for name in ("nominal", "true")
    )
    return Grid([tifffile.imread(folder / row["file"]) for row in rows], nominal, true)


def write_grid(store, folder, voxels, nominal, *, name="m1/raw", voxel_um=(1.0, 1.0, 1.0)):
    """Write tiles, zyx or czyx, to files and register them in place."""
    folder.mkdir(exist_ok=True, parents=True)
    tiles = []
    channels = voxels[0].shape[0] if voxels[0].ndim == 4 else 1
    for index, (tile, place) in enumerate(zip(voxels, nominal, strict=True)):
        path = folder / f"tile_{index:03d}.npy"
        np.save(path, tile)
        stat = path.stat()
        tiles.append(
            Tile(
                file=path.name,
                nominal_voxels=tuple(map(float, place)),
                shape=tile.shape[-3:],
                checksum=checksum_file(path),
                bytes=stat.st_size,
                in_place=InPlace(path=str(path), mtime_ns=stat.st_mtime_ns),
            )
        )
    info = TileGridInfo(
        tiles=tuple(tiles),
        voxel_um=voxel_um,
        dtype=str(voxels[0].dtype),
        channels=tuple(Channel(name=str(c)) for c in range(channels)),
        axes="czyx" if channels > 1 else "zyx",
    )
    write_tiles(store, f"{name}.tiles", info)


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "store", create=True)


@pytest.fixture
def put_grid(store, tmp_path):
    def put(voxels, nominal, *, name="m1/raw", **options):
        write_grid(store, tmp_path / name.replace("/", "_"), voxels, nominal, name=name, **options)

    return put


@pytest.fixture
def go(store):
    """Plan and execute a call; `inputs` and `outputs` are ports to refs."""

    def run(tool, inputs, outputs, settings=None, **options):
        spec = get_tool(tool)
        call = make_call(spec, inputs, outputs, settings or {})
        return execute(make_plan(spec, call, store, RunOptions(**options)), store)

    return run
