"""Whichever is lost, the catalogue or a crate, comes back from the other."""

import dataclasses
from pathlib import Path

import pytest

from gateway.records.crate import CRATE_FILE, crate_key, read_crate
from gateway.run.plan import RunOptions
from gateway.service.descriptions import describe_dataset
from gateway.service.gateway import open_gateway
from gateway.service.rebuild import rebuild_catalogue
from gateway.service.replay import replay
from gateway.service.verification import verify
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.link import register
from gateway.volumes.ref import parse_ref

INFO = DatasetInfo(title="A mouse", species="Mus musculus", tags=("pilot",))


@pytest.fixture
def described(filled):
    describe_dataset(filled.gateway, "m1", INFO)
    filled.run("trial_blur", {"image": "m1/raw"}, {"image": "m2/blurred"})
    return filled


def rows(catalogue):
    runs = sorted(catalogue.runs(with_sources=True), key=lambda run: run.id)
    return catalogue.datasets(), catalogue.entries(), runs


def test_a_deleted_database_is_restored_from_the_store_alone(described) -> None:
    before = rows(described.gateway.catalogue)
    described.gateway.catalogue.close()
    for file in described.gateway.home.glob("catalogue.sqlite*"):
        file.unlink()
    again = open_gateway(described.gateway.home)
    assert rows(again.catalogue) == ([], [], [])
    report = rebuild_catalogue(again)
    assert rows(again.catalogue) == before
    assert (report.datasets, report.entries, report.runs) == (2, 4, 3)
    assert report.problems == report.crates_restored == ()
    again.catalogue.close()


def test_rebuilding_what_is_whole_changes_nothing(described) -> None:
    before = rows(described.gateway.catalogue)
    crate = described.gateway.store.get(crate_key("m1"))
    rebuild_catalogue(described.gateway)
    assert rows(described.gateway.catalogue) == before
    assert described.gateway.store.get(crate_key("m1")) == crate


def test_what_is_gone_from_the_store_is_forgotten(described) -> None:
    described.gateway.store.delete("m2")
    rebuild_catalogue(described.gateway)
    assert [d.name for d in described.gateway.catalogue.datasets()] == ["m1"]
    assert {run.tool for run in described.gateway.catalogue.runs()} == {
        "ingest_volume",
        "trial_find",
    }


def test_a_lost_crate_is_written_anew_from_the_catalogue(described) -> None:
    store = described.gateway.store
    before = store.get(crate_key("m1"))
    store.delete(crate_key("m1"))
    report = rebuild_catalogue(described.gateway)
    assert report.crates_restored == ("m1",)
    assert store.get(crate_key("m1")) == before
    assert verify(described.gateway, "m1").ok


def test_a_run_whose_things_were_replaced_is_not_written_into_the_crate(described) -> None:
    store = described.gateway.store
    for name in ("peaks.points.parquet", "bright.ome.zarr", "peaks.report", CRATE_FILE):
        store.delete(f"m1/{name}")
    rebuild_catalogue(described.gateway)
    assert [run.tool for run in read_crate(store, "m1").runs] == ["ingest_volume"]


def test_damage_is_told_and_the_rest_is_kept(described) -> None:
    store = described.gateway.store
    store.put(crate_key("m2"), b"{")
    store.put("m1/dataset.json", b'{"colour": "red"}')
    store.put("m1/raw.ome.zarr/0/zarr.json", b"")
    table = bytearray(store.get("m1/peaks.points.parquet"))
    table[len(table) - 100] ^= 1
    store.put("m1/peaks.points.parquet", bytes(table))
    report = rebuild_catalogue(described.gateway)
    assert len(report.problems) == 4
    for name in (crate_key("m2"), "m1/dataset.json", "raw.ome.zarr/0", "peaks.points.parquet"):
        assert any(name in problem for problem in report.problems), name
    assert len(described.gateway.catalogue.entries()) == 4
    assert store.get(crate_key("m2")) == b"{"


def test_an_empty_store_gives_an_empty_catalogue(gateway) -> None:
    assert rebuild_catalogue(gateway).datasets == 0


def test_a_description_is_in_store_crate_and_catalogue(described) -> None:
    described.gateway.catalogue.datasets("musculus pilot")
    assert [d.name for d in described.gateway.catalogue.datasets("musculus pilot")] == ["m1"]
    graph = read_crate(described.gateway.store, "m1").document["@graph"]
    assert any(entity.get("name") == "A mouse" for entity in graph)
    assert verify(described.gateway, "m1").ok


def test_a_description_edited_by_another_hand_is_found(described) -> None:
    path = Path(described.gateway.store.url) / "m1" / "dataset.json"
    path.write_text(path.read_text().replace("A mouse", "A house"))
    (fault,) = verify(described.gateway, "m1").faults
    assert fault.file == "m1/dataset.json"


def test_a_dataset_may_be_described_before_anything_is_in_it(gateway) -> None:
    describe_dataset(gateway, "m9", INFO)
    assert verify(gateway, "m9").ok
    assert gateway.catalogue.dataset("m9").info["title"] == "A mouse"


def test_a_link_that_was_never_written_down_is_now(described) -> None:
    store = described.gateway.store
    register(store, parse_ref("m3/linked"), f"{store.url}/m1/raw.ome.zarr")
    assert verify(described.gateway, "m3").unrecorded == ("m3/linked.link.json",)
    rebuild_catalogue(described.gateway)
    assert verify(described.gateway, "m3").unrecorded == ()


def test_a_run_killed_just_before_it_was_recorded_is_recorded(described) -> None:
    store, catalogue = described.gateway.store, described.gateway.catalogue
    (run,) = catalogue.runs(tool="trial_blur")
    blank = tuple(dataclasses.replace(port, digest=None) for port in run.outputs)
    catalogue.put_run(
        dataclasses.replace(run, status="running", ended=None, wall_s=None, outputs=blank)
    )
    store.delete(crate_key("m2"))
    rebuild_catalogue(described.gateway)
    (found,) = catalogue.runs(tool="trial_blur")
    assert found.status == "done"
    assert found.outputs == run.outputs
    assert verify(described.gateway, "m2").unrecorded == ()


def test_a_thing_that_was_deleted_and_made_anew_is_recorded_anew(described) -> None:
    gateway = described.gateway
    for name in ("peaks.points.parquet", "bright.ome.zarr", "peaks.report"):
        gateway.store.delete(f"m1/{name}")
    assert {fault.what for fault in verify(gateway, "m1").faults} == {"the file is gone"}
    described.run(
        "trial_find",
        {"image": "m1/raw"},
        {"peaks": "m1/peaks", "labels": "m1/bright"},
        {"share": 0.02},
    )
    assert verify(gateway, "m1").faults == verify(gateway, "m1").unrecorded == ()
    assert replay(gateway, "m1/peaks", RunOptions(workers=1)).same
