"""What there is can be listed and shown, damaged things included."""

from pathlib import Path

import pytest

from gateway.errors import NotFoundError, RefError
from gateway.records.crate import crate_key
from gateway.service.descriptions import describe_dataset
from gateway.service.ingest import link
from gateway.service.listing import (
    list_runs,
    show_entry,
    show_run,
    summarize_dataset,
    summarize_store,
)
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.ref import parse_ref


def test_the_store_is_listed_with_what_is_known_of_each_sample(filled) -> None:
    describe_dataset(filled.gateway, "m1", DatasetInfo(title="A mouse"))
    (summary,) = summarize_store(filled.gateway)
    assert summary.to_json()["title"] == "A mouse"
    assert summary.entries == 3


def test_a_broken_description_does_not_hide_the_others(filled) -> None:
    filled.gateway.store.put("m2/dataset.json", b"{")
    _, broken = summarize_store(filled.gateway)
    assert "m2/dataset.json" in broken.to_json()["problem"]


def test_a_dataset_lists_its_things_by_name(filled) -> None:
    listed = [entry.to_json() for entry in summarize_dataset(filled.gateway, "m1")]
    assert [(entry["ref"], entry["kind"]) for entry in listed] == [
        ("m1/bright", "labels"),
        ("m1/peaks", "points"),
        ("m1/raw", "image"),
    ]
    assert listed[1]["columns"][:3] == ["z_um", "y_um", "x_um"]


def test_a_broken_thing_is_listed_with_its_problem(filled) -> None:
    filled.gateway.store.put("m1/raw.ome.zarr/0/zarr.json", b"{")
    raw = summarize_dataset(filled.gateway, "m1")[-1].to_json()
    assert raw["ref"] == "m1/raw"
    assert "is not JSON" in raw["problem"]


def test_a_volume_is_shown_with_all_a_script_needs(filled) -> None:
    shown = show_entry(filled.gateway, "m1/raw").to_json()
    assert shown["axes"] == "czyx"
    assert shown["shape"] == [1, 40, 50, 60]
    assert shown["voxel_um"] == [2.0, 1.0, 1.0]
    assert shown["dtype"] == "uint16"
    assert shown["levels"][0]["shape"] == [40, 50, 60]
    assert shown["digest"].startswith("blake3:")
    assert shown["made_by"] == shown["run"]["id"]
    assert [use["tool"] for use in shown["used_by"]] == ["trial_find"]


def test_the_maker_is_told_by_the_crate_where_the_catalogue_does_not_know(filled) -> None:
    filled.gateway.catalogue.replace_all([], [], [])
    assert show_entry(filled.gateway, "m1/peaks").made_by.tool == "trial_find"
    filled.gateway.store.put(crate_key("m1"), b"{")
    assert show_entry(filled.gateway, "m1/peaks").made_by is None


def test_a_linked_volume_says_so(filled) -> None:
    source = Path(filled.gateway.store.url) / "m1" / "raw.ome.zarr"
    link(filled.gateway, source, parse_ref("m2/linked"))
    assert show_entry(filled.gateway, "m2/linked").to_json()["linked"] is True


def test_what_is_not_there_is_named(filled) -> None:
    with pytest.raises(NotFoundError, match="no dataset 'm9'"):
        summarize_dataset(filled.gateway, "m9")
    with pytest.raises(NotFoundError, match="there is no m1/nothing"):
        show_entry(filled.gateway, "m1/nothing")
    with pytest.raises(RefError, match="expected DATASET/NAME"):
        show_entry(filled.gateway, "raw")


def test_runs_are_listed_latest_first_and_found_by_the_start_of_their_id(filled) -> None:
    runs = list_runs(filled.gateway, dataset="m1")
    assert [run.tool for run in runs] == ["trial_find", "ingest_volume"]
    assert show_run(filled.gateway, runs[0].id[:10]) == runs[0]
    with pytest.raises(NotFoundError, match="no run 'zzz'"):
        show_run(filled.gateway, "zzz")
