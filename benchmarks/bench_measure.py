"""Measuring every object of a volume, through the store and the engine, against scikit-image.

Run: python benchmarks/bench_measure.py [--edge 320] [--json]
"""

import argparse
import json
import resource
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

PEER_EDGE = 128
"""The peer measures a corner: it would take minutes for the whole."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", type=int, default=320, help="voxels along each axis")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), given.edge)
    if given.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:45} {value:12.4g}")


def make_cells(edge: int) -> tuple[Any, Any]:
    """Touching cells of about 12 voxels, a third of them background, and a noisy image."""
    random = np.random.default_rng(0)
    side = -(-edge // 12)
    cells = np.arange(1, side**3 + 1, dtype=np.uint32).reshape(side, side, side)
    cells[random.random(cells.shape) < 0.33] = 0
    labels = np.kron(cells, np.ones((12, 12, 12), np.uint32))[:edge, :edge, :edge]
    image = random.integers(0, 65536, (edge, edge, edge), dtype=np.uint16)
    return np.ascontiguousarray(labels), image


def cpu_s() -> float:
    """CPU seconds of this process and of those that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))


def measure(folder: Path, edge: int) -> dict[str, float]:
    from scipy import stats
    from skimage.measure import regionprops_table

    from gateway.algo.moments import Steps, block_moments, describe_powers, merge_moments
    from gateway.run.execute import execute
    from gateway.run.plan import RunOptions, make_plan
    from gateway.toolkit.call import make_call
    from gateway.toolkit.registry import get_tool

    labels, image = make_cells(edge)
    store = write(folder, labels, image)
    spec = get_tool("measure_regions")
    inputs = {"labels": "m1/masks", "image": "m1/raw"}

    def run(name: str) -> float:
        call = make_call(spec, inputs, {"regions": f"m1/{name}"}, {})
        start = cpu_s()
        execute(make_plan(spec, call, store, RunOptions(workers=1)), store)
        return cpu_s() - start

    run("warm")
    engine_s = run("cells")
    block_moments(labels[:8], (0, 0, 0), [lambda: image[:8]])
    start = cpu_s()
    part = merge_moments([block_moments(labels, (0, 0, 0), [lambda: image])])
    describe_powers(part["powers"][:, 0], part["sizes"], Steps.of("uint16"))
    kernel_s = cpu_s() - start

    corner = (slice(PEER_EDGE),) * 3
    properties = ("label", "area", "bbox", "centroid", "intensity_mean", "intensity_std")
    more = (skewness, kurtosis)
    stats.skew(np.arange(9.0))
    start = cpu_s()
    regionprops_table(labels[corner], image[corner], properties, extra_properties=more)
    peer_s = cpu_s() - start
    peer_speed = min(PEER_EDGE, edge) ** 3 / peer_s / 1e6
    speed = edge**3 / engine_s / 1e6
    return {
        "Mvoxel": edge**3 / 1e6,
        "objects": len(part["label"]),
        "Mvoxel per CPU s, through the engine": speed,
        "Mvoxel per CPU s, arrays in memory": edge**3 / kernel_s / 1e6,
        "Mvoxel per CPU s, scikit-image in memory": peer_speed,
        "times faster than scikit-image": speed / peer_speed,
    }


def skewness(mask: Any, image: Any) -> float:
    from scipy import stats

    return float(stats.skew(image[mask].astype(float)))


def kurtosis(mask: Any, image: Any) -> float:
    from scipy import stats

    return float(stats.kurtosis(image[mask].astype(float)))


def write(folder: Path, labels: Any, image: Any) -> Any:
    from gateway.algo.pyramid import reduce_mean, reduce_mode
    from gateway.volumes.layout import shard_boxes
    from gateway.volumes.model import VolumeInfo
    from gateway.volumes.store import open_store
    from gateway.volumes.writer import create_volume

    store = open_store(folder)
    for name, kind, voxels, reduce in (
        ("masks", "labels", labels, reduce_mode),
        ("raw", "image", image, reduce_mean),
    ):
        info = VolumeInfo(
            kind=kind, dtype=voxels.dtype.name, shape=voxels.shape, voxel_um=(1.0, 1.0, 1.0)
        )
        writer = create_volume(store, f"m1/{name}.ome.zarr", info, reduce)
        levels = writer.info.levels
        cells = [
            writer.write(box, voxels[np.newaxis][(slice(None), *box.slices())])
            for box in shard_boxes(levels[0])
        ]
        for number in range(writer.derived + 1, len(levels)):
            cells += [writer.write_level(number, box) for box in shard_boxes(levels[number])]
        writer.finish(cells)
    return store


if __name__ == "__main__":
    main()
