"""What holds a person's container in: limits, no rights of its own, no device but those lent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from docker.types import DeviceRequest, LogConfig

from gateway.errors import CallError

LABEL = "gateway.hub"
"""Label of every container, network and volume that is ours; its value tells which home's."""
_LOG = {"max-size": "10m", "max-file": "2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a container may use."""

    memory_bytes: int | None = None
    """Memory; there is no swap beyond it."""
    cpus: float | None = None
    processes: int = 1024
    """Processes and threads together."""
    scratch_bytes: int = 2**30
    """Size of `/tmp`, which is in memory; nothing else but the home can be written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the engine says it has."""

    memory_bytes: int
    cpus: int


def check_limits(limits: Limits, machine: Machine) -> None:
    """Refuse what the machine does not have: the engine would promise it all the same.

    Raises:
        CallError: Names the limit, and what there is.
    """
    if limits.memory_bytes is not None and limits.memory_bytes > machine.memory_bytes:
        raise CallError(
            f"{_gib(limits.memory_bytes)} of memory were asked for, and this machine has "
            f"{_gib(machine.memory_bytes)}; choose a smaller size"
        )
    if limits.cpus is not None and limits.cpus > machine.cpus:
        raise CallError(
            f"{limits.cpus:g} cores were asked for, and this machine has {machine.cpus}; "
            "choose a smaller size"
        )


def host_values(limits: Limits, devices: Sequence[str] = ()) -> dict[str, Any]:
    """Return the host configuration of a container, as the engine's client takes it.

    Seccomp is not named: the engine's default profile then holds.

    Args:
        limits: What the container may use.
        devices: CDI names of the devices that are lent to it: `nvidia.com/gpu=0`.
    """
    values: dict[str, Any] = {
        "auto_remove": False,  # or the reason why it ended would be gone with it
        "cap_drop": ["ALL"],
        # an internal network has no names to look up: questions must not leave by the engine
        "dns": ["127.0.0.1"],
        "init": True,
        "ipc_mode": "private",
        "log_config": LogConfig(type=LogConfig.types.JSON, config=_LOG),
        "pids_limit": limits.processes,
        "privileged": False,
        "read_only": True,
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,size={limits.scratch_bytes}"},  # noqa: S108 - there
    }
    if limits.memory_bytes is not None:
        values["memswap_limit"] = limits.memory_bytes
    if devices:
        values["device_requests"] = [DeviceRequest(driver="cdi", device_ids=list(devices))]
    return values


def create_values(user: str, home: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return what a container is created with.

    Args:
        user: `UID:GID` of an ordinary user.
        home: Its home in the container.
        labels: Labels by which the container is found again.

    Raises:
        CallError: The user is root, or not given by numbers.
    """
    uid, _, gid = user.partition(":")
    if not (uid.isdecimal() and gid.isdecimal()) or int(uid) == 0 or int(gid) == 0:
        raise CallError(
            f"containers may not run as {user!r}; expected UID:GID of an ordinary user: 1000:1000"
        )
    # the image's own entry point is left out: the engine's init is already the first process
    return {"user": user, "entrypoint": [], "working_dir": home, "labels": dict(labels)}


def _gib(size: int) -> str:
    return f"{size / 2**30:.4g} GiB"
