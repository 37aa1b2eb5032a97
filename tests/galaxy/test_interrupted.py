"""Work in Galaxy that is cancelled leaves nothing; what a restart cuts short goes on."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml
from hub_up import wait_for

from gateway.service.leases.ledger import list_leases
from gateway.volumes.dataset import list_entries

pytestmark = [pytest.mark.galaxy, pytest.mark.slow]
PROGRAM = Path(sys.executable).with_name("gateway-galaxy")
SOON_S = 60
STEP = {"save": {"dataset": "ana-resumed"}}
WORKFLOW = {
    "class": "GalaxyWorkflow",
    "label": "Wait, then smooth",
    "inputs": {"image": {"type": "data"}, "until": {"type": "text"}},
    "steps": {
        "wait": {
            "tool_id": "gateway_gpu_wait",
            "in": {"image": "image", "until": "until"},
            "tool_state": {"wait_s": 600, **STEP},
        },
        "smooth": {
            "tool_id": "gateway_smooth_gaussian",
            "in": {"image": "wait/image_out"},
            "tool_state": {"sigma_um": 1.0, **STEP},
        },
    },
    "outputs": {
        "waited": {"outputSource": "wait/image_out"},
        "smooth": {"outputSource": "smooth/image_out"},
    },
}


def test_a_cancelled_job_stops_soon_gives_its_gpu_back_and_leaves_nothing_to_see(real_galaxy, ana):
    gateway = real_galaxy.gateway
    inputs = {"image": {"src": "hda", "id": ana.datasets["two_blobs"]}, "wait_s": 600}
    job = real_galaxy.start_tool(
        "ana", ana.history, "gpu_wait", inputs | {"save|dataset": "ana-cancelled"}
    )
    wait_for(lambda: _held(gateway) == ["held"], "the lease of the job")
    wait_for((gateway.store.local_path("ana-cancelled") / ".staging").is_dir, "its run")
    assert _processes("gpu_wait")
    begun = time.monotonic()
    galaxy = real_galaxy.raw("ana")
    galaxy.jobs.cancel_job(job)
    wait_for(lambda: not list_leases(gateway), "the return of the GPU", SOON_S)
    wait_for(lambda: not _processes("gpu_wait"), "the end of the job's processes", SOON_S)
    assert time.monotonic() - begun < SOON_S
    assert galaxy.jobs.show_job(job)["state"] in ("deleted", "deleting")
    assert list(list_entries(gateway.store, "ana-cancelled")) == []


def test_a_workflow_goes_on_to_its_end_after_a_restart_of_galaxy(real_galaxy, ana, tmp_path):
    gateway, sign = real_galaxy.gateway, tmp_path / "go"
    workflow = ana.client.publish_workflow(yaml.safe_dump(WORKFLOW))
    inputs = {"image": f"dataset:{ana.datasets['two_blobs']}", "until": str(sign)}
    invocation = ana.client.invoke(workflow, inputs, ana.client.history("restarted"))
    wait_for(lambda: _held(gateway) == ["held"], "the lease of the first step")
    before = _processes("gpu_wait")
    _galaxy(real_galaxy, "down")
    assert not [process for process in before if process.is_running()]
    assert not list_leases(gateway)
    _galaxy(real_galaxy, "up", "--behind-hub", "--detach")
    wait_for(lambda: _held(gateway) == ["held"], "the lease of the first step, again")
    sign.touch()
    ana.client.follow(invocation)
    results = ana.client.results(invocation)
    assert results["waited"].digest == real_galaxy.example("two_blobs").digest
    assert results["smooth"].ref.startswith("ana-resumed/smooth_gaussian-")
    assert not list_leases(gateway)


def _galaxy(real_galaxy, *words):
    done = subprocess.run(
        [PROGRAM, *words, "--home", real_galaxy.hub.home],
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _held(gateway):
    return [lease.status for lease in list_leases(gateway)]


def _processes(tool):
    """Return the processes of the gateway that run a tool for Galaxy."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "run" in words and tool in words and "--form" in words:
            found.append(process)
    return found
