"""Ingest of a TIFF stack with all levels: ours, two bare TensorStore loops, and ngff-zarr.

`tensorstore` reads slabs with tifffile, reduces them with our kernel and writes every level, one
slab computed while the one before is written: the least that makes the same volume. `… + hashes`
does the rest of what an ingest promises too: it hashes the cells of every level and the bytes of
the source, with the same library, so it is the loop that does the same. Neither records anything,
checks that the file is whole, can be stopped and resumed, nor draws a picture; ours does.

Run: python benchmarks/bench_ingest.py [--gigabytes 0.5] [--large] [--peer-python PYTHON] [--json]

Each contender is a process of its own, timed from its start to its end, with the peak memory of
all its processes. ngff-zarr comes with `pip install brain-gateway[bench]`; `--peer-python` names
the interpreter of another environment that has it. `--large` adds inputs of 2 and 8 GB, for ours
alone: the claim there is memory.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

UM = (2.0, 2.0, 2.0)
SIDE = 1024
SLAB = 128
BARE, HASHED = "tensorstore", "tensorstore+hashes"


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] in CONTENDERS:
        CONTENDERS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--large", action="store_true", help="add 2 and 8 GB, ours alone")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        rows = list(compare(Path(folder), given))
    if given.json:
        print(json.dumps(rows))
        return
    print(f"{'input':<22} {'who':<18} {'wall s':>8} {'CPU s':>8} {'peak MB':>8} {'ours/who':>9}")
    for row in rows:
        print(
            f"{row['input']:<22} {row['who']:<18} {row['wall_s']:8.2f} {row['cpu_s']:8.2f} "
            f"{row['peak_mb']:8.0f} {row['speed_of_ours']:9.2f}"
        )


def compare(folder: Path, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield one row per input and contender; speeds are relative to ours, from medians."""
    who = ["gateway", BARE, HASHED, *(["ngff-zarr"] if has_peer(given.peer_python) else [])]
    # compiled Python and kernels are there after the first use, as they are after an installation
    small = write_stack(folder, 0.01, "none")
    for _ in race(small, who, folder, argparse.Namespace(**{**vars(given), "repeats": 1})):
        pass
    for packed in ("none", "zlib"):
        path = write_stack(folder, given.gigabytes, packed)
        yield from race(path, who, folder, given)
        path.unlink()
    for size in (2, 8) if given.large else ():
        path = write_stack(folder, size, "none")
        yield from race(path, ["gateway", BARE] if size < 8 else ["gateway"], folder, given)
        path.unlink()


def race(
    path: Path, who: list[str], folder: Path, given: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in who}
    for turn in range(given.repeats):
        for name in who:
            # the slow one need not be waited for more than once
            if turn == 0 or name != "ngff-zarr":
                python = given.peer_python if name == "ngff-zarr" else sys.executable
                runs[name].append(measure([python, __file__, name, str(path)], folder / "out"))
    middle = {
        name: sorted(r["wall_s"] for r in rows)[len(rows) // 2] for name, rows in runs.items()
    }
    for name, rows in runs.items():
        yield {
            "input": path.name,
            "who": name,
            "wall_s": middle[name],
            "cpu_s": sorted(r["cpu_s"] for r in rows)[len(rows) // 2],
            "peak_mb": max(r["peak_mb"] for r in rows),
            "speed_of_ours": middle[name] / middle["gateway"],
        }


def measure(command: list[str], out: Path) -> dict[str, float]:
    """Run a process; returns wall and CPU seconds and the peak memory of it and its children."""
    import psutil

    shutil.rmtree(out, ignore_errors=True)
    started = time.perf_counter()
    before = os.times()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(out.with_name("pycache"))
    process = subprocess.Popen([*command, str(out)], env=environment)
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        root = psutil.Process(process.pid)
        while not done.wait(0.02):
            try:
                whole = 0
                for child in (root, *root.children(recursive=True)):
                    # proportional: pages that processes share count once
                    whole += child.memory_full_info().pss
                peak = max(peak, whole)
            except psutil.Error:
                continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    status = process.wait()
    done.set()
    watcher.join()
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    after = os.times()
    shutil.rmtree(out, ignore_errors=True)
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return {"wall_s": time.perf_counter() - started, "cpu_s": cpu, "peak_mb": peak / 1e6}


def write_stack(folder: Path, gigabytes: float, packed: str) -> Path:
    """Write a stack like a cleared brain: soft structures, camera noise, some background."""
    import tifffile
    from scipy import ndimage

    random = np.random.default_rng(0)
    planes = max(1, round(gigabytes * 1e9 / (2 * SIDE * SIDE)))
    soft = ndimage.gaussian_filter(random.random((64, SIDE, SIDE), np.float32), 3)
    soft = (soft - np.median(soft)).clip(0) * 60_000
    noise = random.integers(90, 130, (64, SIDE, SIDE), np.uint16)

    def pages() -> Iterator[Any]:
        for z in range(planes):
            yield np.roll(soft[z % 64], z, 1).astype(np.uint16) + noise[(z * 7) % 64]

    path = folder / f"{gigabytes:g}GB-{packed}.ome.tif"
    said = {"axes": "ZYX"}
    for axis in "XYZ":
        said |= {f"PhysicalSize{axis}": "2.0", f"PhysicalSize{axis}Unit": "µm"}
    tifffile.imwrite(
        path,
        pages(),
        shape=(planes, SIDE, SIDE),
        dtype=np.uint16,
        bigtiff=True,
        ome=True,
        photometric="minisblack",
        metadata=said,
        **({} if packed == "none" else {"compression": "zlib", "predictor": True}),
    )
    return path


def has_peer(python: str) -> bool:
    if python == sys.executable:
        found = importlib.util.find_spec("ngff_zarr") is not None
    else:
        check = [python, "-c", "import ngff_zarr"]
        found = subprocess.run(check, capture_output=True, check=False).returncode == 0
    if not found:
        print("ngff-zarr is not here: `pip install brain-gateway[bench]`", file=sys.stderr)
    return found


def run_gateway(path: Path, out: Path) -> None:
    from gateway.service.gateway import open_gateway
    from gateway.service.home import init_home
    from gateway.service.ingest import IngestOptions, ingest
    from gateway.volumes.ref import parse_ref

    init_home(out)
    ingest(open_gateway(out), path, parse_ref("b/raw"), IngestOptions(voxel_um=UM))


def run_hashed(path: Path, out: Path) -> None:
    """Do as `run_tensorstore`, and hash the cells of every level and the source file."""
    from gateway.volumes.checksums import checksum_file

    run_tensorstore(path, out, hashed=True)
    (out / "checksum").write_text(checksum_file(path))


def run_tensorstore(path: Path, out: Path, *, hashed: bool = False) -> None:
    """Do the same with the bare engine: slabs read, written and reduced, writes overlapping."""
    import tensorstore as ts
    import tifffile

    from gateway.algo.pyramid import reduce_mean
    from gateway.volumes.box import Box
    from gateway.volumes.digest import hash_cells

    with tifffile.TiffFile(path) as tiff:
        series = tiff.series[0]
        shape = series.shape
        arrays = [_open_level(ts, out / str(n), s) for n, s in enumerate(_level_shapes(shape))]
        pending: list[Any] = []
        for z in range(0, shape[0], SLAB):
            stop = min(shape[0], z + SLAB)
            voxels = tiff.asarray(key=range(z, stop), series=0)
            writes = []
            for number, array in enumerate(arrays):
                first = z >> number
                writes.append(array[first : first + len(voxels)].write(voxels))
                if hashed:
                    hash_cells(voxels, Box.of_shape(voxels.shape), level=number)
                if number + 1 < len(arrays):
                    voxels = reduce_mean(voxels, (2, 2, 2))
            for write in pending:
                write.result()
            pending = writes
        for write in pending:
            write.result()


def _level_shapes(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    yield shape
    while max(shape) > 128:
        shape = tuple(-(-n // 2) for n in shape)
        yield shape


def _open_level(ts: Any, path: Path, shape: tuple[int, ...]) -> Any:
    number = int(path.name)
    high = max(1, SLAB >> number)
    shard = [high, *(min(-(-n // 64) * 64, 512) for n in shape[1:])]
    inner = [
        {"name": "bytes", "configuration": {"endian": "little"}},
        {"name": "blosc", "configuration": {"cname": "zstd", "clevel": 1, "shuffle": "shuffle",
                                            "typesize": 2}},
        {"name": "crc32c"},
    ]  # fmt: skip
    codec = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [min(64, high), 64, 64],
            "codecs": inner,
            "index_codecs": [inner[0], inner[2]],
        },
    }
    grid = {"name": "regular", "configuration": {"chunk_shape": shard}}
    metadata = {"shape": shape, "data_type": "uint16", "chunk_grid": grid, "codecs": [codec]}
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{path}/"},
            "metadata": metadata}  # fmt: skip
    return ts.open(spec, create=True).result()


def run_ngff_zarr(path: Path, out: Path) -> None:
    """Do it as its users do: by its own command, with the mean for levels."""
    command = Path(sys.executable).with_name("ngff-zarr")
    subprocess.run(
        [command, "-i", path, "-o", out / "a.ome.zarr", "-q", "--method", "itkwasm_bin_shrink"],
        check=True,
    )  # fmt: skip


CONTENDERS = {
    "gateway": run_gateway,
    BARE: run_tensorstore,
    HASHED: run_hashed,
    "ngff-zarr": run_ngff_zarr,
}

if __name__ == "__main__":
    main()
