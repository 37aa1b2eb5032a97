"""The nuclei sets with their truth, and how a detection is scored against it."""

import runpy
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class NucleiSet:
    """One volume and what is known about it."""

    name: str
    image: NDArray[Any]
    voxel_um: Vector
    diameter_um: float
    """What a user would say after a look at the image."""
    points: NDArray[np.float64]
    """Centres, or markers that must be found, zyx in voxels."""
    masks: NDArray[np.int32] | None
    dense_truth: bool
    """Whether `points` are all there is, so that a point elsewhere is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well a set was done."""

    found: int
    wanted: int
    given: int

    @property
    def f1(self) -> float:
        return 2 * self.found / max(1, self.wanted + self.given)


def load_sets(folder: Path) -> Iterator[NucleiSet]:
    """Yield the sets that are in a folder; says which are not."""
    for name, load in SETS.items():
        place = folder / name
        if place.is_dir():
            yield load(place)
        else:
            print(f"{name}: not in {folder}, left out")


def score_points(points: NDArray[Any], truth: NucleiSet, within_um: float) -> Score:
    """Match points (zyx in um) to the truth one to one, as many as can be within a distance."""
    wanted = truth.points * truth.voxel_um
    pairs = cKDTree(points).sparse_distance_matrix(
        cKDTree(wanted), within_um, output_type="coo_matrix"
    )
    ones = np.ones(pairs.nnz)
    graph = coo_matrix((ones, (pairs.row, pairs.col)), shape=(len(points), len(wanted))).tocsr()
    matched = maximum_bipartite_matching(graph, perm_type="column")
    found = int((matched >= 0).sum())
    return Score(found=found, wanted=len(wanted), given=len(points))


def farthest_marker(points: NDArray[Any], truth: NucleiSet) -> NDArray[np.float64]:
    """Return the distance of every marker to the nearest point, in um, sorted."""
    return np.sort(cKDTree(points).query(truth.points * truth.voxel_um)[0])


def score_masks(labels: NDArray[Any], truth: NDArray[Any], iou: float = 0.5) -> Score:
    """Count masks whose overlap with a true mask exceeds half of their union."""
    given, wanted = labels.ravel().astype(np.int64), truth.ravel().astype(np.int64)
    sizes, wanted_sizes = np.bincount(given), np.bincount(wanted)
    both = (given > 0) & (wanted > 0)
    key = given[both] * wanted_sizes.size + wanted[both]
    pair, overlap = np.unique(key, return_counts=True)
    union = sizes[pair // wanted_sizes.size] + wanted_sizes[pair % wanted_sizes.size] - overlap
    return Score(
        found=int((overlap > iou * union).sum()),
        wanted=int((wanted_sizes[1:] > 0).sum()),
        given=int((sizes[1:] > 0).sum()),
    )


def _synthetic(folder: Path) -> NucleiSet:
    make = runpy.run_path(str(folder.parent / "scripts" / "synth.py"))["make"]
    image, masks, centres, *_ = make((96, 384, 384), 1600, 7)
    return NucleiSet(
        name=folder.name,
        image=image,
        voxel_um=(1.0, 1.0, 1.0),
        diameter_um=7.5,
        points=centres,
        masks=masks,
        dense_truth=True,
    )


def _embryo(folder: Path) -> NucleiSet:
    masks, _ = ndimage.label(tifffile.imread(folder / "nsn.tif") > 0)
    centres, count = ndimage.label(tifffile.imread(folder / "ndn.tif") > 0)
    return NucleiSet(
        name=folder.name,
        image=tifffile.imread(folder / "raw.tif"),
        voxel_um=(1.75, 0.8, 0.8),
        diameter_um=16.5,
        points=np.array(ndimage.center_of_mass(centres > 0, centres, range(1, count + 1))),
        masks=masks,
        dense_truth=True,
    )


def _crowd(folder: Path) -> NucleiSet:
    masks = tifffile.imread(folder / "labels.tif").astype(np.int32)
    labels = np.unique(masks)[1:]
    return NucleiSet(
        name=folder.name,
        image=tifffile.imread(folder / "raw.tif"),
        voxel_um=(1.0, 1.0, 1.0),
        diameter_um=11.5,
        points=np.array(ndimage.center_of_mass(masks > 0, masks, labels)),
        masks=masks,
        dense_truth=True,
    )


def _brain(folder: Path) -> NucleiSet:
    image = tifffile.imread(folder / "ch0_signal.tif")
    tree = ET.parse(folder / "cell_classification.xml")  # noqa: S314 - our own test data
    markers = np.array(
        [
            [float(marker.findtext(f"Marker{axis}", "nan")) for axis in "ZYX"]
            for marker in tree.iter("Marker")
        ]
    )
    inside = np.all(markers < image.shape, axis=1)
    return NucleiSet(
        name=folder.name,
        image=image,
        voxel_um=(5.0, 2.0, 2.0),
        diameter_um=14.0,
        points=markers[inside],
        masks=None,
        dense_truth=False,
    )


SETS = {
    "nuclei_synth_pub": _synthetic,
    "nuclei_qcanet_8cell": _embryo,
    "nuclei_stardist_synth3d": _crowd,
    "nuclei_cellfinder_lightsheet": _brain,
}
