"""A run gives what the tool says, however it is cut, and leaves nothing else behind."""

import numpy as np

from gateway.volumes.points import open_points
from gateway.volumes.volume import open_volume


def test_a_block_tool_gives_what_the_whole_volume_would(go, store):
    result = go("trial_blur", {"image": "m1/smooth"}, workers=1, block_voxels=(33, 47, 61))
    volume = open_volume(store, "m1/smooth.ome.zarr")
    raw = open_volume(store, "m1/raw.ome.zarr")[0][0].astype(np.int64)
    padded = np.pad(raw, 2, mode="edge")
    window = np.lib.stride_tricks.sliding_window_view(padded, (5, 5, 5))
    assert (volume[0][0] == window.sum(axis=(3, 4, 5)) // 125).all()
    assert volume.info.digest == result.outputs["image"].digest
    assert volume.info.made_by == result.run_id
    assert volume.info.voxel_um == (2.0, 1.0, 1.0)
    assert store.list("m1").folders == ("raw.ome.zarr", "smooth.ome.zarr")


def test_passes_settle_merge_write_tables_and_reports(go, store):
    outputs = {"peaks": "m1/peaks", "labels": "m1/planes"}
    events = []
    result = go("trial_find", outputs, {"crop": 10}, workers=1, listeners=[events.append])
    raw = open_volume(store, "m1/raw.ome.zarr")[0][0]
    threshold = int(store.get("m1/peaks.report/threshold.txt"))
    planes = open_volume(store, "m1/planes.ome.zarr")
    assert planes.info.shape == (60, 150, 200)
    assert ((planes[0][0] > 0) == (raw[10:] > threshold)).all()
    peaks = open_points(store, "m1/peaks.points.parquet")
    assert peaks.columns == ("z_um", "y_um", "x_um", "value")
    assert peaks.count > 1000
    assert peaks.made_by == result.run_id
    assert peaks.attributes == {"tool": "trial_find", "version": "1.0.0"}
    names = [type(event).__name__ for event in events]
    assert names[0] == "RunStarted"
    assert names[-1] == "RunFinished"
    passes = [event.name for event in events if type(event).__name__ == "PassStarted"]
    assert passes[:3] == ["histogram", "check", "mark"]
    assert events[0].to_json()["event"] == "RunStarted"
    assert store.list("m1").folders == ("peaks.report", "planes.ome.zarr", "raw.ome.zarr")


def test_an_output_nobody_wants_is_not_written(go, store):
    both = go("trial_find", {"peaks": "m1/a", "labels": "m1/planes"}, workers=1)
    one = go("trial_find", {"peaks": "m1/b"}, workers=1)
    assert one.outputs["peaks"].digest == both.outputs["peaks"].digest
    assert "b.ome.zarr" not in store.list("m1").folders


def test_the_same_call_again_is_done_already(go):
    first = go("trial_blur", {"image": "m1/smooth"}, workers=1)
    again = go("trial_blur", {"image": "m1/smooth"}, workers=2, block_voxels=(16, 16, 16))
    assert again.already_done
    assert (again.outputs, again.run_id) == (first.outputs, first.run_id)
