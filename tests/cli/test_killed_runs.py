"""The main job, killed over and over and cut differently each time, ends with the same digests."""

import json
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from gateway.service.samples import synthesize_sample

STEPS = {
    "stitch": {"in": {"tiles": "{}/tiles"}, "out": ("image", "positions"), "set": ()},
    "detect_nuclei": {
        "in": {"image": "{}/image"},
        "out": ("nuclei", "labels"),
        "set": ("diameter_um=8",),
    },
    "measure_regions": {
        "in": {"image": "{}/image", "labels": "{}/labels"},
        "out": ("regions",),
        "set": (),
    },
}
MOST_ATTEMPTS = 25


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    sample = synthesize_sample(tmp_path_factory.mktemp("sample"), shape=(40, 330, 420), count=500)
    run(["init", str(home)], home)
    for dataset in ("calm", "stormy"):
        size = ",".join(map(str, sample.voxel_um))
        run(["ingest", str(sample.folder), f"{dataset}/tiles", "--voxel-um", size], home)
    return home


def command(arguments, home):
    main = "import sys; from gateway.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", main, "--home", str(home), "--json", *arguments]


def run(arguments, home):
    done = subprocess.run(command(arguments, home), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def words(tool, dataset, *options):
    step = STEPS[tool]
    given = [f"--in={port}={ref.format(dataset)}" for port, ref in step["in"].items()]
    wanted = [f"--out={port}={dataset}/{port}" for port in step["out"]]
    return ["run", tool, *given, *wanted, *(f"--set={one}" for one in step["set"]), *options]


def digests(answer):
    return {port: output["digest"] for port, output in answer["outputs"].items()}


def markers(home, dataset):
    return len(list((home / "store" / dataset / ".staging").rglob("*.npz")))


def wait_for_more(process, home, dataset, before):
    """Wait until a task more is done, or the process ended."""
    while process.poll() is None and markers(home, dataset) <= before:
        time.sleep(0.005)


def kill_until_done(tool, home, dataset, chance):
    """Start, kill the whole run or one worker once it has done a little more, and start again."""
    kills = {"run": 0, "worker": 0}
    for _ in range(MOST_ATTEMPTS):
        block = ",".join(str(chance.integers(18, 90)) for _ in range(3))
        options = [f"--workers={chance.integers(2, 4)}", f"--block-voxels={block}"]
        before = markers(home, dataset)
        with subprocess.Popen(
            command(words(tool, dataset, *options), home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            wait_for_more(process, home, dataset, before)
            time.sleep(chance.random() * 0.2)
            if process.poll() is None:
                workers = psutil.Process(process.pid).children(recursive=True)
                if kills["run"] > kills["worker"] and workers:
                    chance.choice(workers).kill()
                    kills["worker"] += 1
                else:
                    process.kill()
                    kills["run"] += 1
            out, err = process.communicate()
        if process.returncode == 0:
            return digests(json.loads(out)), kills
        assert process.returncode < 0, err
    pytest.fail(f"{tool} did not end in {MOST_ATTEMPTS} attempts")


@pytest.mark.slow
def test_the_main_job_survives_any_kill_with_the_same_digests(home):
    chance = np.random.default_rng(23)
    total = 0
    for tool in STEPS:
        calm = digests(run(words(tool, "calm", "--workers=1"), home))
        stormy, kills = kill_until_done(tool, home, "stormy", chance)
        assert stormy == calm, f"{tool} after {kills}"
        total += sum(kills.values())
    assert total >= 3
    run(["verify", "stormy"], home)
