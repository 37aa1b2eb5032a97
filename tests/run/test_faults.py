"""Faults: every one names its place, keeps what is done, shows nothing half-made."""

import os
import shutil
import threading
import time

import pytest

from gateway.errors import ExistsError, GatewayError, RunError, StoreError
from gateway.run.events import RunFailed, TaskRetried
from gateway.run.execute import execute
from gateway.run.lock import RunLock
from gateway.run.staging import Staging
from gateway.volumes.store import LocalStore
from gateway.volumes.volume import open_volume


@pytest.fixture
def trouble(go, tmp_path):
    def run(how, times=100, workers=2, listeners=(), **options):
        settings = {"how": how, "times": times, "notes": str(tmp_path / "notes")}
        options = {"workers": workers, "block_voxels": (64, 64, 64)} | options
        return go("trial_trouble", {"image": "m1/out"}, settings, listeners=listeners, **options)

    return run


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raise", "ZeroDivisionError: nothing to divide by"),
        ("refuse", "the third plane is upside down"),
        ("dtype", "trial_trouble: returned float64 voxels, announced uint16"),
        ("shape", "trial_trouble: returned voxels of shape (63, 64, 64) for a block of shape"),
    ],
)
def test_an_error_in_a_tool_names_pass_block_and_reason(trouble, store, how, words, workers):
    events = []
    with pytest.raises(RunError) as caught:
        trouble(how, workers=workers, listeners=[events.append])
    message = str(caught.value)
    assert message.startswith(
        "trial_trouble: pass 'trial_trouble', block 0:64,64:128,64:128: " + words
    )
    log = message.partition("(log: ")[2].rstrip(")")
    assert "Traceback (most recent call last)" in store.get(log).decode()
    assert isinstance(events[-1], RunFailed)
    assert "out.ome.zarr" not in store.list("m1").folders


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("kill", "the worker was killed by SIGKILL (out of memory?)"),
        ("exit", "the worker ended with status 7"),
        ("memory", "MemoryError: out of memory"),
    ],
)
def test_a_dying_worker_is_replaced_and_the_block_tried_again(trouble, how, reason):
    events = []
    result = trouble(how, times=2, listeners=[events.append])
    retried = [event for event in events if isinstance(event, TaskRetried)]
    assert [(event.block, event.attempt, event.reason) for event in retried] == [
        ("0:64,64:128,64:128", 1, reason),
        ("0:64,64:128,64:128", 2, reason),
    ]
    assert result.outputs["image"].digest


def test_a_block_that_kills_every_worker_stops_the_run(trouble):
    with pytest.raises(RunError) as caught:
        trouble("kill")
    assert (
        "pass 'trial_trouble', block 0:64,64:128,64:128: "
        "the worker was killed by SIGKILL (out of memory?), 3 times" in str(caught.value)
    )


def test_a_failed_run_goes_on_once_the_cause_is_gone(trouble, store):
    with pytest.raises(RunError):
        trouble("raise", times=1, workers=1)
    assert trouble("raise", times=1, workers=1).resumed
    raw, out = (open_volume(store, f"m1/{name}.ome.zarr") for name in ("raw", "out"))
    assert (raw[0] == out[0]).all()
    assert raw.info.digest == out.info.digest


class Dead(BaseException):
    """The process was killed here."""


class MortalStore(LocalStore):
    """A store whose process dies at a given change; after that nothing happens any more."""

    def __init__(self, root, lives):
        super().__init__(root)
        self.lives = lives

    def _live(self):
        if threading.current_thread() is threading.main_thread():
            self.lives -= 1
        if self.lives < 0:
            raise Dead

    def put(self, key, data):
        self._live()
        super().put(key, data)

    def publish(self, staged, final):
        self._live()
        super().publish(staged, final)

    def delete(self, prefix):
        self._live()
        # A folder is deleted file by file, and the process may die at each of them.
        path = self.local_path(prefix)
        for file in sorted(path.rglob("*")) if path.is_dir() else ():
            if file.is_file():
                self._live()
                file.unlink()
        super().delete(prefix)


def test_a_run_killed_at_any_step_goes_on_to_the_same_end(go, store, tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.run.lock._is_stale", lambda _holder: True)
    monkeypatch.setattr("gateway.run.lock._SETTLE_S", 0)
    outputs = {"peaks": "m1/peaks", "labels": "m1/planes"}
    options = {"workers": 1, "block_voxels": (70, 150, 200)}
    plan = go.plan("trial_find", outputs, **options)
    whole = execute(plan, store)
    finished = False
    lives = 0
    while not finished:
        for key in ("peaks.points.parquet", "planes.ome.zarr", "peaks.report", ".staging"):
            LocalStore(tmp_path / "store").delete(f"m1/{key}")
        mortal = MortalStore(tmp_path / "store", lives)
        try:
            execute(go.plan("trial_find", outputs, **options), mortal)
            finished = True
        except Dead:
            result = execute(go.plan("trial_find", outputs, **options), store)
            assert {p: o.digest for p, o in result.outputs.items()} == {
                p: o.digest for p, o in whole.outputs.items()
            }
        assert store.list("m1").folders == ("peaks.report", "planes.ome.zarr", "raw.ome.zarr")
        lives += 1
    assert lives > 25


def test_two_runs_of_one_call_do_not_meet(go, store):
    plan = go.plan("trial_blur", {"image": "m1/x"}, {"delay_s": 0.3})
    results, errors = [], []

    def run():
        try:
            results.append(execute(plan, store))
        except RunError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 1
    assert f"the same call is being run by process {os.getpid()} on" in errors[0]
    assert execute(plan, store).already_done


def test_the_lock_of_a_dead_process_is_taken_over(go, store):
    plan = go.plan("trial_blur", {"image": "m1/x"})
    staging = Staging(store, plan.run)
    with RunLock(staging):
        held = store.get(staging.key("lock.json"))
    dead = held.replace(str(os.getpid()).encode(), b"999999999")
    store.put(staging.key("lock.json"), dead)
    assert execute(plan, store).outputs


def test_the_lock_of_another_machine_holds_while_its_heart_beats(go, store):
    plan = go.plan("trial_blur", {"image": "m1/x"})
    staging = Staging(store, plan.run)
    beat = '{"token": "x", "host": "elsewhere", "pid": 5, "at": %f}'
    store.put(staging.key("lock.json"), (beat % time.time()).encode())
    with pytest.raises(RunError, match="run by process 5 on elsewhere; wait for it"):
        execute(plan, store)
    store.put(staging.key("lock.json"), (beat % (time.time() - 100)).encode())
    assert execute(plan, store).outputs


def test_a_taken_name_is_refused_before_anything_runs(go):
    go("trial_blur", {"image": "m1/x"}, workers=1)
    with pytest.raises(ExistsError, match=r"output 'image': m1/x already exists \(image, made by"):
        go("trial_blur", {"image": "m1/x"}, {"radius": 5}, workers=1)
    with pytest.raises(ExistsError, match="m1/x already exists"):
        go("trial_find", {"peaks": "m1/x"}, workers=1)


def test_half_of_the_outputs_of_a_call_is_no_result(go, store):
    outputs = {"peaks": "m1/peaks", "labels": "m1/planes"}
    go("trial_find", outputs, workers=1)
    store.delete("m1/planes.ome.zarr")
    with pytest.raises(ExistsError, match="'peaks' exists, made by this call, but 'labels'"):
        go("trial_find", outputs, workers=1)


def test_changed_input_begins_anew(go, store, make_image):
    first = go("trial_blur", {"image": "m1/a"}, workers=1)
    store.delete("m1/raw.ome.zarr")
    store.delete("m1/a.ome.zarr")
    make_image(store, seed=2)
    second = go("trial_blur", {"image": "m1/a"}, workers=1)
    assert first.run_id.split("-")[0] != second.run_id.split("-")[0]
    assert first.outputs["image"].digest != second.outputs["image"].digest


def test_a_store_that_vanishes_is_reported_and_the_run_goes_on_when_it_is_back(go, store, tmp_path):
    root, away = tmp_path / "store", tmp_path / "away"

    def unplug(event):
        if type(event).__name__ == "TaskDone" and not away.exists():
            root.rename(away)

    for workers in (1, 2):
        with pytest.raises(GatewayError) as caught:
            go(
                "trial_blur",
                {"image": "m1/x"},
                {"delay_s": 0.1},
                workers=workers,
                listeners=[unplug],
            )
        assert "vanished" in str(caught.value)
        if root.exists():  # a write under way makes its folders anew: only ever in staging
            assert [path.name for path in (root / "m1").iterdir()] == [".staging"]
            shutil.rmtree(root)
        away.rename(root)
        assert store.list("m1").folders == (".staging", "raw.ome.zarr")
    result = go("trial_blur", {"image": "m1/x"}, {"delay_s": 0.1}, workers=1)
    assert result.resumed
    assert store.list("m1").folders == ("raw.ome.zarr", "x.ome.zarr")


def test_a_store_that_vanishes_leaving_its_folder_is_named_and_not_what_is_missing(go, tmp_path):
    root, away = tmp_path / "store", tmp_path / "away"

    def unplug(event):
        if type(event).__name__ == "TaskDone" and event.tasks_done == event.tasks:
            root.rename(away)
            (root / "m1" / ".staging").mkdir(parents=True)

    with pytest.raises(StoreError, match=r"has vanished.*run the same command to continue"):
        go("trial_blur", {"image": "m1/x"}, workers=1, listeners=[unplug])


def test_a_read_only_store_is_refused_before_anything_runs(go, monkeypatch):
    monkeypatch.setattr(LocalStore, "writable", False)
    with pytest.raises(StoreError, match="is read-only; choose one that you may write"):
        go("trial_blur", {"image": "m1/x"}, workers=1)


def test_a_broken_input_chunk_is_named(go, tmp_path):
    folder = tmp_path / "store" / "m1" / "raw.ome.zarr" / "0" / "c"
    shard = max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
    data = bytearray(shard.read_bytes())
    data[len(data) // 3] ^= 255
    shard.write_bytes(bytes(data))
    with pytest.raises(RunError, match=r"pass 'trial_blur', block .*m1/raw\.ome\.zarr"):
        go("trial_blur", {"image": "m1/x"}, workers=1)
