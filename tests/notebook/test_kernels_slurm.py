"""Kernels that Slurm starts: a real cluster of one node, on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.kernels.specs import install_kernels, slurm_kernel

pytestmark = pytest.mark.slurm
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
SlurmctldPort={control}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdSpoolDir={folder}/spool
StateSaveLocation={folder}/state
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
GresTypes=gpu
AccountingStorageType=accounting_storage/none
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={node} CPUs=2 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=n1 Default=YES MaxTime=INFINITE State=UP
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def answers(*command):
    return subprocess.run(command, capture_output=True, text=True, check=False)


def wait_until(condition, what):
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@pytest.fixture(scope="module")
def cluster(lacking, tmp_path_factory):
    """Start a controller and a node; skip where Slurm is not installed."""
    missing = [name for name in ("slurmctld", "slurmd", "munged") if not shutil.which(name)]
    if missing or os.geteuid() != 0:
        lacking("slurm", f"no Slurm: {', '.join(missing) or 'starting it needs root'}")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("spool", "state"):
        (folder / name).mkdir()
    for number in range(2):  # device nodes: Slurm shows a plain file to nobody
        os.mknod(folder / f"gpu{number}", 0o666 | 0o020000, os.makedev(1, 3))
    values = {"host": socket.gethostname(), "folder": folder}
    text = CONFIGURATION.format(control=free_port(), node=free_port(), **values)
    (folder / "slurm.conf").write_text(text)
    (folder / "gres.conf").write_text(f"NodeName=n1 Name=gpu File={folder}/gpu[0-1]\n")
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    started = []
    try:
        if answers("munge", "-n").returncode:
            Path("/run/munge").mkdir(mode=0o755, exist_ok=True)
            shutil.chown("/run/munge", "munge", "munge")
            as_munge = ["setpriv", "--reuid=munge", "--regid=munge", "--clear-groups"]
            started.append(subprocess.Popen([*as_munge, "munged", "--foreground"]))
            wait_until(lambda: not answers("munge", "-n").returncode, "munged did not start")
        for words in (["slurmctld", "-D"], ["slurmd", "-D", "-N", "n1"]):
            log = (folder / f"{words[0]}.log").open("w")
            with log:
                started.append(subprocess.Popen(words, stdout=log, stderr=log))
        idle = ("sinfo", "-h", "-N", "-t", "idle", "-o", "%N")
        wait_until(lambda: answers(*idle).stdout.strip() == "n1", "the node did not come up")
        yield
    finally:
        patch.undo()
        for process in reversed(started):
            process.send_signal(signal.SIGKILL)
            process.wait()


@pytest.fixture
def kernel(cluster, tmp_path):
    """Yield a started kernel that has one GPU of the node, and its client."""
    del cluster
    init_home(tmp_path / "home")
    gateway = open_gateway(tmp_path / "home")
    with gateway.catalogue:
        made = slurm_kernel(gateway, python=sys.executable, options="--time=5", gpus=1)
    install_kernels([made], tmp_path / "kernels")
    specs = KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")])
    manager = KernelManager(kernel_name="gateway-slurm-with-gpu", kernel_spec_manager=specs)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=240)
    yield manager, client
    client.stop_channels()
    if manager.has_kernel:
        manager.shutdown_kernel(now=True)
    manager.context.destroy(0)


def test_a_kernel_on_a_node_computes_is_interrupted_and_leaves_no_job(kernel):
    manager, client = kernel
    said = []
    code = "import os; print(1 + 1, len(os.environ['CUDA_VISIBLE_DEVICES'].split(',')))"
    client.execute_interactive(
        code, timeout=120, output_hook=lambda m: said.append(m["content"].get("text", ""))
    )
    assert "".join(said).strip() == "2 1"
    client.execute("import time; time.sleep(600)")
    while client.get_iopub_msg(timeout=60)["msg_type"] != "execute_input":
        continue
    manager.interrupt_kernel()
    assert client.get_shell_msg(timeout=60)["content"]["ename"] == "KeyboardInterrupt"
    manager.shutdown_kernel(now=True)
    wait_until(lambda: not answers("squeue", "-h").stdout.strip(), "the job is still there")
