"""The catalogue keeps datasets, entries and runs, on SQLite and on PostgreSQL alike."""

import dataclasses
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from gateway.errors import NotFoundError
from gateway.records.catalogue import Catalogue, open_catalogue
from gateway.records.rows import DatasetRecord, EntryRecord
from gateway.records.runs import PortRecord, RunRecord, SourceFile

RUN = RunRecord(
    id="run-1",
    tool="stitch",
    version="1.0.0",
    image="brain-gateway/tools:0.1",
    call={"tool": "stitch", "inputs": {"tiles": "m1/tiles"}, "params": {"größe_µm": 1.5}},
    call_digest="blake3:00",
    status="done",
    started=datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2))),
    ended=datetime(2026, 5, 4, 12, 0, 9, tzinfo=timezone(timedelta(hours=2))),
    wall_s=8.876544,
    person="Ramón y Cajal",
    orcid="0000-0002-1825-0097",
    host="station",
    workers=2,
    gateway="0.1.0",
    inputs=(PortRecord(port="tiles", ref="m1/tiles", kind="tiles", digest="blake3:11"),),
    outputs=(
        PortRecord(port="image", ref="m1/raw", kind="image", digest="blake3:22"),
        PortRecord(port="positions", ref="m1/positions", kind="points", digest="blake3:33"),
    ),
    sources=(SourceFile(path="/mic/a.tif", size=5_000_000_000, checksum="sha256:44"),),
)


def test_a_dataset_is_found_by_words_of_its_name_and_description(catalogue: Catalogue) -> None:
    catalogue.put_dataset(
        DatasetRecord(name="m1", info={"species": "Mus musculus", "tags": ["µCT"]})
    )
    catalogue.put_dataset(DatasetRecord(name="rat_2", info={"species": "Rattus norvegicus"}))
    assert [d.name for d in catalogue.datasets()] == ["m1", "rat_2"]
    assert [d.name for d in catalogue.datasets("MUS µct")] == ["m1"]
    assert [d.name for d in catalogue.datasets("rat_2")] == ["rat_2"]
    assert catalogue.datasets("%") == []
    assert catalogue.dataset("m1").info["tags"] == ["µCT"]


def test_an_entry_comes_back_as_it_was_put(catalogue: Catalogue) -> None:
    raw = EntryRecord(
        dataset="m1",
        name="raw",
        kind="image",
        digest="blake3:22",
        made_by="run-1",
        facts={"shape": [10, 20, 30], "voxel_um": [5.0, 0.5, 0.5]},
    )
    catalogue.put_entry(raw)
    assert catalogue.entries("m1") == [raw]
    catalogue.put_entry(dataclasses.replace(raw, digest="blake3:23"))
    assert [e.digest for e in catalogue.entries()] == ["blake3:23"]
    assert catalogue.entries("m2") == []


def test_describing_a_dataset_again_keeps_its_entries(catalogue: Catalogue) -> None:
    catalogue.put_entry(EntryRecord(dataset="m1", name="raw", kind="image"))
    catalogue.put_dataset(DatasetRecord(name="m1", info={"title": "First mouse"}))
    assert [e.name for e in catalogue.entries("m1")] == ["raw"]


def test_forgetting_a_dataset_forgets_its_entries_and_keeps_the_runs(catalogue: Catalogue) -> None:
    catalogue.put_entry(EntryRecord(dataset="m1", name="raw", kind="image"))
    catalogue.put_run(RUN)
    catalogue.remove_dataset("m1")
    assert catalogue.datasets() == []
    assert catalogue.entries() == []
    assert catalogue.run("run-1") == RUN


def test_one_entry_can_be_forgotten(catalogue: Catalogue) -> None:
    catalogue.put_entry(EntryRecord(dataset="m1", name="raw", kind="image"))
    catalogue.put_entry(EntryRecord(dataset="m1", name="nuclei", kind="points"))
    catalogue.remove_entry("m1", "raw")
    assert [e.name for e in catalogue.entries("m1")] == ["nuclei"]


def test_a_run_comes_back_as_it_was_put_with_its_ports_and_files_in_order(
    catalogue: Catalogue,
) -> None:
    catalogue.put_run(RUN)
    found = catalogue.run("run-1")
    assert found == RUN
    assert found.started.tzinfo == UTC


def test_putting_a_run_again_replaces_it(catalogue: Catalogue) -> None:
    catalogue.put_run(dataclasses.replace(RUN, status="running", ended=None, outputs=()))
    catalogue.put_run(RUN)
    assert catalogue.runs(with_sources=True) == [RUN]


def test_runs_are_found_by_dataset_ref_tool_and_status_latest_first(catalogue: Catalogue) -> None:
    later = dataclasses.replace(
        RUN,
        id="run-2",
        tool="detect_nuclei",
        status="failed",
        error="RunError: pass 'detect', block 0:64,0:64,0:64: out of memory",
        started=RUN.started + timedelta(hours=1),
        inputs=(PortRecord(port="image", ref="m1/raw", kind="image"),),
        outputs=(PortRecord(port="nuclei", ref="m2/nuclei", kind="points"),),
        sources=(),
    )
    catalogue.put_run(RUN)
    catalogue.put_run(later)

    def ids(**wanted: object) -> list[str]:
        return [run.id for run in catalogue.runs(**wanted)]

    assert ids() == ["run-2", "run-1"]
    assert ids(limit=1) == ["run-2"]
    assert ids(tool="stitch") == ["run-1"]
    assert ids(status="failed") == ["run-2"]
    assert ids(dataset="m2") == ["run-2"]
    assert ids(dataset="m") == []
    assert ids(ref="m1/raw") == ["run-2", "run-1"]


@pytest.mark.parametrize("missing", ["dataset", "run"])
def test_asking_for_what_is_not_there_says_so(catalogue: Catalogue, missing: str) -> None:
    with pytest.raises(NotFoundError, match=f"no {missing} 'x'"):
        getattr(catalogue, missing)("x")


def test_replacing_all_keeps_the_runs_that_left_nothing_in_the_store(catalogue: Catalogue) -> None:
    failed = dataclasses.replace(RUN, id="run-0", status="failed")
    stale = dataclasses.replace(RUN, id="run-9")
    for run in (failed, stale):
        catalogue.put_run(run)
    catalogue.put_dataset(DatasetRecord(name="gone", info={}))
    catalogue.replace_all(
        [DatasetRecord(name="m1", info={})],
        [EntryRecord(dataset="m1", name="raw", kind="image")],
        [RUN],
    )
    assert [d.name for d in catalogue.datasets()] == ["m1"]
    assert sorted(run.id for run in catalogue.runs()) == ["run-0", "run-1"]


def test_a_lock_holds_off_a_second_one_on_the_same_dataset(catalogue_url: str) -> None:
    order = []
    with open_catalogue(catalogue_url) as first, open_catalogue(catalogue_url) as second:

        def wait_then_enter() -> None:
            with second.locked("m1"):
                order.append("second")

        with first.locked("m1"):
            waiting = threading.Thread(target=wait_then_enter)
            waiting.start()
            waiting.join(0.3)
            order.append("first")
        waiting.join()
    assert order == ["first", "second"]


def test_processes_open_a_fresh_catalogue_and_write_at_once(catalogue_url: str) -> None:
    script = f"""
from gateway.records.catalogue import open_catalogue
from gateway.records.rows import DatasetRecord
import sys
with open_catalogue({catalogue_url!r}) as catalogue:
    for number in range(20):
        catalogue.put_dataset(DatasetRecord(name=f"m{{sys.argv[1]}}_{{number}}", info={{}}))
"""
    command = [sys.executable, "-W", "error", "-c", script]
    workers = [subprocess.Popen([*command, str(n)]) for n in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    with open_catalogue(catalogue_url) as catalogue:
        assert len(catalogue.datasets()) == 60


def test_a_record_survives_json() -> None:
    assert RunRecord.from_json(RUN.to_json()) == RUN


def test_a_catalogue_never_shows_its_password(tmp_path: Path) -> None:
    with open_catalogue(f"sqlite:///{tmp_path / 'c.sqlite'}") as catalogue:
        assert "password" not in catalogue.url
