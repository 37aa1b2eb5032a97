"""Volume write, read and 128³ cut-outs: our API against bare TensorStore and zarr-python.

All move the same voxels in the same shards and chunks, in turns in one run; the codecs are ours
too, but in the row of zarr-python's defaults, which is what its user gets without choosing.
The bar is for one level with its digest; the write of all levels does more and is listed too.
TensorStore waits for the disk to hold each file (fsync), and so do we; zarr-python does not.
The fastest of five rounds counts for whole volumes, since other guests of a shared machine only
ever slow a round down; the median of 120 counts for cut-outs.

    python benchmarks/bench_volume_io.py [--quick] [--folder DIR]
"""

import argparse
import importlib.metadata
import os
import platform
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts
import zarr
from numpy.typing import NDArray

from gateway.algo.pyramid import reduce_mean
from gateway.volumes.box import Box
from gateway.volumes.layout import choose_layout, shard_boxes
from gateway.volumes.model import VolumeInfo
from gateway.volumes.ome import array_document
from gateway.volumes.store import Store, open_store
from gateway.volumes.volume import open_volume
from gateway.volumes.writer import create_volume

CUT = 128
CUTS = 24
OURS, LEVELS, BARE = "gateway", "gateway, all levels", "TensorStore"
ZARR, PLAIN = "zarr-python", "zarr-python defaults"
Clock = dict[tuple[str, str], list[tuple[float, float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="64 MiB, two rounds")
    parser.add_argument("--folder", type=Path, help="where to write (default: temporary folder)")
    arguments = parser.parse_args()
    shape = (256, 256, 512) if arguments.quick else (1024, 1024, 512)
    voxels = make_voxels(shape)
    info = VolumeInfo(kind="image", dtype="uint16", shape=shape, voxel_um=(1.0, 1.0, 1.0))
    info = replace(info, levels=choose_layout(info))
    reduce_mean(voxels[:8, :8, :8], (2, 2, 2))  # compiled before the clock starts
    clock: Clock = defaultdict(list)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        store = open_store(folder)
        for turn in range(2 if arguments.quick else 5):
            run_turn(store, info, voxels, clock, turn)
    print_table(info, clock)


def make_voxels(shape: tuple[int, int, int]) -> NDArray[np.uint16]:
    """Make a smooth structure with camera noise, as a microscope gives: it packs about 1.8 fold."""
    random = np.random.default_rng(7)
    z, y, x = (np.arange(n, dtype=np.float32) for n in (256, 256, 256))
    wave = np.sin(z / 20)[:, None, None] * np.cos(y / 31)[:, None] * np.sin(x / 17)
    noise = random.normal(0, 20, wave.shape).astype(np.float32)
    block = (1000 + 500 * wave + noise).astype(np.uint16)
    repeats = tuple(-(-n // 256) for n in shape)
    return np.ascontiguousarray(np.tile(block, repeats)[: shape[0], : shape[1], : shape[2]])


def run_turn(
    store: Store, info: VolumeInfo, voxels: NDArray[np.uint16], clock: Clock, turn: int
) -> None:
    """Let every contender write, read and cut, each turn in another order."""
    single = replace(info, levels=info.levels[:1])
    whole = voxels[None]
    contenders: dict[str, Callable[[], None]] = {
        OURS: lambda: write_ours(store, "ours", single, whole),
        LEVELS: lambda: write_ours(store, "levels", info, whole),
        BARE: lambda: open_bare(store, single, create=True).write(whole).result(),
        ZARR: lambda: write_zarr(store, "zarr", single, whole, codecs(single)),
        PLAIN: lambda: write_zarr(store, "plain", single, whole, "auto"),
    }
    names = list(contenders)
    names = names[turn % 5 :] + names[: turn % 5]
    for name in names:
        timed(clock, "write", name, contenders[name])
    volume = open_volume(store, "ours")
    bare = open_bare(store, single)
    other = zarr.open_array(f"{store.url}/zarr/0", mode="r")
    plain = zarr.open_array(f"{store.url}/plain/0", mode="r")
    readers: dict[str, Callable[[Box], NDArray[Any]]] = {
        OURS: lambda box: volume.read(box, channel=0),
        BARE: lambda box: bare[(0, *box.slices())].read().result(),
        ZARR: lambda box: other[(0, *box.slices())],
        PLAIN: lambda box: plain[(0, *box.slices())],
    }
    boxes = cut_outs(info, turn)
    names = [name for name in names if name in readers]
    for name in names:
        read = readers[name]
        timed(clock, "read", name, lambda: read(Box.of_shape(info.shape)))  # noqa: B023 - used at once
    for index, box in enumerate(boxes):
        # Who comes first after the comparison below finds the caches cold: each in its turn.
        first = index % len(names)
        for name in names[first:] + names[:first]:
            content = timed(clock, "cut-out", name, lambda: readers[name](box))  # noqa: B023 - used at once
            if not np.array_equal(content, voxels[box.slices()]):
                raise SystemExit(f"{name} read other voxels than were written at {box}")
    for key in ("ours", "levels", "bare", "zarr", "plain"):
        shutil.rmtree(Path(store.url) / key)


def write_ours(store: Store, key: str, info: VolumeInfo, voxels: NDArray[np.uint16]) -> None:
    writer = create_volume(store, key, info, reduce_mean)
    cells = [writer.write(Box.of_shape(info.shape), voxels)]
    for level in range(writer.derived + 1, len(info.levels)):
        cells += [writer.write_level(level, box) for box in shard_boxes(info.levels[level])]
    writer.finish(cells)


def open_bare(store: Store, info: VolumeInfo, *, create: bool = False) -> Any:
    spec = {
        "driver": "zarr3",
        "kvstore": store.kvstore("bare/0"),
        "metadata": array_document(info, info.levels[0]),
    }
    return ts.open(spec, create=create, open=True).result()


def write_zarr(
    store: Store, key: str, info: VolumeInfo, voxels: NDArray[np.uint16], compressors: Any
) -> None:
    level = info.levels[0]
    array = zarr.create_array(
        f"{store.url}/{key}/0",
        shape=info.array_shape,
        dtype=info.dtype,
        chunks=(1, *level.chunk),
        shards=(1, *level.shard),
        compressors=compressors,
    )
    array[...] = voxels


def codecs(info: VolumeInfo) -> list[Any]:
    """Return the codecs of our volumes, as zarr-python names them."""
    sharding = array_document(info, info.levels[0])["codecs"][0]["configuration"]
    blosc = zarr.codecs.BloscCodec.from_dict(sharding["codecs"][1])
    return [blosc, zarr.codecs.Crc32cCodec()]


def cut_outs(info: VolumeInfo, seed: int) -> list[Box]:
    random = np.random.default_rng(seed)
    boxes = []
    for _ in range(CUTS):
        z, y, x = (int(random.integers(0, n - CUT + 1)) for n in info.shape)
        boxes.append(Box((z, y, x), (z + CUT, y + CUT, x + CUT)))
    return boxes


def timed(clock: Clock, work: str, name: str, function: Callable[[], Any]) -> Any:
    wall, cpu = time.perf_counter(), time.process_time()
    result = function()
    clock[work, name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return result


def print_table(info: VolumeInfo, clock: Clock) -> None:
    megabytes = np.prod(info.shape) * 2 / 1e6
    level = info.levels[0]
    packages = ("tensorstore", "zarr", "numpy", "blake3")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    print(f"{info.shape} uint16 = {megabytes:.0f} MB; shard {level.shard}, chunk {level.chunk}")
    print(f"Python {platform.python_version()}, {versions}; {os.cpu_count()} cores, {cpu_name()}")
    print(
        f"{'work':<8} {'who':<20} {'wall s':>8} {'CPU s':>8} {'MB/s':>7} {'of ours':>9} {'CPU':>8}"
    )
    for work in ("write", "read", "cut-out"):
        typical = statistics.median if work == "cut-out" else min
        ours, ours_cpu = (typical(times) for times in zip(*clock[work, OURS], strict=True))
        for name in (OURS, LEVELS, BARE, ZARR, PLAIN):
            if times := clock.get((work, name)):
                wall = typical(wall for wall, _ in times)
                cpu = typical(cpu for _, cpu in times)
                size = megabytes if work != "cut-out" else CUT**3 * 2 / 1e6
                print(
                    f"{work:<8} {name:<20} {wall:8.4f} {cpu:8.4f} {size / wall:7.0f} "
                    f"{wall / ours:8.2f}x {cpu / ours_cpu:7.2f}x"
                )


def cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((row.split(":")[1].strip() for row in lines if "model name" in row), "?")


if __name__ == "__main__":
    main()
