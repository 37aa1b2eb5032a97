"""From the dataset's folder alone, what made a thing is found, run again and compared."""

import dataclasses
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from gateway import __version__
from gateway.errors import (
    CallError,
    CorruptionError,
    NotFoundError,
    RunCancelledError,
    ToolNotFoundError,
)
from gateway.records.crate import crate_key, read_crate, write_crate
from gateway.run.events import RunStarted
from gateway.run.plan import RunOptions
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.replay import replay
from gateway.service.verification import verify
from gateway.volumes.dataset import DatasetInfo, list_datasets
from gateway.volumes.link import register
from gateway.volumes.ref import parse_ref

ONE = RunOptions(workers=1)


def change_record(gateway: Gateway, **change: object) -> None:
    """Rewrite the record of `trial_find` in the crate of m1."""
    crate = read_crate(gateway.store, "m1")
    run = next(run for run in crate.runs if run.tool == "trial_find")
    write_crate(gateway.store, "m1", DatasetInfo(), runs=[dataclasses.replace(run, **change)])


def test_all_outputs_of_the_run_come_out_the_same(filled) -> None:
    report = replay(filled.gateway, "m1/peaks", ONE)
    assert report.same
    assert {output.ref for output in report.outputs} == {"m1/peaks", "m1/bright"}
    assert report.tool == "trial_find"
    assert report.to_json()["same"] is True


def test_other_blocks_give_the_same(filled) -> None:
    options = RunOptions(workers=1, block_voxels=(11, 13, 17))
    assert replay(filled.gateway, "m1/bright", options).same


def test_an_ingest_is_replayed_from_its_source(filled) -> None:
    assert replay(filled.gateway, "m1/raw", ONE).same


def test_nothing_is_left_behind_and_nothing_new_is_recorded(filled) -> None:
    store = filled.gateway.store
    crate, runs = store.get(crate_key("m1")), filled.gateway.catalogue.runs()
    replay(filled.gateway, "m1/peaks", ONE)
    assert list_datasets(store) == ("m1",)
    assert store.get(crate_key("m1")) == crate
    assert filled.gateway.catalogue.runs() == runs


def test_the_folder_is_enough_in_another_gateway_that_never_saw_it(filled, tmp_path: Path) -> None:
    init_home(tmp_path / "other")
    shutil.copytree(Path(filled.gateway.store.url) / "m1", tmp_path / "other" / "store" / "m1")
    other = open_gateway(tmp_path / "other")
    assert other.catalogue.runs() == []
    assert replay(other, "m1/peaks", ONE).same
    assert verify(other, "m1").ok
    other.catalogue.close()


def test_another_result_is_told(filled) -> None:
    crate = read_crate(filled.gateway.store, "m1")
    outputs = next(run.outputs for run in crate.runs if run.tool == "trial_find")
    wrong = tuple(dataclasses.replace(port, digest="blake3:00") for port in outputs)
    change_record(filled.gateway, outputs=wrong)
    report = replay(filled.gateway, "m1/peaks", ONE)
    assert not report.same
    assert report.outputs[0].recorded == "blake3:00"
    assert report.outputs[0].found.startswith("blake3:")


def test_a_stopped_replay_cleans_up(filled) -> None:
    cancel = threading.Event()

    def stop(event: object) -> None:
        if isinstance(event, RunStarted):
            cancel.set()

    with pytest.raises(RunCancelledError):
        replay(filled.gateway, "m1/peaks", ONE, listeners=[stop], cancel=cancel)
    assert list_datasets(filled.gateway.store) == ("m1",)


def test_a_missing_input_is_named(filled) -> None:
    filled.gateway.store.delete("m1/raw.ome.zarr")
    with pytest.raises(NotFoundError, match="input 'image' of trial_find, m1/raw, is gone"):
        replay(filled.gateway, "m1/peaks", ONE)


def test_another_input_under_the_same_name_is_refused(filled, source_file: Path) -> None:
    filled.gateway.store.delete("m1/raw.ome.zarr")
    filled.gateway.store.delete("m1/raw.report")
    np.save(source_file, np.zeros((40, 50, 60), np.uint16))
    filled.run(
        "ingest_volume",
        {"source": str(source_file)},
        {"image": "m1/raw"},
        {"voxel_um": "[2, 1, 1]"},
    )
    with pytest.raises(CorruptionError, match=r"m1/raw, is not what the run took: its digest is"):
        replay(filled.gateway, "m1/peaks", ONE)


def test_a_source_file_that_is_gone_or_changed_is_named(filled, source_file: Path) -> None:
    content = bytearray(source_file.read_bytes())
    content[-1] ^= 1
    source_file.write_bytes(content)
    with pytest.raises(CorruptionError, match=r"source\.npy that ingest_volume read has changed"):
        replay(filled.gateway, "m1/raw", ONE)
    source_file.unlink()
    with pytest.raises(NotFoundError, match=r"source\.npy that ingest_volume read is gone"):
        replay(filled.gateway, "m1/raw", ONE)


def test_a_tool_that_is_not_installed_is_named(filled) -> None:
    change_record(filled.gateway, tool="find_dragons")
    with pytest.raises(
        ToolNotFoundError,
        match=f"made by find_dragons 1.0.0, which is not installed here; .* trial:{__version__}",
    ):
        replay(filled.gateway, "m1/peaks", ONE)


def test_another_version_of_the_tool_is_named(filled) -> None:
    change_record(filled.gateway, version="0.9.0")
    with pytest.raises(CallError, match=r"made by trial_find 0.9.0; installed is 1.0.0"):
        replay(filled.gateway, "m1/peaks", ONE)


def test_a_thing_without_a_record_cannot_be_replayed(filled) -> None:
    filled.gateway.store.delete(crate_key("m1"))
    with pytest.raises(NotFoundError, match=r"ro-crate-metadata.json is missing"):
        replay(filled.gateway, "m1/peaks", ONE)


def test_a_thing_registered_in_place_cannot_be_replayed(filled) -> None:
    store = filled.gateway.store
    register(store, parse_ref("m2/linked"), f"{store.url}/m1/raw.ome.zarr")
    with pytest.raises(NotFoundError, match="m2/linked cannot be replayed: it was registered in"):
        replay(filled.gateway, "m2/linked", ONE)


def test_a_thing_that_is_not_there_is_named(filled) -> None:
    with pytest.raises(NotFoundError, match="no m1/nothing"):
        replay(filled.gateway, "m1/nothing", ONE)


def test_a_damaged_record_is_named(filled) -> None:
    filled.gateway.store.put(crate_key("m1"), b"{}")
    with pytest.raises(CorruptionError, match="is damaged"):
        replay(filled.gateway, "m1/peaks", ONE)
