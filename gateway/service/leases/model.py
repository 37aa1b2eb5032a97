"""Devices, who holds them, and what a holder is told."""

import os
import socket
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self

import psutil

from gateway.run.lent import LEASE_LABEL

Purpose = Literal["notebook", "run", "galaxy"]
Status = Literal["waiting", "held", "ended"]
LABEL = LEASE_LABEL
"""Label of a container that uses the devices of a lease."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU of a machine."""

    name: str
    """Its CDI name, which a container engine takes: `nvidia.com/gpu=0`."""
    host: str
    model: str = ""
    memory_bytes: int = 0
    shares: int = 1
    """How many may hold it at once who asked for a share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What lives as long as a lease is needed: a process, or a container of an engine."""

    kind: Literal["process", "container"]
    host: str
    id: str
    """Number of the process, or id of the container."""
    started: float = 0.0
    """When the process began, in seconds since 1970: numbers of processes are used again."""
    boot: str = ""
    """Which start of the machine it belongs to: a reboot ends all of them."""
    engine: str = ""
    """Id of the container's engine."""
    starting: bool = False
    """Whether the process is about to start a container, which then holds the lease."""

    @classmethod
    def this_process(cls, pid: int | None = None, *, starting: bool = False) -> Self:
        """Return a process of this machine, by default the one that asks.

        Args:
            pid: Its number.
            starting: Whether it is about to start a container labelled `LABEL`.

        Raises:
            psutil.NoSuchProcess: There is none of that number.
        """
        number = pid or os.getpid()
        return cls(
            kind="process",
            host=socket.gethostname(),
            id=str(number),
            started=psutil.Process(number).create_time(),
            boot=this_boot(),
            starting=starting,
        )

    @classmethod
    def container(cls, container: str, engine: str) -> Self:
        """Return a container of an engine of this machine; it must be labelled `LABEL`."""
        host = socket.gethostname()
        return cls(kind="container", host=host, id=container, boot=this_boot(), engine=engine)

    def to_json(self) -> dict[str, Any]:
        """Return the holder as JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """A lease that is held or waits, as who looks for the dead sees it."""

    lease: str
    beat: datetime
    """When its holder was last heard."""
    holder: Holder


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What somebody asked for, and what came of it."""

    id: str
    person: str
    purpose: str
    wanted: int
    whole: bool
    status: Status
    devices: tuple[str, ...] = ()
    """CDI names, once it is held."""
    asked: datetime
    granted: datetime | None = None
    ended: datetime | None = None
    reason: str | None = None
    """Why it ended."""
    position: int | None = None
    """Place in the line, from 1, while it waits."""
    free: int = 0
    """Devices that nobody holds any of."""
    total: int = 0

    def sentence(self) -> str:
        """Say in a line how it stands: `1 of 2 GPUs free, you are third`."""
        if self.status == "held":
            back = f", asked back: {self.reason}" if self.reason else ""
            return f"{self.person} holds {', '.join(self.devices)}{back}"
        if self.status == "ended":
            return f"ended: {self.reason}"
        return f"{self.free} of {self.total} GPUs free, you are {_ordinal(self.position or 1)}"

    def to_json(self) -> dict[str, Any]:
        """Return the lease as JSON values."""
        times = {
            name: value.isoformat() if (value := getattr(self, name)) else None
            for name in ("asked", "granted", "ended")
        }
        return {**asdict(self), "devices": list(self.devices), **times, "says": self.sentence()}


def this_boot() -> str:
    """Return what tells this start of the machine from others; empty where nothing does."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _ordinal(number: int) -> str:
    words = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
    return words[number - 1] if number <= len(words) else f"number {number}"
