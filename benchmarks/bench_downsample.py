"""2x2x2 mean of uint8 and uint16 in one thread: ours against tinybrain, in turns in one run.

python benchmarks/bench_downsample.py [--quick]
"""

import argparse
import importlib.metadata
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.algo.pyramid import reduce_mean, reduce_mode

Downsample = Callable[[NDArray[Any]], NDArray[Any]]
FACTOR = (2, 2, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="256³ instead of 512³ voxels")
    edge = 256 if parser.parse_args().quick else 512
    peers, peer_of_modes = find_peers()
    print(f"{edge}³ voxels, {versions()}; {os.cpu_count()} cores; CPU time of one thread, median")
    print(f"{'work':<14} {'who':<16} {'ms':>8} {'Mvoxel/s':>9} {'of ours':>8} {'bias':>8}")
    random = np.random.default_rng(0)
    for dtype in (np.uint8, np.uint16):
        voxels = random.integers(0, 251, (edge, edge, edge), dtype)
        contenders = {"gateway": lambda v: reduce_mean(v, FACTOR)} | peers
        compare(f"mean {dtype.__name__}", voxels, contenders)
    coarse = random.integers(0, 999, (edge // 8 + 1,) * 3, np.uint32)
    labels = coarse.repeat(8, axis=0).repeat(8, axis=1).repeat(8, axis=2)
    labels = np.ascontiguousarray(labels[3:, 1:, 5:][:edge, :edge, :edge])
    contenders = {"gateway": lambda v: reduce_mode(v, FACTOR)} | peer_of_modes
    compare("mode uint32", labels, contenders)


def find_peers() -> tuple[dict[str, Downsample], dict[str, Downsample]]:
    """Return the mean and the mode of tinybrain, on arrays in the order that it likes best."""
    try:
        import tinybrain
    except ImportError:
        print("tinybrain is not installed: `pip install brain-gateway[bench]` adds the peer")
        return {}, {}

    def average(voxels: NDArray[Any]) -> NDArray[Any]:
        # A transposed view is in Fortran order, for which tinybrain has its fastest code.
        (mip,) = tinybrain.downsample_with_averaging(voxels.T, FACTOR, num_mips=1)
        return np.asarray(mip).T

    def vote(voxels: NDArray[Any]) -> NDArray[Any]:
        (mip,) = tinybrain.downsample_segmentation(voxels.T, FACTOR, num_mips=1)
        return np.asarray(mip).T

    return {"tinybrain": average}, {"tinybrain": vote}


def compare(work: str, voxels: NDArray[Any], contenders: dict[str, Downsample]) -> None:
    """Time the contenders in turns and print a row for each."""
    results = {name: downsample(voxels) for name, downsample in contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(7):
        for name, downsample in contenders.items():
            start = time.process_time()
            downsample(voxels)
            times[name].append(time.process_time() - start)
    ours = statistics.median(times["gateway"])
    for name, runs in times.items():
        seconds = statistics.median(runs)
        bias = float(results[name].mean(dtype=np.float64) - voxels.mean(dtype=np.float64))
        shown = "" if "mode" in work else f"{bias:8.3f}"
        rate = voxels.size / seconds / 1e6
        print(
            f"{work:<14} {name:<16} {seconds * 1e3:8.1f} {rate:9.0f} {seconds / ours:7.2f}x {shown}"
        )


def versions() -> str:
    names = ("numpy", "numba", "tinybrain")
    found = []
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} missing")
    return ", ".join([f"Python {platform.python_version()}", *found])


if __name__ == "__main__":
    main()
