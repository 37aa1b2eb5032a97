"""The container of a worker: what it sees, what it may, and what it is held to."""

import csv
import io
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from gateway.run.docker_client import LABEL
from gateway.run.lent import LEASE_LABEL
from gateway.run.tasks import Workspace
from gateway.run.tiling import PROCESS_BYTES
from gateway.volumes.dataset import find_entry
from gateway.volumes.link import read_link
from gateway.volumes.ref import Ref, parse_ref
from gateway.volumes.store import Store, open_store
from gateway.volumes.tiles import open_tiles

_ORDINARY = 1000
"""User and group of our images, where the store belongs to root."""
_PROCESSES = 512
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
)
"""What a worker needs to reach a bucket; handed on by name, so that no command line shows it."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A folder of this machine that a container sees under the same path."""

    path: Path
    writable: bool = False

    def words(self) -> tuple[str, str]:
        """Return the option of `docker run`; a path may hold commas."""
        line = io.StringIO()
        values = ["type=bind", f"source={self.path}", f"target={self.path}"]
        csv.writer(line).writerow(values if self.writable else [*values, "readonly"])
        return ("--mount", line.getvalue().strip())


@dataclass(frozen=True, slots=True)
class Account:
    """User and group by number."""

    user: int
    group: int

    @classmethod
    def of_store(cls, root: Path | None) -> "Account":
        """Return who shall compute: the store's owner, or an ordinary user where that is root.

        Only root can have others compute; anybody else's containers run as themselves.
        """
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid())
        if root is None:  # a store that is no folder has no owner
            return cls(_ORDINARY, _ORDINARY)
        owner = root.stat()
        return cls(owner.st_uid or _ORDINARY, owner.st_gid or _ORDINARY)


def give(folder: Path, account: Account) -> None:
    """Make somebody the owner of all that is in a folder, where we are root."""
    if os.geteuid() != 0:
        return
    os.chown(folder, account.user, account.group)
    for inside in folder.rglob("*"):
        os.chown(inside, account.user, account.group, follow_symlinks=False)


def find_binds(space: Workspace) -> list[Bind]:
    """Return the folders a run's workers see: the datasets of its call, and its staging folder.

    Only the staging folder can be written. Data that was registered in place is seen too. A store
    that is no folder needs none.
    """
    store, staging = space.staging.store, space.staging
    root = store.local_path("")
    places = set(_registered(store, space))
    if root is not None:
        datasets = {ref.dataset for ref in _refs(space)} | {staging.run.dataset}
        places |= {root / name for name in datasets}
    binds = [Bind(path) for path in _outermost(places)]
    folder = store.local_path(staging.key())
    return binds if folder is None else [*binds, Bind(folder, writable=True)]


def run_words(space: Workspace, name: str, account: Account) -> list[str]:
    """Return the words after `docker run`, up to the image, for one worker of a run.

    Args:
        space: The run.
        name: Of the container.
        account: Who computes.
    """
    options = space.plan.options
    memory = str(worker_memory(options.memory_bytes, space.plan.workers))
    words = ["--interactive", "--name", name]
    words += ["--label", f"{LABEL}.run={space.staging.run.name}", "--label", owner_label()]
    words += ["--user", f"{account.user}:{account.group}", "--workdir", "/tmp"]  # noqa: S108 - inside
    words += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    words += ["--memory", memory, "--memory-swap", memory, "--pids-limit", str(_PROCESSES)]
    words += ["--cpus", str(space.prepared.spec.resources.cores)]
    words += _network(space)
    for bind in find_binds(space):
        words += bind.words()
    if options.devices:
        words += ["--label", f"{LEASE_LABEL}={options.lease}"]
        asked = ",".join(options.devices)
        # the only form that clients of every age send on as names of the CDI
        words += ["--gpus", f'driver=cdi,"device={asked}"']
    return words


def worker_memory(memory_bytes: int, workers: int) -> int:
    """Return what one worker may use of the memory of a run; beside many there is the parent."""
    share = memory_bytes if workers == 1 else (memory_bytes - PROCESS_BYTES) // workers
    return max(share, PROCESS_BYTES)


def owner_label() -> str:
    """Return the label that names this process: once it is gone, what it left is known by it."""
    process = psutil.Process()
    return f"{LABEL}.owner={socket.gethostname()}:{process.pid}:{int(process.create_time())}"


def is_orphan(owner: str) -> bool:
    """Whether the process that a label names is gone; one of another machine cannot be told."""
    host, _, rest = owner.rpartition("=")[2].partition(":")
    number, _, began = rest.partition(":")
    if host != socket.gethostname() or not (number.isdigit() and began.isdigit()):
        return False
    try:
        return abs(psutil.Process(int(number)).create_time() - int(began)) > 1
    except psutil.NoSuchProcess:
        return True


def _network(space: Workspace) -> list[str]:
    """Return none for a store that is a folder; else a network, and what opens the store."""
    remote = [store for store in _stores(space) if store.local_path("") is None]
    if not remote:
        return ["--network", "none"]
    named = space.plan.options.docker_network
    words = ["--network", named] if named else []
    for name in _CREDENTIALS:
        if name in os.environ:
            words += ["--env", name]
    return words


def _refs(space: Workspace) -> Iterator[Ref]:
    spec, call = space.prepared.spec, space.plan.call
    for ports, values in ((spec.inputs, call.inputs), (spec.outputs, call.outputs)):
        for port, value in values.items():
            if ports[port].kind != "file":
                yield parse_ref(value)


def _registered(store: Store, space: Workspace) -> Iterator[Path]:
    """Yield the folders of this machine that inputs are registered in."""
    for ref in _refs(space):
        entry = find_entry(store, ref)
        if entry is not None and entry.linked:
            folder = open_store(read_link(store, entry.key).url).local_path("")
            if folder is not None:
                yield folder
        elif entry is not None and entry.kind == "tiles":
            for tile in open_tiles(store, entry.key).tiles:
                if tile.in_place is not None:
                    yield Path(tile.in_place.path).parent


def _stores(space: Workspace) -> Iterator[Store]:
    store = space.staging.store
    yield store
    for ref in _refs(space):
        entry = find_entry(store, ref)
        if entry is not None and entry.linked:
            yield open_store(read_link(store, entry.key).url)


def _outermost(places: Iterable[Path]) -> list[Path]:
    """Return the folders that lie in none of the others."""
    found: list[Path] = []
    for place in sorted(places):
        if not any(place.is_relative_to(outer) for outer in found):
            found.append(place)
    return found
