"""The crate beside the data says what made it, in terms others read, and notices any change."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from gateway.errors import CorruptionError
from gateway.records.checksums import FileRecord, hash_file, list_files
from gateway.records.crate import CRATE_FILE, read_crate, write_crate
from gateway.records.crate_entities import CrateEntry
from gateway.records.runs import PortRecord, RunRecord, SourceFile
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.store import Store, open_store

INFO = DatasetInfo(title="Maus größer", species="Mus musculus", licence="CC-BY-4.0", tags=("a",))
RUN = RunRecord(
    id="r1",
    tool="stitch",
    version="1.0.0",
    image="brain-gateway/tools:1.0.0",
    call={"tool": "stitch", "params": {"blend": "linear", "method": {"kind": "ncc", "peaks": 4}}},
    call_digest="blake3:aa",
    status="done",
    started=datetime(2026, 5, 4, 12, 0, 0, 5, tzinfo=UTC),
    ended=datetime(2026, 5, 4, 12, 1, tzinfo=UTC),
    wall_s=60.0,
    person="Santiago",
    orcid="0000-0002-1825-0097",
    host="station",
    gateway="0.1.0",
    inputs=(PortRecord(port="tiles", ref="other/tiles", kind="tiles", digest="blake3:11"),),
    outputs=(PortRecord(port="image", ref="m1/raw", kind="image", digest="blake3:22"),),
    sources=(SourceFile(path="/mic/Tile 1 µ.tif", size=7, checksum="sha256:77"),),
)
RAW = CrateEntry(
    ref="m1/raw",
    path="raw.ome.zarr",
    kind="image",
    digest="blake3:22",
    files=(FileRecord(path="raw.ome.zarr/zarr.json", size=3, sha256="ab"),),
)
LATER = dataclasses.replace(
    RUN,
    id="r2",
    tool="detect_nuclei",
    started=datetime(2026, 5, 5, tzinfo=UTC),
    ended=datetime(2026, 5, 5, 1, tzinfo=UTC),
    inputs=(PortRecord(port="image", ref="m1/raw", kind="image", digest="blake3:22"),),
    outputs=(PortRecord(port="nuclei", ref="m1/nuclei", kind="points", digest="blake3:33"),),
    sources=(),
)
NUCLEI = CrateEntry(
    ref="m1/nuclei",
    path="nuclei.points.parquet",
    kind="points",
    digest="blake3:33",
    files=(FileRecord(path="nuclei.points.parquet", size=9, sha256="cd"),),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path)


def content(store: Store) -> bytes:
    return store.get(f"m1/{CRATE_FILE}")


def test_a_run_comes_back_from_the_crate_as_it_was(store: Store) -> None:
    write_crate(store, "m1", INFO, runs=[RUN], entries=[RAW])
    crate = read_crate(store, "m1")
    assert crate.runs == (RUN,)
    assert list(crate.files.values()) == list(RAW.files)
    assert crate.sealed


def test_adding_the_same_again_changes_nothing(store: Store) -> None:
    write_crate(store, "m1", INFO, runs=[RUN], entries=[RAW])
    first = content(store)
    write_crate(store, "m1", INFO, runs=[RUN], entries=[RAW])
    assert content(store) == first


def test_the_order_in_which_runs_are_added_makes_no_difference(tmp_path: Path) -> None:
    stores = []
    for name, runs in (("a", (RUN, LATER)), ("b", (LATER, RUN))):
        store = open_store(tmp_path / name, create=True)
        for run in runs:
            write_crate(store, "m1", INFO, runs=[run], entries=[RAW, NUCLEI])
        stores.append(store)
    assert content(stores[0]) == content(stores[1])


def test_a_later_run_is_added_beside_the_earlier(store: Store) -> None:
    write_crate(store, "m1", INFO, runs=[RUN], entries=[RAW])
    write_crate(store, "m1", INFO, runs=[LATER], entries=[NUCLEI])
    crate = read_crate(store, "m1")
    assert [run.id for run in crate.runs] == ["r1", "r2"]
    assert set(crate.refs) == {"m1/raw", "m1/nuclei"}


def test_it_is_a_process_run_crate_for_other_readers(store: Store, tmp_path: Path) -> None:
    write_crate(store, "m1", INFO, runs=[RUN, LATER], entries=[RAW, NUCLEI])
    crate = ROCrate(tmp_path / "m1")
    root = crate.root_dataset
    assert root["conformsTo"].id == "https://w3id.org/ro/wfrun/process/0.5"
    assert root["license"].id == "https://spdx.org/licenses/CC-BY-4.0"
    assert root["datePublished"].startswith("2026-05-05")
    stitched, detected = root["mentions"]
    assert stitched.type == "CreateAction"
    assert stitched["instrument"]["name"] == "stitch"
    assert stitched["instrument"]["softwareVersion"] == "1.0.0"
    assert stitched["agent"].id == "https://orcid.org/0000-0002-1825-0097"
    assert stitched["result"].id == "raw.ome.zarr/"
    assert detected["object"][0] is stitched["result"]
    assert detected["result"]["sha256"] == "cd"
    tiles, source, *settings = stitched["object"]
    assert tiles["name"] == "other/tiles"
    assert source["name"] == "/mic/Tile 1 µ.tif"
    assert {s["name"]: s["value"] for s in settings} == {
        "blend": "linear",
        "method": '{"kind": "ncc", "peaks": 4}',
    }


def test_a_report_is_a_file_about_what_it_reports_on(store: Store, tmp_path: Path) -> None:
    report = FileRecord(path="nuclei.report/seams 1.html", size=1, sha256="ef")
    nuclei = dataclasses.replace(NUCLEI, files=(*NUCLEI.files, report))
    for _ in range(2):
        write_crate(store, "m1", INFO, runs=[LATER], entries=[RAW, nuclei])
    crate = ROCrate(tmp_path / "m1")
    assert crate.get("nuclei.report/seams%201.html")["about"].id == "nuclei.points.parquet"
    assert crate.get("nuclei.points.parquet")["name"] == "m1/nuclei"
    assert set(read_crate(store, "m1").files) == {file.path for file in (*RAW.files, *nuclei.files)}


def test_what_another_program_said_stays(store: Store) -> None:
    crate = ROCrate(version="1.1")
    crate.root_dataset["funder"] = "the lab"
    crate.metadata.extra_terms = {"funderCode": "https://example.org/funderCode"}
    document = crate.metadata.generate()
    store.put(f"m1/{CRATE_FILE}", json.dumps(document).encode())
    assert not read_crate(store, "m1").sealed
    write_crate(store, "m1", INFO, runs=[RUN], entries=[RAW])
    after = json.loads(content(store))
    assert {"funderCode": "https://example.org/funderCode"} in after["@context"]
    assert any(entity.get("funder") == "the lab" for entity in after["@graph"])
    assert read_crate(store, "m1").sealed


def test_any_flipped_byte_is_found(store: Store) -> None:
    write_crate(store, "m1", INFO, runs=[RUN], entries=[RAW])
    good = content(store)
    for place in range(len(good)):
        bad = bytearray(good)
        bad[place] ^= 1 << place % 7
        store.put(f"m1/{CRATE_FILE}", bytes(bad))
        with pytest.raises(CorruptionError, match=f"m1/{CRATE_FILE}"):
            read_crate(store, "m1")


def test_white_space_too_is_sealed(store: Store) -> None:
    write_crate(store, "m1", INFO, runs=[RUN], entries=[RAW])
    store.put(f"m1/{CRATE_FILE}", content(store) + b"\n")
    with pytest.raises(CorruptionError, match="changed by something other than Brain Gateway"):
        read_crate(store, "m1")


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"@graph": [1]}', b"\xff\x00", b"null"])
def test_a_damaged_crate_is_named_and_never_overwritten(store: Store, damaged: bytes) -> None:
    store.put(f"m1/{CRATE_FILE}", damaged)
    with pytest.raises(CorruptionError, match=r"is damaged .*run `gateway catalog rebuild`"):
        write_crate(store, "m1", INFO, runs=[RUN], entries=[RAW])
    assert content(store) == damaged


def test_there_may_be_no_crate_yet(store: Store) -> None:
    assert read_crate(store, "m1") is None


def test_files_are_hashed_as_sha256sum_would(store: Store) -> None:
    store.put("m1/report.html", b"hello\n")
    found = hash_file(store, "m1", "report.html")
    assert found.size == 6
    assert found.sha256 == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"


def test_every_file_of_an_entry_is_listed_but_the_shards(store: Store) -> None:
    for name in ("zarr.json", "0/zarr.json", "0/cells.npy", "0/c/0/0/0", "c/odd"):
        store.put(f"m1/raw.ome.zarr/{name}", b"x")
    store.put("m1/nuclei.points.parquet", b"x")
    assert sorted(list_files(store, "m1", "nuclei.points.parquet")) == ["nuclei.points.parquet"]
    assert sorted(list_files(store, "m1", "nowhere")) == []
    assert sorted(list_files(store, "m1", "raw.ome.zarr")) == [
        "raw.ome.zarr/0/cells.npy",
        "raw.ome.zarr/0/zarr.json",
        "raw.ome.zarr/zarr.json",
    ]


def test_a_source_whose_name_is_no_unicode_can_be_kept() -> None:
    assert SourceFile(path="a\udcff.tif", size=1, checksum="x").path == "a\\udcff.tif"
