"""Grids of tiles with known places, in a store, and a way to run tools on them."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.checksums import checksum_file
from gateway.volumes.model import Channel
from gateway.volumes.open import open_ref
from gateway.volumes.ref import parse_ref
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


def cut_grid(scene, nominal, true, tile, *, seed=0, vignette=0.0, gain=0.0, noise=3.0):
    """Cut tiles of one shape out of a scene at whole true places, each seen by its own camera."""
    random = np.random.default_rng(seed)
    y, x = (np.linspace(-1, 1, n)[None] ** 2 for n in tile[1:])
    shade = 1 - vignette * (y.T + x) / 2
    voxels = []
    for place in np.asarray(true, int) - np.min(true, axis=0).astype(int):
        part = scene[tuple(slice(a, a + n) for a, n in zip(place, tile, strict=True))]
        seen = part * shade * (1 + random.uniform(-gain, gain)) + random.normal(0, noise, tile)
        voxels.append(np.clip(np.rint(seen), 0, 65535).astype(np.uint16))
    return Grid(voxels, np.asarray(nominal, float), np.asarray(true, float))


def make_scene(shape, seed=0):
    """Make content with detail at several scales."""
    random = np.random.default_rng(seed)
    scene = sum(
        size
        * ndimage.zoom(random.random([n // size + 2 for n in shape]), size, order=1)[
            tuple(slice(n) for n in shape)
        ]
        for size in (2, 4, 8)
    )
    return (scene - scene.min()) * 200


@pytest.fixture(scope="session")
def scene():
    """Content of 30 x 150 x 190 voxels."""
    return make_scene((30, 150, 190))


@pytest.fixture
def cut():
    return cut_grid


@pytest.fixture(scope="session")
def load_grid():
    return read_grid


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


@pytest.fixture
def stitch(go, put_grid, store):
    """Stitch tiles; returns the volume's handle and the positions table in the tiles' order."""

    def run(voxels, nominal, settings=None, *, name="fused", voxel_um=(1.0, 1.0, 1.0), **options):
        put_grid(voxels, nominal, name=f"m1/{name}-raw", voxel_um=voxel_um)
        outputs = {"image": f"m1/{name}", "positions": f"m1/{name}-places"}
        go("stitch", {"tiles": f"m1/{name}-raw"}, outputs, settings, workers=1, **options)
        table = open_ref(store, parse_ref(outputs["positions"])).read()
        order = np.argsort(table["file"])
        rows = {name: column[order] for name, column in table.items()}
        rows["voxels"] = np.stack([rows[axis] for axis in "zyx"], axis=1)
        return open_ref(store, parse_ref(outputs["image"])), rows

    return run
