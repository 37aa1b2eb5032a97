"""Every command on a real, small home: what it says, its JSON, its exit code."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import tifffile

THINGS = ["brain", "masks", "nuclei", "positions", "regions", "tiles"]


@pytest.fixture
def own_home(made, tmp_path):
    """Return a copy of the demo's home that a test may break."""
    shutil.copytree(made["home"], tmp_path / "own")
    return tmp_path / "own"


def test_the_demo_writes_a_report_and_its_errors_against_the_truth(made):
    page = Path(made["report"]).read_text(encoding="utf-8")
    assert "Seams before and after" in page
    assert "measure_regions" in page
    assert made["errors"]["position_voxels"] < 0.5 < made["errors"]["stage_voxels"]
    assert made["errors"]["nuclei"]["f1"] > 0.8
    assert sorted(made["digests"]) == [f"demo/{name}" for name in THINGS]


def test_the_demo_goes_on_where_it_was_and_says_what_to_try(shell, made, small_sample):
    out = made["home"].rpartition("/")[0]
    said = shell("demo", "--sample", small_sample, "--out", out)
    assert said.code == 0
    assert f"report: {made['report']}" in said.out
    assert "gateway verify demo" in said.out


def test_the_demo_refuses_a_sample_that_is_none(shell, tmp_path):
    said = shell("demo", "--sample", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert said.code == 1
    assert "nowhere is not a folder" in said.err


def test_the_demo_says_where_it_may_not_write(shell, small_sample):
    said = shell("demo", "--sample", small_sample, "--out", "/proc/nowhere")
    assert said.code in (1, 2)
    assert "/proc/nowhere" in said.err
    assert "fault of ours" not in said.err


@pytest.mark.parametrize(
    "words",
    [
        ["ls"],
        ["ls", "demo"],
        ["tools"],
        ["doctor"],
        ["verify", "demo"],
        ["catalog", "rebuild"],
        ["catalog", "runs"],
        ["replay", "demo/regions", "--workers", "1"],
        ["run", "stitch", "--help"],
        *(["show", f"demo/{name}"] for name in THINGS),
    ],
    ids=" ".join,
)
def test_json_is_one_object_and_plain_words_are_none(shell, own_home, words):
    said = shell(*words, "--home", own_home)
    assert said.code == 0, said.err
    assert said.out
    assert said.out[0] != "{"
    assert shell(*words, "--home", own_home, "--json").json


def test_what_is_listed_is_what_was_made(shell, made):
    listed = shell("ls", "demo", "--home", made["home"], "--json").json
    assert [entry["ref"] for entry in listed["entries"]] == sorted(made["digests"])
    assert {entry["ref"]: entry["digest"] for entry in listed["entries"]} == made["digests"]


def test_show_says_shape_axes_voxel_size_levels_digest_and_maker(shell, made):
    shown = shell("show", "demo/brain", "--home", made["home"], "--json").json
    assert shown["axes"] == "czyx"
    assert len(shown["shape"]) == 4
    assert shown["voxel_um"] == [3.0, 1.5, 1.5]
    assert shown["levels"][0]["shape"] == shown["shape"][1:]
    assert shown["digest"] == made["digests"]["demo/brain"]
    assert shown["run"]["tool"] == "stitch"
    words = shell("show", "demo/brain", "--home", made["home"]).out
    for word in ("level 0", "3x1.5x1.5 um", "stitch 1", "tiles=demo/tiles"):
        assert word in words


def test_positions_name_every_tile_in_voxels(shell, made, small_sample, tmp_path):
    said = shell("export", "demo/positions", tmp_path / "p.csv", "--home", made["home"])
    assert said.code == 0, said.err
    with (tmp_path / "p.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["file"] for row in rows) == sorted(p.name for p in small_sample.glob("*.tif"))
    assert all(float(row[axis]) is not None for row in rows for axis in "zyx")


def test_export_takes_a_level_and_a_box(shell, made, tmp_path):
    box, file = "2:10,10:60,20:90", tmp_path / "part.tif"
    said = shell("export", "demo/brain", file, "--box", box, "--home", made["home"], "--json")
    assert said.json["box"] == box
    assert tifffile.imread(file).shape == (8, 50, 70)
    coarse = tmp_path / "coarse.tif"
    assert shell("export", "demo/brain", coarse, "--level", 1, "--home", made["home"]).code == 0
    assert tifffile.imread(coarse).shape[-1] < 120


def test_export_replaces_no_file_unless_told(shell, made, tmp_path):
    file = tmp_path / "n.csv"
    file.write_text("mine")
    assert shell("export", "demo/nuclei", file, "--home", made["home"]).code == 1
    assert file.read_text() == "mine"
    assert shell("export", "demo/nuclei", file, "--home", made["home"], "--overwrite").code == 0


def test_a_run_that_was_done_is_found_done(shell, made):
    words = ["run", "stitch", "--in", "tiles=demo/tiles", "--home", made["home"]]
    words += ["--out", "image=demo/brain", "--out", "positions=demo/positions"]
    said = shell(*words, "--json").json
    assert said["already_done"]
    assert said["outputs"]["image"]["digest"] == made["digests"]["demo/brain"]
    assert "was done before" in shell(*words).out


def test_a_dry_run_says_tasks_bytes_and_memory_and_does_nothing(shell, made):
    words = ["run", "detect_nuclei", "--in", "image=demo/brain", "--out", "nuclei=demo/more"]
    words += ["--set", "diameter_um=9", "--home", made["home"], "--dry-run"]
    plan = shell(*words, "--json").json
    assert plan["tasks"] > 0
    assert plan["bytes_read"] > 0
    assert plan["memory_bytes"] > 0
    assert re.search(r"tasks on \d+ worker\(s\), .* of memory each", shell(*words).out)
    assert shell("show", "demo/more", "--home", made["home"]).code == 1


def test_a_call_from_a_file_is_the_call_from_words(shell, own_home, tmp_path):
    call = {
        "tool": "detect_nuclei",
        "inputs": {"image": "demo/brain"},
        "outputs": {"nuclei": "demo/again"},
        "params": {"diameter_um": 12.0},
    }
    (tmp_path / "call.json").write_text(json.dumps(call))
    how = ["--home", own_home, "--workers", "1", "--json"]
    first = shell("run", "--call", tmp_path / "call.json", *how)
    assert first.code == 0, first.err
    words = ["--in", "image=demo/brain", "--out", "nuclei=demo/again", "--set", "diameter_um=12"]
    second = shell("run", "detect_nuclei", *words, *how).json
    assert second["already_done"]
    assert second["call_digest"] == first.json["call_digest"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["show", "demo/nothing"], 1, "there is no demo/nothing"),
        (["show", "nothing"], 2, "expected DATASET/NAME"),
        (["show", "../etc/passwd"], 2, "expected DATASET/NAME"),
        (["ls", "nothing"], 1, "no dataset 'nothing'"),
        (["verify", "nothing"], 1, "no dataset 'nothing'"),
        (["replay", "demo/nothing"], 1, "there is no demo/nothing"),
        (["export", "demo/brain", "x.docx"], 1, ".docx"),
        (["export", "demo/brain", "x.tif", "--box", "0:1"], 2, "'0:1' is not Z0:Z1"),
        (["export", "demo/brain", "x.tif", "--level", "-1"], 2, "-1 is not in the range"),
        (["run", "nothing"], 2, "no tool 'nothing'"),
        (["run"], 2, "name a TOOL"),
        (["run", "stitch"], 2, "input 'tiles' (tiles) is missing"),
        (["run", "stitch", "--call", "c.json"], 2, "leave out stitch"),
        (["run", "stitch", "--in", "tiles"], 2, "'tiles' is not PORT=REF"),
        (["run", "stitch", "--workers", "0"], 2, "0 is not in the range"),
        (["run", "stitch", "--engine", "abacus"], 2, "abacus"),
        (["ingest", "nowhere.tif", "demo/new"], 1, "no file or folder nowhere.tif"),
        (["ingest", ".", "demo/new", "--voxel-um", "5,2"], 2, "'5,2' is not three numbers"),
        (["ingest", ".", "demo/a/b"], 2, "expected DATASET/NAME"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_goes_wrong_is_said_on_stderr_and_in_json(shell, made, words, code, message):
    said = shell(*words, "--home", made["home"])
    assert (said.code, said.out) == (code, "")
    assert message in said.err
    assert "Traceback" not in said.err
    error = shell(*words, "--home", made["home"], "--json").json["error"]
    assert error["exit_code"] == code
    assert message in error["message"]


def test_a_name_that_is_taken_is_refused(shell, made):
    words = ["--in", "image=demo/brain", "--out", "nuclei=demo/nuclei", "--set", "diameter_um=5"]
    said = shell("run", "detect_nuclei", *words, "--home", made["home"])
    assert said.code == 1
    assert "demo/nuclei already exists" in said.err


def test_verify_names_a_flipped_byte(shell, own_home):
    files = (own_home / "store/demo/brain.ome.zarr/0/c").rglob("*")
    shard = next(path for path in sorted(files) if path.is_file())
    content = bytearray(shard.read_bytes())
    content[len(content) // 3] ^= 1
    shard.write_bytes(content)
    said = shell("verify", "demo", "--home", own_home)
    assert said.code == 1
    assert f"DAMAGED  {shard.relative_to(own_home / 'store')}" in said.out
    assert not shell("verify", "demo", "--home", own_home, "--json").json["ok"]


def test_a_lost_catalogue_comes_back_from_the_store(shell, own_home, made):
    before = shell("catalog", "runs", "--home", own_home, "--json").json
    for file in own_home.glob("catalogue.sqlite*"):
        file.unlink()
    said = shell("catalog", "rebuild", "--home", own_home, "--json").json
    assert said["entries"] == len(made["digests"])
    assert shell("catalog", "runs", "--home", own_home, "--json").json == before


def test_a_stack_is_ingested_and_described(shell, home, small_sample):
    source = next(small_sample.glob("*.tif"))
    words = ["ingest", source, "m1/stack", "--voxel-um", "3,1.5,1.5", "--home", home]
    words += ["--species", "Mus musculus", "--person", "A", "--person", "B", "--tag", "pilot"]
    looked = shell(*words, "--dry-run", "--json").json
    assert looked["source"]["what"] == "volume"
    assert shell(*words, "--json").json["outputs"]["image"]["ref"] == "m1/stack"
    (dataset,) = shell("ls", "--home", home, "--json").json["datasets"]
    assert dataset["species"] == "Mus musculus"
    assert dataset["people"] == ["A", "B"]


def test_a_volume_is_registered_where_it_lies(shell, home, made):
    source = f"{made['home']}/store/demo/brain.ome.zarr"
    said = shell("ingest", source, "m1/linked", "--in-place", "--home", home, "--json")
    assert said.code == 0, said.err
    assert said.json["linked"] == source
    assert shell("show", "m1/linked", "--home", home, "--json").json["axes"] == "czyx"


@pytest.mark.slow
def test_ctrl_c_stops_with_130_and_the_same_command_goes_on(small_sample, made, tmp_path):
    words = [sys.executable, "-c", "from gateway.cli.main import main; main()", "demo"]
    words += ["--sample", str(small_sample), "--out", str(tmp_path / "out"), "--workers", "1"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        said = ""
        for line in process.stderr:
            said += line
            if line.startswith("stitch"):
                process.send_signal(signal.SIGINT)
                break
        said += process.stderr.read()
    assert process.returncode == 130, said
    assert "run the same command again to continue" in said
    again = subprocess.run([*words, "--json"], check=True, capture_output=True, text=True)
    assert json.loads(again.stdout)["digests"] == made["digests"]


@pytest.mark.data
@pytest.mark.slow
def test_the_demo_on_real_tiles_is_exact(shell, data_dir, tmp_path):
    tiles = data_dir / "tiles_pub_cellfinder3d"
    said = shell("demo", "--sample", tiles, "--out", tmp_path / "out", "--json")
    assert said.code == 0, said.err
    errors = said.json["errors"]
    assert errors["stage_voxels"] == pytest.approx(5.18, abs=0.01)
    assert errors["position_voxels"] <= 0.05
    assert errors["nuclei"] is None
    assert said.json["nuclei"] > 100
