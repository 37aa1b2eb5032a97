"""Every run is written down, however it ends: in the catalogue, and beside what it made."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway import __version__
from gateway.errors import CorruptionError, ExistsError, RunCancelledError, RunError
from gateway.records.crate import crate_key, read_crate
from gateway.run.events import RunStarted
from gateway.run.plan import RunOptions
from gateway.service.runs import plan_tool, run_options, run_tool
from gateway.service.verification import verify
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool

FIND = ("trial_find", {"image": "m1/raw"}, {"peaks": "m1/more"})


def test_a_run_is_in_the_catalogue_and_in_the_crate_alike(filled) -> None:
    catalogue = filled.gateway.catalogue
    crate = read_crate(filled.gateway.store, "m1")
    assert [run.tool for run in crate.runs] == ["ingest_volume", "trial_find"]
    assert sorted(catalogue.runs(with_sources=True), key=lambda run: run.started) == list(
        crate.runs
    )
    ingested, found = crate.runs
    assert found.status == "done"
    assert found.inputs[0].digest == ingested.outputs[0].digest
    assert {port.ref: port.kind for port in found.outputs} == {
        "m1/peaks": "points",
        "m1/bright": "labels",
    }
    assert found.wall_s > 0
    assert found.image == f"trial:{__version__}"


def test_the_files_an_ingest_read_are_in_its_record(filled, source_file: Path) -> None:
    (ingest,) = filled.gateway.catalogue.runs(tool="ingest_volume", with_sources=True)
    (source,) = ingest.sources
    assert source.path == str(source_file)
    assert source.size == source_file.stat().st_size
    assert source.checksum.startswith("blake3:")


def test_what_runs_made_is_whole_and_every_file_is_recorded(filled) -> None:
    report = verify(filled.gateway, "m1")
    assert report.faults == report.unrecorded == ()
    assert report.entries == 3


def test_entries_and_datasets_are_in_the_catalogue(filled) -> None:
    catalogue = filled.gateway.catalogue
    assert [d.name for d in catalogue.datasets()] == ["m1"]
    entries = {entry.name: entry for entry in catalogue.entries("m1")}
    assert entries["raw"].facts["shape"] == [1, 40, 50, 60]
    assert entries["raw"].facts["voxel_um"] == [2.0, 1.0, 1.0]
    assert entries["peaks"].facts["count"] > 0
    assert entries["peaks"].made_by == entries["bright"].made_by != entries["raw"].made_by


def test_the_same_call_again_finds_it_done_and_changes_no_record(filled) -> None:
    store, catalogue = filled.gateway.store, filled.gateway.catalogue
    crate, runs = store.get(crate_key("m1")), catalogue.runs()
    again = filled.run(
        "trial_find", {"image": "m1/raw"}, {"peaks": "m1/peaks", "labels": "m1/bright"}
    )
    assert again.already_done
    assert store.get(crate_key("m1")) == crate
    assert catalogue.runs() == runs


def test_a_record_that_was_lost_is_written_when_the_call_is_given_again(filled) -> None:
    store, catalogue = filled.gateway.store, filled.gateway.catalogue
    store.delete(crate_key("m1"))
    catalogue.replace_all([], [], [])
    filled.run("trial_find", {"image": "m1/raw"}, {"peaks": "m1/peaks", "labels": "m1/bright"})
    (run,) = catalogue.runs()
    assert run.status == "done"
    assert read_crate(store, "m1").runs == (run,)


def test_a_failed_run_is_kept_with_the_first_line_of_its_error(filled, tmp_path: Path) -> None:
    notes = {"notes": str(tmp_path / "notes")}
    with pytest.raises(RunError):
        filled.run("trial_trouble", {"image": "m1/raw"}, {"image": "m1/trouble"}, notes)
    (run,) = filled.gateway.catalogue.runs(status="failed")
    assert run.tool == "trial_trouble"
    assert "block" in run.error
    assert "\n" not in run.error
    assert "trial_trouble" not in {r.tool for r in read_crate(filled.gateway.store, "m1").runs}


def test_a_cancelled_run_is_kept_and_becomes_done_when_it_goes_on(filled) -> None:
    cancel = threading.Event()

    def stop(event: object) -> None:
        if isinstance(event, RunStarted):
            cancel.set()

    with pytest.raises(RunCancelledError):
        filled.run(*FIND, listeners=[stop], cancel=cancel)
    (stopped,) = filled.gateway.catalogue.runs(status="cancelled")
    assert stopped.ended is not None
    filled.run(*FIND)
    assert filled.gateway.catalogue.run(stopped.id).status == "done"


def test_a_listener_that_breaks_does_not_leave_the_run_as_running(filled) -> None:
    def break_down(_event: object) -> None:
        raise OSError("the terminal is gone")

    with pytest.raises(OSError, match="the terminal is gone"):
        filled.run(*FIND, listeners=[break_down])
    (run,) = filled.gateway.catalogue.runs(status="failed")
    assert run.error == "OSError: the terminal is gone"


def test_nothing_is_computed_where_its_record_could_not_be_kept(filled) -> None:
    filled.gateway.store.put(crate_key("m1"), b"{")
    with pytest.raises(CorruptionError, match="is damaged"):
        filled.run(*FIND)
    assert len(filled.gateway.catalogue.runs()) == 2


def test_a_plan_tells_what_would_be_done_and_does_nothing(filled) -> None:
    call = make_call(get_tool("trial_blur"), {"image": "m1/raw"}, {"image": "m1/blurred"}, {})
    plan = plan_tool(filled.gateway, call, RunOptions(workers=1))
    assert plan.tasks > 0
    assert len(filled.gateway.catalogue.runs()) == 2


def test_a_taken_name_is_refused(filled) -> None:
    with pytest.raises(ExistsError, match="m1/peaks already exists"):
        filled.run("trial_blur", {"image": "m1/raw"}, {"image": "m1/peaks"})


def test_options_come_from_the_settings_unless_given(filled) -> None:
    gateway = filled.gateway
    settings = gateway.settings.model_copy(update={"workers": 3})
    chosen = dataclasses.replace(gateway, settings=settings)
    assert run_options(chosen).workers == 3
    assert run_options(chosen, workers=1).workers == 1
    assert run_options(chosen).memory_bytes == 2_000_000_000


def test_the_person_of_the_settings_is_the_agent(filled) -> None:
    gateway = filled.gateway
    settings = gateway.settings.model_copy(
        update={"person_name": "Santiago", "person_orcid": "0000-0002-1825-0097"}
    )
    chosen = dataclasses.replace(gateway, settings=settings)
    call = make_call(get_tool("trial_blur"), {"image": "m1/raw"}, {"image": "m2/blurred"}, {})
    result = run_tool(chosen, call, RunOptions(workers=1))
    run = gateway.catalogue.run(result.run_id)
    assert (run.person, run.orcid) == ("Santiago", "0000-0002-1825-0097")
    assert read_crate(gateway.store, "m2").runs == (run,)


def test_runs_that_end_at_once_in_one_dataset_are_all_in_its_crate(filled) -> None:
    def blur(radius: int) -> str:
        outputs = {"image": f"m1/blurred_{radius}"}
        run = filled.run("trial_blur", {"image": "m1/raw"}, outputs, {"radius": radius})
        return run.run_id

    with ThreadPoolExecutor(4) as pool:
        made = set(pool.map(blur, range(6)))
    assert made <= {run.id for run in read_crate(filled.gateway.store, "m1").runs}
    assert verify(filled.gateway, "m1").faults == verify(filled.gateway, "m1").unrecorded == ()
