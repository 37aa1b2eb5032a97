"""Tile grids: kept whole, found again, and refused when a tile is no longer what it was."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile

from gateway.errors import CorruptionError, FormatError, NotFoundError
from gateway.volumes.box import Box
from gateway.volumes.checksums import checksum_file
from gateway.volumes.formats.cache import CachedSource, DecodedCache
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.formats.registry import open_source
from gateway.volumes.local_store import LocalStore
from gateway.volumes.model import Channel
from gateway.volumes.tiles import InPlace, Tile, TileGridInfo, open_tiles, write_tiles

SHAPE = (4, 12, 10)
KEY = "m1/raw.tiles"


def make_grid(store: LocalStore, folder: Path, *, in_place: bool) -> TileGridInfo:
    folder.mkdir(parents=True, exist_ok=True)
    tiles = []
    for i in range(2):
        path = folder / f"t{i}.tif"
        voxels = np.random.default_rng(i).integers(0, 999, SHAPE).astype("u2")
        tifffile.imwrite(path, voxels, compression="zlib", photometric="minisblack")
        stat = path.stat()
        tiles.append(
            Tile(
                file=path.name,
                nominal_voxels=(0, 0, 9.5 * i),
                shape=SHAPE,
                checksum=checksum_file(path),
                bytes=stat.st_size,
                in_place=InPlace(path=str(path), mtime_ns=stat.st_mtime_ns) if in_place else None,
                extra={"true_x": 9.0 * i, "note": "x"},
            )
        )
    info = TileGridInfo(
        tiles=tuple(tiles), voxel_um=(5, 2, 2), dtype="uint16", channels=(Channel(name="0"),)
    )
    write_tiles(store, KEY, info)
    return info


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    (tmp_path / "store").mkdir()
    return LocalStore(tmp_path / "store")


def test_a_grid_is_found_again_with_all_it_knows(local: LocalStore, tmp_path: Path) -> None:
    info = make_grid(local, tmp_path / "store" / KEY, in_place=False)
    grid = pickle.loads(pickle.dumps(open_tiles(local, KEY)))  # noqa: S301 - our own
    assert grid.info == info
    assert grid.tiles[1].nominal_voxels == (0, 0, 9.5)
    assert grid.tiles[1].extra == {"true_x": 9.0, "note": "x"}
    expected = tifffile.imread(tmp_path / "store" / KEY / "t1.tif")
    np.testing.assert_array_equal(grid.source(1).read(Box.of_shape(SHAPE))[0], expected)


def test_in_place_and_copied_have_one_digest(local: LocalStore, tmp_path: Path) -> None:
    copied = make_grid(local, tmp_path / "store" / KEY, in_place=False)
    placed = make_grid(local, tmp_path / "scope", in_place=True)
    assert copied.digest == placed.digest
    grid = open_tiles(local, KEY)
    assert grid.path(0) == tmp_path / "scope" / "t0.tif"


def test_a_touched_tile_is_the_same_a_changed_one_is_not(local: LocalStore, tmp_path: Path) -> None:
    make_grid(local, tmp_path / "scope", in_place=True)
    path = tmp_path / "scope" / "t0.tif"
    os.utime(path, ns=(1, 1))
    open_tiles(local, KEY).source(0)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(CorruptionError, match=r"t0\.tif changed since it was registered"):
        open_tiles(local, KEY).source(0)
    path.unlink()
    with pytest.raises(NotFoundError, match=r"registered in place at .*t0\.tif, which cannot"):
        open_tiles(local, KEY).source(0)


def test_a_tile_gone_from_the_store_is_named(local: LocalStore, tmp_path: Path) -> None:
    make_grid(local, tmp_path / "store" / KEY, in_place=False)
    (tmp_path / "store" / KEY / "t1.tif").unlink()
    with pytest.raises(NotFoundError, match=r"tile m1/raw\.tiles/t1\.tif is gone"):
        open_tiles(local, KEY).source(1)


def test_broken_descriptions_are_refused(local: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no tile grid at m1/none"):
        open_tiles(local, "m1/none.tiles")
    info = make_grid(local, tmp_path / "store" / KEY, in_place=False)
    tile = info.tiles[0]
    with pytest.raises(FormatError, match=r"two tiles are named t0\.tif"):
        write_tiles(local, KEY, info.model_copy(update={"tiles": (tile, tile)}))
    text = local.get(f"{KEY}/tiles.json").decode().replace("t0.tif", "../../t0.tif")
    local.put(f"{KEY}/tiles.json", text.encode())
    with pytest.raises(FormatError, match="without folders"):
        open_tiles(local, KEY)


def test_the_cache_decodes_once_and_stays_small(tmp_path: Path) -> None:
    voxels = np.random.default_rng(0).integers(0, 999, (40, 64, 64)).astype("u2")
    tifffile.imwrite(tmp_path / "a.tif", voxels, compression="zlib")
    source = open_source(tmp_path / "a.tif", OpenOptions(voxel_um=(1, 1, 1)))
    decoded: list[int] = []
    read = source.read

    class Counting:
        info = source.info
        read_unit = source.read_unit

        def read(self, box: Box, **how: int) -> np.ndarray:
            decoded.append(box.voxels)
            return read(box, **how)

    cache = DecodedCache(voxels.nbytes)
    cached = CachedSource(Counting(), cache, "a")
    for z in range(0, 40, 5):
        box = Box((z, 3, 7), (min(40, z + 9), 60, 50))
        np.testing.assert_array_equal(cached.read(box)[0], voxels[box.slices()])
    assert sum(decoded) == voxels.size
    assert cache.held_bytes <= voxels.nbytes
    none = CachedSource(Counting(), DecodedCache(0), "a")
    np.testing.assert_array_equal(none.read(Box.of_shape((40, 64, 64)), channel=0), voxels)
