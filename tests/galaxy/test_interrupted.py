"""Work in Galaxy that is cancelled leaves nothing behind."""

import time

import psutil
import pytest
from hub_up import wait_for

from gateway.service.leases.ledger import list_leases
from gateway.volumes.dataset import list_entries

pytestmark = [pytest.mark.galaxy, pytest.mark.slow]
SOON_S = 60


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
