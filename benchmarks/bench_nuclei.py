"""Nuclei by one default setting plus the diameter, against two naive pipelines.

`DoG` is a difference of Gaussians, local maxima and a watershed; `Otsu` a threshold, a distance
transform and a watershed: both with scikit-image, as a tutorial has them. Ours runs as a tool:
it reads from a store and writes points and masks into it. CPU seconds are per million voxels,
without the start of Python and the compiling of kernels.

    GATEWAY_TEST_DATA=... python benchmarks/bench_nuclei.py [--diameter-factor 1.0]
"""

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from nuclei_truth import NucleiSet, farthest_marker, load_sets, score_masks, score_points
from numpy.typing import NDArray
from scipy import ndimage

from gateway.algo.pyramid import reduce_mean
from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.box import Box
from gateway.volumes.layout import shard_boxes
from gateway.volumes.model import VolumeInfo
from gateway.volumes.points import open_points
from gateway.volumes.store import Store, open_store
from gateway.volumes.volume import open_volume
from gateway.volumes.writer import create_volume

Found = tuple[NDArray[np.float64], NDArray[Any] | None, float]
"""Points (zyx, um), masks, CPU seconds."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--diameter-factor", type=float, default=1.0, help="say it wrong")
    arguments = parser.parse_args()
    folder = os.environ.get("GATEWAY_TEST_DATA")
    if not folder:
        print("GATEWAY_TEST_DATA is not set: no nuclei sets here, nothing to compare")
        return
    print(f"{platform.machine()}, numpy {np.__version__}; CPU s per Mvoxel")
    print(f"{'set':30} {'by':14} {'points F1':>22} {'masks F1':>9} {'CPU':>6} {'of ours':>8}")
    with tempfile.TemporaryDirectory() as root:
        store = open_store(Path(root) / "store", create=True)
        for number, truth in enumerate(load_sets(Path(folder))):
            compare(store, truth, f"set{number}", truth.diameter_um * arguments.diameter_factor)


def compare(store: Store, truth: NucleiSet, name: str, diameter_um: float) -> None:
    write_image(store, f"{name}/raw.ome.zarr", truth)
    run_ours(store, name, "warm", diameter_um, masks=True)
    ours = run_ours(store, name, "masks", diameter_um, masks=True)
    rows = [
        ("ours, points", run_ours(store, name, "points", diameter_um, masks=False)),
        ("ours, masks", ours),
        ("DoG", run_dog(truth, diameter_um)),
        ("Otsu", run_otsu(truth, diameter_um)),
    ]
    for by, (points, masks, seconds) in rows:
        within = truth.diameter_um / 2
        if truth.dense_truth:
            score = score_points(points, truth, within)
            told = f"{score.f1:.3f} ({score.found}/{score.wanted} +{score.given - score.found})"
        else:
            far = farthest_marker(points, truth)
            near = int((far <= truth.diameter_um).sum())
            told = f"{near}/{len(far)} of {len(points)}"
        drawn = "" if masks is None or truth.masks is None else "-"
        if masks is not None and truth.masks is not None:
            drawn = f"{score_masks(masks, truth.masks).f1:.3f}"
        cost = seconds / truth.image.size * 1e6
        print(
            f"{truth.name:30} {by:14} {told:>22} {drawn:>9} {cost:6.3f} {seconds / ours[2]:7.1f}x",
            flush=True,
        )


def write_image(store: Store, key: str, truth: NucleiSet) -> None:
    info = VolumeInfo(
        kind="image",
        dtype=truth.image.dtype.name,
        shape=truth.image.shape,
        voxel_um=truth.voxel_um,
    )
    writer = create_volume(store, key, info, reduce_mean)
    cells = [
        writer.write(box, truth.image[box.slices()][np.newaxis])
        for box in shard_boxes(writer.info.levels[0])
    ]
    cells += [
        writer.write_level(level, Box.of_shape(writer.info.levels[level].shape))
        for level in range(writer.derived + 1, len(writer.info.levels))
    ]
    writer.finish(cells)


def run_ours(store: Store, name: str, run: str, diameter_um: float, *, masks: bool) -> Found:
    started = time.process_time()
    outputs = {"nuclei": f"{name}/{run}"} | ({"labels": f"{name}/{run}_labels"} if masks else {})
    spec = get_tool("detect_nuclei")
    call = make_call(spec, {"image": f"{name}/raw"}, outputs, {"diameter_um": diameter_um})
    execute(make_plan(spec, call, store, RunOptions(workers=1)), store)
    seconds = time.process_time() - started
    rows = open_points(store, f"{name}/{run}.points.parquet").read()
    points = np.stack([rows[f"{axis}_um"] for axis in "zyx"], axis=1)
    if not masks:
        return points, None, seconds
    labels = open_volume(store, f"{name}/{run}_labels.ome.zarr")
    return points, labels.read(Box.of_shape(labels.info.shape), channel=0), seconds


def run_dog(truth: NucleiSet, diameter_um: float) -> Found:
    """Differences of Gaussians, local maxima above Otsu's threshold, watershed."""
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu
    from skimage.segmentation import watershed

    started = time.process_time()
    image = truth.image.astype(np.float32)
    sigma = diameter_um / 2 / np.sqrt(3) / np.asarray(truth.voxel_um)
    smooth = ndimage.gaussian_filter(image, sigma)
    response = smooth - ndimage.gaussian_filter(image, 1.6 * sigma)
    apart = max(1, int(diameter_um / 2 / max(truth.voxel_um)))
    threshold = threshold_otsu(response)
    peaks = peak_local_max(
        response, min_distance=apart, threshold_abs=threshold, exclude_border=False
    )
    markers = np.zeros(image.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    masks = watershed(-smooth, markers, mask=response > threshold)
    return peaks * np.asarray(truth.voxel_um), masks, time.process_time() - started


def run_otsu(truth: NucleiSet, diameter_um: float) -> Found:
    """Background taken off, Otsu's threshold, distance transform, its maxima, watershed."""
    from skimage.feature import peak_local_max
    from skimage.filters import threshold_otsu
    from skimage.segmentation import watershed

    started = time.process_time()
    voxel_um = np.asarray(truth.voxel_um)
    image = truth.image.astype(np.float32)
    smooth = ndimage.gaussian_filter(image, 0.07 * diameter_um / voxel_um)
    smooth -= ndimage.gaussian_filter(image, 3 * diameter_um / voxel_um)
    inside = smooth > threshold_otsu(smooth)
    depth = ndimage.distance_transform_edt(inside, sampling=voxel_um)
    depth = ndimage.gaussian_filter(depth, 0.1 * diameter_um / voxel_um)
    apart = max(1, int(diameter_um / 4 / voxel_um.max()))
    peaks = peak_local_max(
        depth, min_distance=apart, labels=inside.astype(np.int32), exclude_border=False
    )
    markers = np.zeros(smooth.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    masks = watershed(-depth, markers, mask=inside)
    return peaks * voxel_um, masks, time.process_time() - started


if __name__ == "__main__":
    main()
