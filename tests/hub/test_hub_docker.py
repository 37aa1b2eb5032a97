"""`gateway up` on a machine with an engine, as a user runs it: image, proxy, runs, leases."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import docker
import numpy as np
import pytest
from hub_fixtures import stage
from hub_up import Hub, Visitor, up, wait_for

from gateway.service.leases.ledger import list_leases
from gateway.service.leases.model import Lease
from gateway.volumes.volume import open_volume

pytestmark = [pytest.mark.docker, pytest.mark.hub, pytest.mark.slow]
RECLAIM_S = 60.0

LOOK = """
import os
import gateway.notebook as nb

print(1 + 1, sorted(os.listdir("/gateway/data")))
volume = nb.open("ana1/image")
print(type(volume.volume.store).__name__, int(volume[0].sum(dtype="uint64")))
for place in ("/gateway/data/ana1/image.ome.zarr/x", "/gateway/data/x", "/etc/x"):
    try:
        open(place, "w")
    except OSError as error:
        print(error.errno)
try:
    nb.open("ben1/image")
except Exception as error:
    print(type(error).__name__)
made = nb.tools.smooth_gaussian(image="ana1/image", sigma_um=2.0, out="ana1/smooth")
print(int(made["image"][0].sum(dtype="uint64")))
"""
LIMITS = """
import os
from pathlib import Path

def first(*names):
    for name in names:
        path = Path("/sys/fs/cgroup") / name
        if path.is_file():
            return path.read_text().strip()

print(first("memory/memory.limit_in_bytes", "memory.max"), first("pids/pids.max", "pids.max"))
quota = (first("cpu.max") or "").split() or [
    first("cpu/cpu.cfs_quota_us"), first("cpu/cpu.cfs_period_us")
]
scratch = os.statvfs("/tmp")
print(int(quota[0]) / int(quota[1]), scratch.f_blocks * scratch.f_frsize)
open("kept.txt", "w").write("a home that outlives its container")
"""
GPUS = "import os; print([n for n in os.listdir('/dev') if 'gpu' in n], os.environ.get('FAKE_GPU'))"


def held(hub: Hub) -> list[Lease]:
    return [lease for lease in list_leases(hub.gateway) if lease.status == "held"]


def container_of(hub: Hub, engine: docker.APIClient, person: str) -> str:
    labels = [f"gateway.hub={hub.home}", f"gateway.person={person}"]
    (found,) = engine.containers(filters={"label": labels})
    return str(found["Id"])


def voxels(hub: Hub, ref: str) -> int:
    volume = open_volume(hub.gateway.store, f"{ref}.ome.zarr")
    return int(np.asarray(volume[0]).sum(dtype=np.uint64))


def test_somebody_chooses_looks_computes_and_writes_through_a_run(
    front: Hub, engine: docker.APIClient
) -> None:
    ana = front.visitor("ana")
    form = ana.browser.get("/hub/spawn").text
    assert "medium: 1 core, 1 GB" in form
    assert "large: 2 cores, 1.5 GB" in form
    assert "a whole GPU" in form
    ana.start_server(size="large", gpu="none")
    said = ana.run(LOOK).splitlines()
    assert said[0] == "2 ['ana1']"
    assert said[1] == f"LocalStore {voxels(front, 'ana1/image')}"
    assert said[2] == "30"
    assert set(said[3:5]) <= {"30", "13"}
    assert said[5] == "ForbiddenError"
    assert said[-1].isdecimal(), said[-1]  # what went wrong, otherwise
    assert said[-1] == str(voxels(front, "ana1/smooth"))
    first, second = ana.run(LIMITS).splitlines()
    assert first.split() == ["1499996160", "300"]  # of 1500 MB, whole pages
    assert second.split() == ["2.0", str(2**30)]
    assert "cannot limit the home" in front.log  # of an engine whose disk has no quotas
    assert ana.run(GPUS) == "[] None"
    ana.stop_server()
    labels = {"label": [f"gateway.hub={front.home}"]}
    assert engine.containers(all=True, filters=labels) == []


def waiting(person: Visitor) -> str:
    """Return what the page of a start in line says last."""
    with person.browser.stream("GET", f"/hub/api/users/{person.name}/server/progress") as lines:
        for line in lines.iter_lines():
            if "GPUs free" in line or '"ready": true' in line:
                return line
    return ""


def test_two_gpus_are_shared_by_many_and_a_killed_container_gives_its_one_back(
    front: Hub, engine: docker.APIClient
) -> None:
    cleo, dora, emil, fay = (front.visitor(name) for name in ("cleo", "dora", "emil", "fay"))
    for person in (cleo, dora):
        person.start_server(size="medium", gpu="whole")
    seen = {cleo.run(GPUS), dora.run(GPUS)}
    assert seen == {f"['fake-gpu{n}'] {n}" for n in (0, 1)}
    for person, place in ((emil, "first"), (fay, "second")):
        person.ask_server(size="medium", gpu="whole")
        assert f"0 of 2 GPUs free, you are {place}" in waiting(person)
    cleo.stop_server()
    wait_for(lambda: (emil.state() or {}).get("ready"), "the turn of emil")
    assert {lease.person for lease in held(front)} == {"dora", "emil"}
    fay.stop_server()  # leaves the line
    killed = time.monotonic()
    engine.kill(container_of(front, engine, "dora"))
    wait_for(lambda: [lease.person for lease in held(front)] == ["emil"], "the return of a GPU")
    assert time.monotonic() - killed < RECLAIM_S
    emil.stop_server()
    assert list_leases(front.gateway) == []


def test_killed_and_restarted_hubs_lose_no_server_and_no_lease_and_idle_ones_are_stopped(
    front_settings: dict[str, str],
    engine: docker.APIClient,
    tmp_path: Path,
    fill_dataset: Callable[..., None],
) -> None:
    with stage(tmp_path, engine, fill_dataset) as (home, passwords, more):
        given = {**front_settings, **more}
        with up(home, passwords=passwords, **given) as hub:
            ana = hub.visitor("ana")
            ana.start_server(size="medium", gpu="whole")
            kernel = ana.open_kernel()
            ana.run("held = 41", kernel)
            before = container_of(hub, engine, "ana")
            (lease,) = wait_for(lambda: held(hub), "the lease")
            (jupyterhub,) = [p for p in hub.children() if "jupyterhub" in p.cmdline()]
            jupyterhub.kill()
            wait_for(lambda: "version" in ana.browser.get("/hub/api").text, "the next hub")
            wait_for(lambda: ana.run("print(held)", kernel) == "41", "the server")
            assert container_of(hub, engine, "ana") == before
            os.kill(hub.process.pid, signal.SIGKILL)
            hub.process.wait()
        with up(home, passwords=passwords, **given) as hub:
            ana = hub.visitor("ana")
            assert container_of(hub, engine, "ana") == before
            assert ana.run("print(held + 1)", kernel) == "42"
            assert [one.id for one in held(hub)] == [lease.id]
        with up(home, passwords=passwords, **given, GATEWAY_HUB_IDLE_MINUTES="0.05") as hub:
            labels = {"label": [f"gateway.hub={home}"]}
            wait_for(lambda: not engine.containers(all=True, filters=labels), "the idle stop")
            wait_for(lambda: not held(hub), "the return of its GPU")
