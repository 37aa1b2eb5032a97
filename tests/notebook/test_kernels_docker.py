"""Kernels in the image of tools: a real engine, a real jupyter_client, fake GPUs."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from gateway.errors import LimitError
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.kernels.images import KernelImage
from gateway.service.kernels.specs import image_kernels, install_kernels
from gateway.service.leases.containers import reclaim_here
from gateway.service.leases.ledger import find_lease, list_leases

pytestmark = pytest.mark.docker
READ = """
import os
store = os.environ["GATEWAY_DATA"]
print(sorted(os.listdir(store + "/m1")), open(store + "/m1/note.txt").read())
try:
    open(store + "/m1/new", "w")
except OSError as error:
    print(error.errno)
open("made-here.txt", "w").write("by the kernel")
print(os.getuid() != 0, sorted(os.listdir("/sys/class/net")))
"""


@pytest.fixture(scope="module")
def image(build_images):
    (name,) = build_images("tools")
    return name


@pytest.fixture
def engine(container_engine, monkeypatch):
    # the setting counts, not what the usual variable says
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setenv("GATEWAY_DOCKER_HOST", container_engine.host)
    return container_engine


@pytest.fixture
def gateway(tmp_path, engine, monkeypatch):
    """Yield a gateway with a readable file in a dataset, which lends one fake GPU."""
    del engine
    monkeypatch.setenv("GATEWAY_DEVICES", '["gateway.test/gpu=0"]')
    init_home(tmp_path / "home")
    opened = open_gateway(tmp_path / "home")
    note = tmp_path / "home" / "store" / "m1" / "note.txt"
    note.parent.mkdir()
    note.write_text("seen")
    with opened.catalogue:
        yield opened


@pytest.fixture
def start(gateway, image, tmp_path, open_up):
    """Return what starts a kernel by name; all are shut down at the end."""
    folder = tmp_path / "kernels"
    install_kernels(image_kernels(gateway, [KernelImage("tools", image)]), folder)
    work = tmp_path / "work"
    work.mkdir()
    open_up(tmp_path)
    specs = KernelSpecManager(kernel_dirs=[str(folder)])
    started = []

    def go(name):
        manager = KernelManager(kernel_name=name, kernel_spec_manager=specs)
        manager.start_kernel(cwd=str(work))
        client = manager.client()
        started.append((manager, client))
        client.start_channels()
        client.wait_for_ready(timeout=240)
        return manager, client

    yield go
    for manager, client in started:
        client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        manager.context.destroy(0)


@pytest.fixture
def open_up():
    """Return what lets the kernel's ordinary user into a folder, where the tests are root."""

    def do(folder):
        if os.getuid() == 0:
            for path in [*folder.rglob("*"), folder, *list(folder.parents)[:3]]:
                path.chmod(0o777 if path.is_dir() else 0o644)

    return do


def say(client, code, timeout=120):
    """Run code and return what it printed, or the name of its error."""
    said = []
    reply = client.execute_interactive(
        code, timeout=timeout, output_hook=lambda m: said.append(m["content"].get("text", ""))
    )
    return reply["content"].get("ename") or "".join(said).strip()


def wait_until(condition, what, timeout=90):
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.2)
    return found


def test_a_kernel_in_an_image_computes_reads_and_is_held_in(start, tmp_path):
    manager, client = start("gateway-tools")
    assert say(client, "print(1 + 1)") == "2"
    first, errno, held_in = say(client, READ).split("\n")
    assert first == "['note.txt'] seen"
    assert errno == "30"
    assert held_in == "True ['lo']"
    assert (tmp_path / "work" / "made-here.txt").read_text() == "by the kernel"
    # else the kernel drops what is asked in the first moments after the interrupt
    client.execute("import time; print('begun', flush=True); time.sleep(600)", stop_on_error=False)
    wait_until(lambda: client.get_iopub_msg(timeout=60)["msg_type"] == "stream", "no start")
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=60)
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert say(client, "print('alive')") == "alive"


def test_a_kernel_holds_its_gpu_through_a_restart_and_gives_it_back(start, gateway, engine):
    manager, client = start("gateway-tools-with-gpu")
    (lease,) = list_leases(gateway)
    assert (lease.status, lease.devices) == ("held", ("gateway.test/gpu=0",))
    assert say(client, "import os; print(os.environ['FAKE_GPU'])") == "0"
    manager.restart_kernel(now=True)
    client.wait_for_ready(timeout=240)
    assert say(client, "import os; print(os.environ['GATEWAY_LEASE'])") == lease.id
    assert reclaim_here(gateway) == []
    manager.shutdown_kernel(now=True)
    assert find_lease(gateway, lease.id).reason == "its kernel ended"
    assert engine.docker("ps", "-a", "-q", "--filter", "label=gateway.kernel").strip() == ""


def test_a_killed_kernel_gives_its_gpu_back(start, gateway, engine):
    manager, _client = start("gateway-tools-with-gpu")
    (lease,) = list_leases(gateway)
    engine.docker("kill", engine.docker("ps", "-q", "--filter", f"label=gateway.lease={lease.id}"))
    began = time.monotonic()
    assert wait_until(lambda: reclaim_here(gateway), "it was not reclaimed") == [lease.id]
    assert time.monotonic() - began < 60
    wait_until(lambda: not manager.is_alive(), "jupyter did not notice")


def test_a_kernel_whose_jupyter_is_killed_ends_and_gives_back(start, gateway, engine, tmp_path):
    del start  # it has written the kernels
    code = (
        "import sys, time; from jupyter_client.kernelspec import KernelSpecManager;"
        "from jupyter_client.manager import KernelManager\n"
        "specs = KernelSpecManager(kernel_dirs=[sys.argv[1]])\n"
        "m = KernelManager(kernel_name='gateway-tools-with-gpu', kernel_spec_manager=specs)\n"
        "m.start_kernel(cwd=sys.argv[2]); print('started', flush=True); time.sleep(600)"
    )
    folders = [str(tmp_path / "kernels"), str(tmp_path / "work")]
    with subprocess.Popen([sys.executable, "-c", code, *folders], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"started\n"
        (lease,) = list_leases(gateway)
        os.kill(server.pid, signal.SIGKILL)
    assert wait_until(lambda: reclaim_here(gateway), "it was not reclaimed") == [lease.id]
    left = engine.docker("ps", "-q", "--filter", f"label=gateway.lease={lease.id}")
    assert left.strip() == ""


def test_two_kernels_never_share_a_whole_gpu_and_the_second_is_told(start, gateway, tmp_path):
    start("gateway-tools-with-gpu")
    file = tmp_path / "kernels" / "gateway-tools-with-gpu" / "kernel.json"
    document = json.loads(file.read_text())
    document["metadata"]["kernel_provisioner"]["config"]["gpu_wait_s"] = 1.0
    file.write_text(json.dumps(document))
    with pytest.raises(LimitError, match="no GPU became free in 1 s: 0 of 1 GPUs free, you are"):
        start("gateway-tools-with-gpu")
    assert len(list_leases(gateway)) == 1
