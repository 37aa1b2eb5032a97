"""A full disk: refused in advance where that can be known, else reported, and resumed."""

import shutil
import subprocess

import pytest

from gateway.errors import PlanError, RunError, StoreError
from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.store import open_store

SIZE = 12 * 2**20


@pytest.fixture
def disk(tmp_path, make_image):
    """Mount a small disk with a store on it; yields the store and a way to fill the rest."""
    mount = shutil.which("mount")
    folder = tmp_path / "disk"
    folder.mkdir()
    command = [mount or "mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs more rights than this test has")
    try:
        store = open_store(folder / "store", create=True)
        make_image(store)

        def fill(leave):
            free = shutil.disk_usage(folder).free
            (folder / "filler").write_bytes(bytes(max(0, free - leave)))

        yield store, fill, folder / "filler"
    finally:
        subprocess.run([shutil.which("umount") or "umount", "-l", str(folder)], check=True)


def plan_copy(store, workers):
    spec = get_tool("trial_copy")
    call = make_call(spec, {"image": "m1/raw"}, {"image": "m1/copy"}, {})
    return make_plan(spec, call, store, RunOptions(workers=workers))


def test_a_disk_that_cannot_hold_the_outputs_is_refused_with_numbers(disk):
    store, fill, _ = disk
    fill(400_000)
    with pytest.raises(PlanError) as caught:
        plan_copy(store, 1)
    assert "bytes before compression and need" in str(caught.value)
    assert "bytes free: free some space, or choose another store" in str(caught.value)
    assert store.list("m1").folders == ("raw.ome.zarr",)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fills_up_stops_the_run_which_goes_on_later(disk, workers):
    store, fill, filler = disk

    def hog(event):
        if type(event).__name__ == "PassStarted":
            fill(200_000)

    with pytest.raises(RunError, match=r"pass 'trial_copy', block .*: no space left to write"):
        execute(plan_copy(store, workers), store, listeners=[hog])
    assert "copy.ome.zarr" not in store.list("m1").folders
    filler.unlink()
    result = execute(plan_copy(store, workers), store)
    assert result.resumed
    assert store.list("m1").folders == ("copy.ome.zarr", "raw.ome.zarr")


def test_a_disk_that_is_full_to_the_last_byte_is_reported(disk):
    store, fill, filler = disk
    plan = plan_copy(store, 1)
    fill(0)
    with pytest.raises(StoreError, match="no space left to write"):
        execute(plan, store)
    filler.unlink()
    assert execute(plan_copy(store, 1), store).outputs
