"""A job whose tool wants a GPU holds a lease while it runs, however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gateway.galaxy.publish import write_examples
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.access.people import ensure_person
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.leases.ledger import list_leases

pytestmark = pytest.mark.slow
PROGRAM = Path(sys.executable).with_name("gateway-galaxy")
SITE = Path(__file__).parent / "site"


@pytest.fixture
def gateway(tmp_path):
    init_home(tmp_path / "home")
    with (tmp_path / "home/gateway.toml").open("a") as file:
        file.write('galaxy_domain = "lab.example"\ndevices = ["gateway.test/gpu=0"]\n')
    opened = open_gateway(tmp_path / "home")
    with opened.catalogue:
        ensure_person(opened, "ana")
        write_examples(opened, tmp_path / "volrefs")
        grant(opened, "examples", "person:ana", Role.VIEWER)
        yield opened


@pytest.fixture
def start(gateway, tmp_path):
    """Start a job as Galaxy does, in a group of processes of its own."""

    def job(wait_s):
        work = tmp_path / f"job-{wait_s}"
        work.mkdir()
        form = {"image": str(tmp_path / "volrefs/two_blobs.volref"), "until": ""}
        form |= {"wait_s": str(wait_s), "save": {"dataset": "ana-work"}}
        (work / "form.json").write_text(json.dumps(form))
        words = ["run", "gpu_wait", "--version", "1.0.0", "--form", "form.json"]
        environment = {name: v for name, v in os.environ.items() if not name.startswith("GATEWAY_")}
        environment |= {
            "GATEWAY_HOME": str(gateway.home),
            "PYTHONPATH": os.pathsep.join([str(SITE), os.environ.get("PYTHONPATH", "")]),
            "GPU_WAIT_SAYS": str(tmp_path / "says"),
        }
        return subprocess.Popen(
            [PROGRAM, *words, "--user", "ana@lab.example"],
            cwd=work,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    return job


def test_a_job_holds_a_gpu_while_it_runs_and_gives_it_back(gateway, start, tmp_path):
    process = start(0)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert out.split() == ["image.volref"]
    assert (tmp_path / "says").read_text() == "gateway.test/gpu=0"
    (lease,) = list_leases(gateway, ended=5)
    assert (lease.person, lease.purpose, lease.status) == ("ana", "galaxy", "ended")


def test_a_job_that_galaxy_cancels_gives_its_gpu_back(gateway, start, tmp_path):
    process = start(500)
    deadline = time.monotonic() + 240
    while not (tmp_path / "says").exists() and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
        time.sleep(0.2)
    assert [lease.status for lease in list_leases(gateway)] == ["held"]
    os.killpg(process.pid, signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    assert list_leases(gateway) == []
    assert "gpu_wait was stopped" in errors.splitlines()[0]
