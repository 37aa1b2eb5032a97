"""The machine as an administrator watches it: processors, memory, disks, devices."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from gateway.service.gateway import Gateway

_NVIDIA = "name,utilization.gpu,memory.used,memory.total,temperature.gpu"
_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A file system that the gateway writes to."""

    what: str
    total: int
    free: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU."""

    name: str
    busy_percent: float | None
    memory_used: int | None
    memory_total: int | None
    celsius: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the machine does at this moment."""

    processors: tuple[float, ...]
    """Per cent busy since the last look, one per core."""
    load: tuple[float, float, float]
    memory_total: int
    memory_used: int
    disks: tuple[Disk, ...]
    devices: tuple[Device, ...]
    devices_note: str
    """Why no device is listed."""


def read_machine(gateway: Gateway) -> Machine:
    """Look at the machine this process runs on."""
    memory = psutil.virtual_memory()
    devices, note = _devices()
    return Machine(
        processors=tuple(psutil.cpu_percent(interval=0.1, percpu=True)),
        load=os.getloadavg(),
        memory_total=memory.total,
        memory_used=memory.total - memory.available,
        disks=_disks(gateway),
        devices=devices,
        devices_note=note,
    )


def _disks(gateway: Gateway) -> tuple[Disk, ...]:
    """Return the disks of the home and of the store; one that both share is named once."""
    store = gateway.store.local_path("")
    places = [("home", gateway.home)]
    if store is not None and Path(store).exists():
        places.append(("store", Path(store)))
    by_device: dict[int, list[tuple[str, Path]]] = {}
    for what, path in places:
        by_device.setdefault(path.stat().st_dev, []).append((what, path))
    found = []
    for named in by_device.values():
        usage = shutil.disk_usage(named[0][1])
        what = " and ".join(sorted((what for what, _ in named), reverse=True))
        found.append(Disk(what=what, total=usage.total, free=usage.free))
    return tuple(found)


def _devices() -> tuple[tuple[Device, ...], str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return (), "no GPU: nvidia-smi is not installed on this machine"
    command = [program, f"--query-gpu={_NVIDIA}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(  # noqa: S603 - a program of the driver, found on the path
            command, capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), f"nvidia-smi did not answer: {error}"
    if done.returncode:
        reason = (done.stderr or done.stdout).strip().splitlines()
        return (), f"nvidia-smi failed: {reason[0] if reason else 'no reason'}"
    return tuple(_device(line) for line in done.stdout.splitlines() if line.strip()), ""


def _device(line: str) -> Device:
    name, *rest = (part.strip() for part in line.split(","))
    busy, used, total, celsius = (_number(part) for part in rest)
    return Device(
        name=name,
        busy_percent=busy,
        memory_used=None if used is None else int(used * _MIB),
        memory_total=None if total is None else int(total * _MIB),
        celsius=celsius,
    )


def _number(text: str) -> float | None:
    """Read a figure; a device that does not tell says `[N/A]`."""
    try:
        return float(text)
    except ValueError:
        return None
