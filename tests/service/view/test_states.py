"""States are what Neuroglancer takes, and show all there is in the right place."""

import numpy as np
import pytest

from gateway.errors import CallError, NotFoundError
from gateway.service.view.contrast import robust_window, sample_boxes
from gateway.service.view.states import viewer_state
from gateway.volumes.box import Box
from gateway.volumes.points import write_points

BASE = "http://127.0.0.1:1/s/abc"


def parsed(state):
    """Read a state as the Python client of the viewer does: an unknown or wrong field raises."""
    neuroglancer = pytest.importorskip("neuroglancer")
    return neuroglancer.ViewerState(state)


def test_a_dataset_shows_its_channels_labels_and_points(brain) -> None:
    state = viewer_state(brain, "brain", BASE)
    viewer = parsed(state)
    layers = {layer.name: layer.layer for layer in viewer.layers}
    assert list(layers) == ["image · nuclei", "image · vessels", "labels", "cells"]
    assert [layer.type for layer in layers.values()] == [
        "image", "image", "segmentation", "annotation",
    ]  # fmt: skip
    urls = [layer.source[0].url for layer in layers.values()]
    assert urls[0] == f"{BASE}/data/brain/image.ome.zarr/|zarr3:"
    assert urls[2] == f"{BASE}/data/brain/labels.ome.zarr/|zarr3:"
    assert urls[3] == f"precomputed://{BASE}/data/brain/cells.points"
    assert [layer["localPosition"] for layer in state["layers"][:2]] == [[0], [1]]
    assert viewer.to_json()["layers"][0]["localDimensions"] == {"c'": [1, ""]}


def test_channels_that_are_all_white_get_colours_and_windows_from_the_voxels(brain) -> None:
    layers = viewer_state(brain, "brain", BASE, ["image"])["layers"]
    controls = [layer["shaderControls"] for layer in layers]
    assert controls[0]["colour"] != controls[1]["colour"]
    low, high = controls[0]["contrast"]["range"]
    assert 85 < low < 100
    assert 1500 < high < 2200
    assert [layer["blend"] for layer in layers] == ["additive", "additive"]


def test_position_and_scale_show_the_whole_in_metres(brain) -> None:
    state = viewer_state(brain, "brain", BASE, ["image"])
    space = parsed(state).dimensions
    assert list(space.names) == ["x", "y", "z"]
    assert np.allclose(space.scales, [1e-6, 1e-6, 2e-6])
    assert list(space.units) == ["m", "m", "m"]
    # voxel (0, 0, 0) is centred on (10, 20, 30) µm, so the middle lies half a voxel before
    centre = np.asarray([30 - 0.5 + 64, 20 - 0.5 + 80, (10 - 1 + 96) / 2])
    assert np.allclose(state["position"], centre)
    assert state["crossSectionScale"] * 380 >= 192
    assert state["projectionScale"] > 192
    assert state["showScaleBar"]


def test_points_alone_are_placed_by_their_own_extent(brain) -> None:
    state = viewer_state(brain, "brain", BASE, ["cells"])
    parsed(state)
    assert np.allclose(state["position"], [94, 100, 106], atol=1)
    assert state["dimensions"]["x"] == [1e-6, "m"]


def test_of_several_images_the_largest_is_shown_and_the_rest_is_at_hand(
    gateway, fill_dataset
) -> None:
    fill_dataset(gateway.store, "many")
    folder = gateway.store.local_path("many")
    (folder / "image.ome.zarr").rename(folder / "b.ome.zarr")
    fill_dataset(gateway.store, "other")
    gateway.store.local_path("other/image.ome.zarr").rename(folder / "a.ome.zarr")
    layers = viewer_state(gateway, "many", BASE)["layers"]
    assert [layer["name"] for layer in layers if layer.get("visible", True)] == [
        "a · nuclei", "a · vessels", "labels", "cells",
    ]  # fmt: skip
    assert len(layers) == 6


def test_a_broken_entry_does_not_hide_the_others(gateway, fill_dataset) -> None:
    fill_dataset(gateway.store, "brain")
    gateway.store.put("brain/broken.points.parquet", b"PAR1 no")
    names = [layer["name"] for layer in viewer_state(gateway, "brain", BASE)["layers"]]
    assert "broken" not in names
    assert "cells" in names


def test_what_may_not_be_seen_is_neither_shown_nor_named(brain) -> None:
    layers = viewer_state(brain, "brain", BASE, visible=frozenset({"labels"}))["layers"]
    assert [layer["name"] for layer in layers] == ["labels"]
    with pytest.raises(NotFoundError) as caught:
        viewer_state(brain, "brain", BASE, ["image"], visible=frozenset({"labels"}))
    assert "cells" not in str(caught.value)


def test_wrong_names_are_told(brain, gateway) -> None:
    with pytest.raises(NotFoundError, match="imagee"):
        viewer_state(brain, "brain", BASE, ["imagee"])
    with pytest.raises(NotFoundError, match="no dataset 'heart'"):
        viewer_state(brain, "heart", BASE)
    gateway.store.put("empty/move.transform.json", b"{}")
    with pytest.raises(NotFoundError, match="nothing to show"):
        viewer_state(gateway, "empty", BASE)
    with pytest.raises(CallError, match="is a transform"):
        viewer_state(gateway, "empty", BASE, ["move"])


def test_an_empty_table_has_a_state(gateway) -> None:
    none = {name: np.zeros(0) for name in ("z_um", "y_um", "x_um")}
    write_points(gateway.store, "brain/none.points.parquet", none)
    state = viewer_state(gateway, "brain", BASE)
    parsed(state)
    assert np.isfinite(state["position"]).all()


@pytest.mark.parametrize(
    ("values", "window"),
    [
        (np.zeros(9, np.uint8), (0.0, 1.0)),
        (np.full(9, 7, np.uint8), (0.0, 7.0)),
        (np.full(9, -7, np.int16), (-7.0, 0.0)),
        (np.array([np.nan, 1, 2], np.float32), (1.01, 1.998)),
    ],
)
def test_a_window_is_never_empty(values, window) -> None:
    assert robust_window(values) == pytest.approx(window)


def test_samples_of_a_large_level_lie_inside_it() -> None:
    boxes = sample_boxes((1000, 3000, 2000), (64, 64, 64))
    whole = Box.of_shape((1000, 3000, 2000))
    assert len(boxes) == 8
    assert all(whole.contains(box) and box.voxels == 64**3 for box in boxes)
    assert sample_boxes((10, 10, 10), (64, 64, 64)) == [Box.of_shape((10, 10, 10))]
    [plane] = sample_boxes((1, 9000, 9000), (1, 9000, 9000))[:1]
    assert plane.voxels <= 4_000_000
