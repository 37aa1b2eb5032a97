"""Nuclei found and outlined: in every block alike, whatever the camera, in odd volumes too."""

import re
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial import cKDTree

from gateway.algo.pyramid import reduce_mean
from gateway.errors import CallError, FormatError
from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.passes import Work
from gateway.toolkit.registry import get_tool
from gateway.volumes.box import Box, cut_boxes
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.store import open_store
from gateway.volumes.writer import create_volume


class ArraySource:
    """A volume in memory."""

    read_unit = (1, 1, 1)

    def __init__(self, voxels, voxel_um=(1.0, 1.0, 1.0)):
        self.voxels = voxels if voxels.ndim == 4 else voxels[np.newaxis]
        self.info = VolumeInfo(
            kind="image",
            dtype=self.voxels.dtype.name,
            shape=self.voxels.shape[1:],
            voxel_um=voxel_um,
            origin_um=(5.0, 0.0, -3.0),
            channels=tuple(Channel(name=f"c{n}") for n in range(len(self.voxels))),
        )

    def read(self, box, *, level=0, channel=None, time=0):  # noqa: ARG002 - as in `Source`
        assert box.intersect(Box.of_shape(self.info.shape)) == box, "read outside the volume"
        cut = self.voxels[(slice(None), *box.slices())]
        return np.ascontiguousarray(cut if channel is None else cut[channel])


def detect(voxels, diameter_um, *, voxel_um=(1.0, 1.0, 1.0), block=None, order=None, **params):
    """Run all passes over blocks of any shape; returns the table and the labels."""
    source = ArraySource(voxels, voxel_um)
    spec = get_tool("detect_nuclei")
    given_params = spec.params(diameter_um=diameter_um, **params)
    made = spec.function(source, **given_params.model_dump())
    whole = Box.of_shape(source.info.shape)
    boxes = list(cut_boxes(whole, block or source.info.shape))
    if order is not None:
        order.shuffle(boxes)
    work = Work(box=whole, item=-1, inputs={"image": source}, params=given_params, state={})
    labels = np.zeros(source.info.shape, np.uint32)
    for step in made.passes:
        results = []
        for box in boxes:
            results.append(dict(step.work(replace(work, box=box))))
            if step.writes:
                labels[box.slices()] = results[-1].pop("voxels")
        if step.merge:
            work = replace(work, state={**work.state, step.name: step.merge(results, work)})
    return made.tables["nuclei"](work), labels


def scene(shape=(40, 60, 70), count=25, radius=3.5, *, seed=0, noise=8.0, spacing=9.0, spread=0.3):
    """Return soft balls on a sloping background, their labels and their centres."""
    random = np.random.default_rng(seed)
    image = np.zeros(shape)
    margin = radius * 0.8
    labels = np.zeros(shape, np.int32)
    centres = []
    grid = np.indices(shape)
    for _ in range(4000):
        centre = random.uniform(margin, np.array(shape) - 1 - margin)
        if len(centres) == count or any(np.linalg.norm(centre - c) < spacing for c in centres):
            continue
        centres.append(centre)
        distance = np.sqrt(((grid - centre[:, None, None, None]) ** 2).sum(axis=0))
        bright = 300 * np.exp(random.normal(0, spread))
        image = np.maximum(image, bright / (1 + np.exp((distance - radius) * 3)))
        labels[distance < radius] = len(centres)
    image = ndimage.gaussian_filter(image, 0.8) + 120 + grid[2] * 0.8
    image = random.poisson(image) + random.normal(0, noise, shape)
    return np.clip(image, 0, 65535).astype(np.uint16), labels, np.array(centres)


def positions(table, origin=(5.0, 0.0, -3.0)):
    return np.stack([table[f"{a}_um"] for a in "zyx"], axis=1) - origin


def matched(found, centres, within):
    """Return how many centres have a point of their own nearby."""
    distance = np.linalg.norm(found[:, None] - centres[None], axis=2)
    nearest = {(int(i), int(distance[i].argmin())) for i in range(len(found))}
    return len({c for i, c in nearest if distance[i, c] < within})


def test_nuclei_are_found_where_they_are() -> None:
    image, labels, centres = scene()
    table, masks = detect(image, 7.0)
    found = positions(table)
    assert len(found) == matched(found, centres, 1.0) == len(centres)
    for row, label in enumerate(table["label"]):
        truth = labels == labels[tuple(np.round(found[row]).astype(int))]
        mask = masks == label
        assert (truth & mask).sum() / (truth | mask).sum() > 0.5


def test_the_table_is_in_order_and_complete() -> None:
    table, masks = detect(scene()[0], 7.0)
    assert list(table) == [
        *("z_um", "y_um", "x_um", "label"),
        *("intensity", "contrast", "scale_um"),
    ]
    found = positions(table)
    assert np.array_equal(np.lexsort(found.T[::-1]), np.arange(len(found)))
    assert np.array_equal(table["label"], np.arange(1, len(found) + 1))
    assert set(np.unique(masks)) == {0, *table["label"].tolist()}
    assert (table["contrast"] > 100).all()
    assert (table["contrast"] < table["intensity"]).all()
    assert np.median(table["scale_um"]) == pytest.approx(7.0, abs=1.5)


@pytest.fixture(scope="module")
def scenes():
    """Scenes with their whole-volume results: round, anisotropic, binned, thin, crowded."""
    crowded = scene((30, 50, 60), 60, spacing=5.5, seed=3)[0]
    flat = np.where(np.indices((24, 48, 50)).sum(axis=0) % 37 < 12, 400, 100).astype(np.uint16)
    cases = {
        "round": (scene((30, 50, 61), 14)[0], 7.0, (1.0, 1.0, 1.0)),
        "crowded": (crowded, 6.5, (1.0, 1.0, 1.0)),
        "anisotropic": (scene((40, 50, 60), 20, seed=1)[0][::2], 7.0, (2.0, 1.0, 1.0)),
        "binned": (scene((41, 77, 90), 6, 11, spacing=25, seed=2)[0], 22.0, (1.0, 0.6, 0.6)),
        "plane": (scene((9, 70, 80), 20, seed=4)[0][4:5], 7.0, (3.0, 1.0, 1.0)),
        "plateaus": (flat, 6.0, (1.0, 1.0, 1.0)),
        "float": (scene((20, 40, 44), 8)[0].astype(np.float32) / 7 - 40, 7.0, (1.0, 1.0, 1.0)),
    }
    return {
        name: (image, d, um, detect(image, d, voxel_um=um))
        for name, (image, d, um) in cases.items()
    }


@pytest.mark.parametrize(
    "name", ["round", "crowded", "anisotropic", "binned", "plane", "plateaus", "float"]
)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    block=st.tuples(st.integers(5, 45), st.integers(7, 60), st.integers(7, 70)),
    order=st.randoms(use_true_random=False),
)
def test_blocks_change_nothing(scenes, name, block, order) -> None:
    image, diameter, voxel_um, (table, labels) = scenes[name]
    cut, cut_labels = detect(image, diameter, voxel_um=voxel_um, block=block, order=order)
    assert len(table["label"]) > 2
    for column, values in table.items():
        assert values.tobytes() == cut[column].tobytes(), column
    assert np.array_equal(labels, cut_labels)


def test_tiny_blocks_change_nothing(scenes) -> None:
    image, diameter, voxel_um, (table, labels) = scenes["binned"]
    small = np.ascontiguousarray(image[:9, :40, :40])
    whole = detect(small, diameter, voxel_um=voxel_um)
    cut = detect(small, diameter, voxel_um=voxel_um, block=(1, 3, 5))
    assert whole[0]["z_um"].tobytes() == cut[0]["z_um"].tobytes()
    assert np.array_equal(whole[1], cut[1])
    assert len(table["label"]) == labels.max()


def bitten(image, value=0):
    """Return an image with a ragged border and a notch of fill, and where that is."""
    z, y, x = np.indices(image.shape)
    ragged = 9 + 4 * np.sin(z / 3) + 3 * np.cos(x / 5)
    fill = (y < ragged) | (x + z / 2 > image.shape[2] - 2) | (z + y + x < 40)
    fill |= (abs(y - 45) < 6) & (x < 16)
    return np.where(fill, image.dtype.type(value), image), fill


@pytest.fixture(scope="module")
def filled():
    """Volumes with fill, and their whole-volume results."""
    one = (1.0, 1.0, 1.0)
    cases = {
        "zeros": (bitten(scene(count=30)[0]), 7.0, one),
        "float": (bitten(scene(count=30)[0].astype(np.float32) / 7 - 40, -900), 7.0, one),
        "binned": (bitten(scene((41, 77, 90), 8, 9, spacing=20)[0]), 18.0, (1.0, 0.6, 0.6)),
    }
    return {
        name: (image, fill, d, um, detect(image, d, voxel_um=um))
        for name, ((image, fill), d, um) in cases.items()
    }


@pytest.mark.parametrize("name", ["zeros", "float", "binned"])
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    block=st.tuples(st.integers(5, 45), st.integers(7, 60), st.integers(7, 70)),
    order=st.randoms(use_true_random=False),
)
def test_blocks_change_nothing_beside_fill(filled, name, block, order) -> None:
    image, _, diameter, voxel_um, (table, labels) = filled[name]
    cut, cut_labels = detect(image, diameter, voxel_um=voxel_um, block=block, order=order)
    assert len(table["label"]) > 2
    for column, values in table.items():
        assert values.tobytes() == cut[column].tobytes(), column
    assert np.array_equal(labels, cut_labels)


@pytest.mark.parametrize("name", ["zeros", "float", "binned"])
def test_nothing_lies_in_the_fill(filled, name) -> None:
    _, fill, _, voxel_um, (table, labels) = filled[name]
    places = np.rint(positions(table) / voxel_um).astype(int)
    assert not fill[tuple(places.T)].any()
    assert not labels[fill].any()


def test_fill_adds_no_nuclei_and_hides_none() -> None:
    image, _, centres = scene((60, 130, 140), 150, spacing=10)
    cut, fill = bitten(image)
    away = ndimage.distance_transform_edt(~fill)[tuple(np.rint(centres).astype(int).T)]
    found = positions(detect(cut, 7.0)[0])
    hits = matched(found, centres[away >= 2], 2.5)
    true = int((away >= 2).sum())
    # of a nucleus that the fill cuts in two, the rest may be found
    wrong = int((cKDTree(centres).query(found)[0] > 4).sum())
    assert true > 100
    assert 2 * hits / (hits + wrong + true) >= 0.99


def test_the_rest_of_a_padded_volume_is_what_it_was() -> None:
    image = scene()[0]
    plain, masks = detect(image, 7.0)
    wide, wide_masks = detect(np.pad(image, 30), 7.0, block=(25, 29, 28))  # some hold fill only
    shift = np.array([30, 30, 30])
    assert len(wide["label"]) == len(plain["label"])
    np.testing.assert_allclose(positions(wide) - shift, positions(plain), atol=0.5)
    assert ((wide_masks[30:-30, 30:-30, 30:-30] > 0) == (masks > 0)).mean() > 0.999


def test_a_dark_volume_is_no_fill() -> None:
    image, _, centres = scene(noise=0)
    dark = np.random.default_rng(2).poisson(np.maximum(image - 100.0, 0) / 40).astype(np.uint16)
    dark[:, :12] = 0
    table, _ = detect(dark, 7.0)
    seen = detect(dark.astype(np.float32) * 3 + 7, 7.0)[0]
    assert len(table["label"]) == len(seen["label"])
    assert matched(positions(table), centres, 2.5) > 0.8 * (centres[:, 1] > 16).sum()


@pytest.mark.parametrize("gain", [0.01, 3.0, 40.0])
def test_gain_and_offset_of_the_camera_change_nothing(gain) -> None:
    image = scene()[0]
    plain, masks = detect(image.astype(np.float32), 7.0)
    other, other_masks = detect((image * gain - 77).astype(np.float32), 7.0)
    np.testing.assert_allclose(positions(other), positions(plain), atol=1e-2)
    np.testing.assert_allclose(other["contrast"], plain["contrast"] * gain, rtol=1e-2)
    assert (masks != other_masks).mean() < 1e-3


@pytest.mark.parametrize(
    ("convert", "dtype"),
    [
        (lambda v: np.clip(v // 4, 0, 255), np.uint8),
        (lambda v: v.astype(np.int32) - 500, np.int16),
        (lambda v: v / 1000, np.float32),
    ],
)
def test_every_dtype_tells_the_same_nuclei(convert, dtype) -> None:
    image, _, centres = scene()
    table, _ = detect(convert(image).astype(dtype), 7.0)
    assert len(table["label"]) == matched(positions(table), centres, 1.0) == len(centres)


def test_clipped_nuclei_are_one_each() -> None:
    image, _, centres = scene(spread=0.0)
    table, masks = detect(np.minimum(image, 220), 7.0)
    assert len(table["label"]) == matched(positions(table), centres, 1.0) == len(centres)
    assert masks.max() == len(centres)


def test_large_rough_nuclei_give_one_point_each() -> None:
    random = np.random.default_rng(0)
    image, _, centres = scene((60, 90, 90), 8, 11, spacing=26, noise=0)
    rough = random.poisson(image / 20) * 20
    table, _ = detect(rough.astype(np.uint16), 22.0)
    assert len(table["label"]) == matched(positions(table), centres, 3.0) == len(centres)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((12, 20, 30), np.uint16),
        np.full((12, 20, 30), 1234, np.uint16),
        np.full((12, 20, 30), 0.1, np.float32),
        np.random.default_rng(1).poisson(100, (40, 64, 64)).astype(np.uint16),
        np.full((1, 1, 1), 9, np.uint8),
        np.broadcast_to(np.arange(60, dtype=np.int16) * 9 - 200, (20, 30, 60)),
    ],
    ids=["zeros", "constant", "constant float", "noise", "one voxel", "ramp"],
)
def test_nothing_is_found_where_nothing_is(image) -> None:
    table, masks = detect(np.ascontiguousarray(image), 7.0)
    assert len(table["label"]) == 0
    assert all(len(column) == 0 for column in table.values())
    assert not masks.any()


@pytest.mark.parametrize("sigma", [1.2, 1.8, 2.8])
def test_a_texture_of_the_size_of_nuclei_holds_none(sigma) -> None:
    random = np.random.default_rng(11)
    texture = ndimage.gaussian_filter(random.standard_normal((48, 64, 64)), sigma, mode="wrap")
    image = random.poisson(1000 + 150 * texture / texture.std()).astype(np.uint16)
    table, _ = detect(image, 7.0)
    assert len(table["label"]) <= 1  # a thousand, if it is taken for a crowd


def test_nuclei_in_a_texture_are_found() -> None:
    image, _, centres = scene()
    random = np.random.default_rng(12)
    texture = ndimage.gaussian_filter(random.standard_normal(image.shape), 1.8, mode="wrap")
    rough = np.clip(image + 20 + 12 * texture / texture.std(), 0, None).astype(np.uint16)
    table, _ = detect(rough, 7.0)
    assert matched(positions(table), centres, 1.5) == len(centres)
    assert len(table["label"]) <= len(centres) + 1


def test_a_single_bright_voxel_is_one_object_or_none() -> None:
    image = np.zeros((15, 15, 15), np.uint16)
    image[7, 8, 9] = 60000
    table, masks = detect(image, 4.0)
    assert np.allclose(positions(table), [[7, 8, 9]], atol=0.01)
    assert masks[7, 8, 9] == 1


def test_a_volume_smaller_than_the_filter() -> None:
    image = np.full((3, 4, 5), 10, np.uint16)
    image[1, 2, 2] = 900
    table, masks = detect(image, 12.0)
    assert len(table["label"]) <= 1
    assert masks.shape == image.shape


def test_one_plane_is_seen_as_a_plane() -> None:
    image, _, centres = scene((9, 90, 100), 30, seed=5)
    plane = image[4:5]
    table, masks = detect(plane, 7.0)
    inside = centres[abs(centres[:, 0] - 4) < 2.5] * (0, 1, 1)
    assert matched(positions(table), inside, 2.0) == len(inside)
    assert masks.max() == len(table["label"])


def test_sensitivity_finds_fainter_nuclei() -> None:
    image, _, _ = scene(count=40, spacing=7, spread=1.4, noise=25)
    few, some, many = (len(detect(image, 7.0, sensitivity=s)[0]["label"]) for s in (0.2, 1, 5))
    assert few < some <= many


def test_a_channel_by_number_or_name() -> None:
    image = scene()[0]
    both = np.stack([np.zeros_like(image), image])
    by_number, by_name = (detect(both, 7.0, channel=c)[0] for c in (1, "c1"))
    assert by_number["x_um"].tobytes() == by_name["x_um"].tobytes()
    assert len(by_name["x_um"]) > len(detect(both, 7.0)[0]["x_um"]) == 0
    with pytest.raises(CallError, match=r"'channel' is 'blue'; the image has 0 \(c0\), 1 \(c1\)"):
        detect(both, 7.0, channel="blue")


def test_a_diameter_below_two_voxels_is_refused() -> None:
    with pytest.raises(CallError, match=r"'diameter_um' is 0.5.*give at least 2, or use a finer"):
        detect(scene()[0], 0.5)


def test_a_diameter_of_a_thousand_voxels_is_refused() -> None:
    with pytest.raises(CallError, match=r"'diameter_um' is 1000.*give at most 400"):
        detect(scene()[0], 1000.0)


def test_a_voxel_that_is_no_number_is_named() -> None:
    image = scene()[0].astype(np.float32)
    image[3, 4, 5] = np.nan
    with pytest.raises(FormatError, match=r"voxel \(3, 4, 5\) \(zyx\) of channel 'c0' is not"):
        detect(image, 7.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = open_store(tmp_path_factory.mktemp("nuclei") / "store", create=True)
    image = scene((40, 130, 140), 60)[0]
    info = VolumeInfo(kind="image", dtype="uint16", shape=image.shape, voxel_um=(1.0, 1.0, 1.0))
    writer = create_volume(made, "m1/raw.ome.zarr", info, reduce_mean)
    cells = [writer.write(Box.of_shape(info.shape), image[np.newaxis])]
    cells += [
        writer.write_level(level, Box.of_shape(writer.info.levels[level].shape))
        for level in range(writer.derived + 1, len(writer.info.levels))
    ]
    writer.finish(cells)
    return made


def run(store, name, *, labels=True, **options):
    spec = get_tool("detect_nuclei")
    outputs = {"nuclei": f"m1/{name}"} | ({"labels": f"m1/{name}_masks"} if labels else {})
    call = make_call(spec, {"image": "m1/raw"}, outputs, {"diameter_um": 7.0})
    result = execute(make_plan(spec, call, store, RunOptions(**options)), store)
    return {port: output.digest for port, output in result.outputs.items()}


def test_workers_and_blocks_change_no_digest(store) -> None:
    whole = run(store, "whole", workers=1)
    assert run(store, "points", labels=False, workers=1) == {"nuclei": whole["nuclei"]}
    assert run(store, "many", workers=2, block_voxels=(17, 50, 61)) == whole
    assert run(store, "three", workers=3, block_voxels=(40, 64, 33)) == whole


@pytest.mark.data
def test_eight_nuclei_of_a_real_embryo(data_dir) -> None:
    folder = data_dir / "nuclei_qcanet_8cell"
    image, voxel_um = tifffile.imread(folder / "raw.tif"), (1.75, 0.8, 0.8)
    truth, count = ndimage.label(tifffile.imread(folder / "ndn.tif") > 0)
    centres = np.array(ndimage.center_of_mass(truth > 0, truth, range(1, count + 1))) * voxel_um
    for diameter_um in (14.0, 16.5, 19.0):
        table, _ = detect(image, diameter_um, voxel_um=voxel_um)
        assert len(table["label"]) == matched(positions(table), centres, 6.0) == count == 8


@pytest.mark.data
def test_most_of_a_dense_crowd(data_dir) -> None:
    folder = data_dir / "nuclei_stardist_synth3d"
    truth = tifffile.imread(folder / "labels.tif")
    centres = np.array(ndimage.center_of_mass(truth > 0, truth, np.unique(truth)[1:]))
    table, _ = detect(tifffile.imread(folder / "raw.tif"), 11.5)
    found = matched(positions(table), centres, 5.75)
    assert 2 * found / (len(centres) + len(table["label"])) >= 0.85


@pytest.mark.data
def test_every_marked_cell_of_a_real_brain(data_dir) -> None:
    folder = data_dir / "nuclei_cellfinder_lightsheet"
    image, voxel_um = tifffile.imread(folder / "ch0_signal.tif"), (5.0, 2.0, 2.0)
    text = (folder / "cell_classification.xml").read_text()
    markers = np.stack(
        [[float(n) for n in re.findall(f"<Marker{a}>(.*?)</", text)] for a in "ZYX"], axis=1
    )
    markers = markers[np.all(markers < image.shape, axis=1)] * voxel_um
    table, _ = detect(image, 14.0, voxel_um=voxel_um)
    distance, _ = cKDTree(positions(table)).query(markers)
    assert len(markers) > 50
    assert distance.max() <= 15
    assert len(table["label"]) < 4000
