"""What the container of a kernel may see and use: a pure function of what was asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docker.types import DeviceRequest, Mount

from gateway.run.lent import LEASE_VARIABLE, NAMES_VARIABLE
from gateway.service.leases.model import LABEL as LEASE_LABEL

DATA = "/gateway/data"
"""Where a kernel finds the datasets: `/gateway/data/DATASET/NAME.ome.zarr`."""
LABEL = "gateway.kernel"
_PASSED = ("GATEWAY_URL", "GATEWAY_TOKEN", "JPY_SESSION_NAME", "LANG")
_PROCESSES = 2048
_BOOT = """\
import os, runpy, sys, threading
def end(path):
    pipe = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(pipe, True)
    os.read(pipe, 1)
    os._exit(0)
threading.Thread(target=end, args=(sys.argv.pop(1),), daemon=True).start()
sys.argv[0] = "ipykernel_launcher"
runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
"""
"""Ends the kernel when nobody holds the other end of a pipe any more: when its server has died.

The pipe is opened without waiting for somebody at its other end, who may have died already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a kernel's container is made of."""

    image: str
    folder: Path
    """Of the sockets through which Jupyter talks to the kernel."""
    work: Path | None
    """The folder of the notebook, which the kernel may write."""
    data: Path | None
    """The folder of datasets, which it may read."""
    user: tuple[int, int]
    network: str = "none"
    memory: str = ""
    """Most memory, as the engine takes it: `8g`."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Of Jupyter; little of it is passed on."""
    lease: str = ""
    devices: Sequence[str] = ()


def container_values(wish: Wish) -> dict[str, Any]:
    """Return the arguments with which the Docker SDK creates the container."""
    folder = str(wish.folder)
    mounts = [Mount(folder, folder, type="bind")]
    if wish.data is not None:
        mounts.append(Mount(DATA, str(wish.data), type="bind", read_only=True))
    if wish.work is not None:
        mounts.append(Mount(str(wish.work), str(wish.work), type="bind"))
    values: dict[str, Any] = {
        "image": wish.image,
        "entrypoint": ["python3", "-c", _BOOT, f"{folder}/alive"],
        "command": ["-f", f"{folder}/connection.json"],
        "mounts": mounts,
        "user": f"{wish.user[0]}:{wish.user[1]}",
        "network_mode": wish.network,
        "environment": _environment(wish),
        "labels": {LABEL: "1", **({LEASE_LABEL: wish.lease} if wish.lease else {})},
        "working_dir": str(wish.work) if wish.work is not None else "/tmp",  # noqa: S108 - its own
        "read_only": True,
        "tmpfs": {"/tmp": "rw,exec,mode=1777"},  # noqa: S108 - its own
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": _PROCESSES,
    }
    if wish.memory:
        values |= {"mem_limit": wish.memory, "memswap_limit": wish.memory}
    if wish.devices:
        request = DeviceRequest(driver="cdi", device_ids=list(wish.devices))
        values["device_requests"] = [request]
    return values


def _environment(wish: Wish) -> dict[str, str]:
    passed = {name: wish.environment[name] for name in _PASSED if name in wish.environment}
    home = "/tmp/home"  # noqa: S108 - its own
    own = {"HOME": home, "IPYTHONDIR": f"{home}/.ipython", "MPLCONFIGDIR": f"{home}/.matplotlib"}
    if wish.data is not None:
        own["GATEWAY_DATA"] = DATA
    if wish.lease:
        own |= {LEASE_VARIABLE: wish.lease, NAMES_VARIABLE: ",".join(wish.devices)}
    return {**passed, **own}
