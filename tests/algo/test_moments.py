"""Moments are those of scipy and scikit-image, and exactly the same however blocks are cut."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from skimage.measure import regionprops

from gateway.algo.moments import Steps, block_moments, describe_powers, merge_moments
from gateway.volumes.box import Box, cut_boxes

SHAPE = (13, 17, 29)


def _scene(seed: int, dtype: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return sparse, huge labels and an image."""
    random = np.random.default_rng(seed)
    names = random.integers(1, 2**63, 12).astype(np.uint64) * np.uint64(2) + np.uint64(1)
    names[0] = 0
    labels = np.kron(random.choice(names, (5, 6, 8)), np.ones((3, 3, 4), np.uint64))
    labels = np.ascontiguousarray(labels[tuple(slice(n) for n in SHAPE)])
    labels[random.random(SHAPE) < 0.1] = random.choice(names)
    if dtype == "float32":
        return labels, random.normal(5, 100, SHAPE).astype(np.float32)
    limits = np.iinfo(dtype)
    return labels, random.integers(limits.min, limits.max + 1, SHAPE).astype(dtype)


def _cut(
    labels: NDArray[Any], image: NDArray[Any], block: tuple[int, int, int], steps: Steps
) -> dict[str, NDArray[Any]]:
    parts = []
    for box in cut_boxes(Box.of_shape(labels.shape), block):
        counts = steps.count(np.ascontiguousarray(image[box.slices()]))
        parts.append(block_moments(labels[box.slices()], box.start, [lambda counts=counts: counts]))
    return merge_moments(parts)


def _steps(image: NDArray[Any]) -> Steps:
    return Steps.of(image.dtype.name, float(image.min()), float(image.max()))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@settings(max_examples=15, deadline=None)
@given(st.integers(0, 5), st.tuples(st.integers(1, 13), st.integers(1, 17), st.integers(1, 29)))
def test_blocks_change_nothing(dtype: str, seed: int, block: tuple[int, int, int]) -> None:
    labels, image = _scene(seed, dtype)
    whole = _cut(labels, image, SHAPE, _steps(image))
    found = _cut(labels, image, block, _steps(image))
    assert found.keys() == whole.keys()
    for name, column in whole.items():
        np.testing.assert_array_equal(found[name], column)


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [("uint8", 1e-12), ("uint16", 1e-12), ("int16", 1e-12), ("float32", 1e-5)],
)
def test_statistics_are_those_of_scipy(dtype: str, tolerance: float) -> None:
    labels, image = _scene(1, dtype)
    steps = _steps(image)
    found = _cut(labels, image, SHAPE, steps)
    told = describe_powers(found["powers"][:, 0], found["sizes"], steps)
    assert found["label"].tolist() == sorted(set(labels[labels > 0].tolist()))
    for row, label in enumerate(found["label"]):
        values = image[labels == label].astype(np.float64)
        expected = (values.mean(), values.std(), stats.skew(values), stats.kurtosis(values))
        got = [column[row] for column in told]
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance * values.std())


def test_places_are_those_of_scikit_image() -> None:
    labels, image = _scene(2, "uint16")
    found = _cut(labels, image, (4, 5, 6), _steps(image))
    small = np.searchsorted(found["label"], labels) + 1
    small[labels == 0] = 0
    for row, region in enumerate(regionprops(small)):
        assert found["sizes"][row] == region.area
        assert (*found["start"][row], *found["stop"][row]) == region.bbox
        centre = found["sums"][row] / found["sizes"][row]
        np.testing.assert_allclose(centre, region.centroid, rtol=1e-12)


def test_a_bright_object_of_little_spread_keeps_its_moments() -> None:
    image = np.full((40, 40, 40), 65_000, np.uint16)
    image[::2] += 1
    image[0, 0, :7] += 3
    labels = np.ones(image.shape, np.uint32)
    steps = Steps.of("uint16")
    found = _cut(labels, image, (7, 40, 11), steps)
    mean, std, skew, kurtosis = describe_powers(found["powers"][:, 0], found["sizes"], steps)
    values = image.ravel().astype(np.float64) - 65_000
    np.testing.assert_allclose(mean[0] - 65_000, values.mean(), rtol=1e-9)
    np.testing.assert_allclose(std[0], values.std(), rtol=1e-12)
    np.testing.assert_allclose(skew[0], stats.skew(values), rtol=1e-9)
    np.testing.assert_allclose(kurtosis[0], stats.kurtosis(values), rtol=1e-12)


def test_sums_beyond_64_bits_are_exact() -> None:
    counts = np.full((1, 300, 300), 2**20 - 1, np.uint32)
    part = block_moments(np.ones(counts.shape, np.uint64), (0, 0, 0), [lambda: counts])
    many = merge_moments([part] * 1000)
    n = 90_000 * 1000
    for power in range(4):
        low, high = (int(word) for word in many["powers"][0, 0, power])
        assert low + (high << 64) == n * (2**20 - 1) ** (power + 1)


def test_an_object_of_one_intensity_has_no_skewness() -> None:
    labels = np.ones((2, 2, 2), np.uint32)
    for dtype in ("uint8", "float32"):
        image = np.full((2, 2, 2), 7, dtype)
        steps = _steps(image)
        found = _cut(labels, image, (2, 2, 2), steps)
        mean, std, skew, kurtosis = describe_powers(found["powers"][:, 0], found["sizes"], steps)
        assert (mean.tolist(), std.tolist()) == ([7], [0])
        assert np.isnan([skew[0], kurtosis[0]]).all()


def test_background_alone_reads_no_image() -> None:
    def fail() -> NDArray[Any]:
        pytest.fail("an image was read where there is only background")

    empty = block_moments(np.zeros((3, 3, 3), np.uint32), (0, 0, 0), [fail, fail])
    merged = merge_moments([empty, empty])
    assert {name: len(column) for name, column in merged.items()} == dict.fromkeys(merged, 0)
    assert merged["powers"].shape == (0, 2, 4, 2)


def test_many_labels_of_many_blocks_are_joined_in_batches() -> None:
    labels = np.arange(1, 2**16 + 1, dtype=np.uint64).reshape(16, 64, 64) * np.uint64(2**40)
    part = block_moments(labels, (0, 0, 0))
    assert part["label"].tolist() == labels.ravel().tolist()
    merged = merge_moments([part] * 20)
    assert merged["sizes"].tolist() == [20] * 2**16


@pytest.mark.data
def test_real_nuclei_are_measured_as_scikit_image_does(data_dir: Path) -> None:
    folder = data_dir / "nuclei_stardist_synth3d"
    labels, image = (tifffile.imread(folder / f"{name}.tif") for name in ("labels", "raw"))
    labels = labels.astype(np.uint32)
    steps = _steps(image)
    found = _cut(labels, image, (20, 50, 33), steps)
    mean, std, *_ = describe_powers(found["powers"][:, 0], found["sizes"], steps)
    regions = regionprops(labels.astype(int), image)
    assert len(regions) == len(found["label"]) > 30
    for row, region in enumerate(regions):
        assert (found["label"][row], found["sizes"][row]) == (region.label, region.area)
        assert (*found["start"][row], *found["stop"][row]) == region.bbox
        np.testing.assert_allclose(
            [mean[row], std[row]], [region.intensity_mean, region.intensity_std], rtol=1e-6
        )
