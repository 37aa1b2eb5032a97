"""What happens during a run, as frozen records: progress bars, logs and provenance listen."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from time import time
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened in a run."""

    run_id: str
    at: float = field(default_factory=time)
    """Seconds since 1970."""

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON values, its name under `event`."""
        return {"event": type(self).__name__, **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWaiting(Event):
    """A run waits for GPUs that others hold."""

    reason: str
    """How it stands: `0 of 2 GPUs free, you are third`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A run begins, or goes on where an earlier one stopped."""

    tool: str
    passes: tuple[str, ...]
    tasks: int
    tasks_done: int
    """Done by an earlier execution of the same call."""
    voxels: int
    """Of all passes together."""
    bytes_read: int
    bytes_written: int
    workers: int
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PassStarted(Event):
    """A pass begins."""

    name: str
    number: int
    """From 1."""
    passes: int
    tasks: int
    tasks_done: int
    voxels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDone(Event):
    """A task is computed, written and marked."""

    name: str
    """The pass."""
    task: int
    tasks: int
    tasks_done: int
    """In this pass, this task included."""
    voxels: int
    """Of this task, halo left out."""
    bytes_read: int
    bytes_written: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRetried(Event):
    """A worker died at a task, which is given to a fresh one."""

    name: str
    task: int
    block: str
    attempt: int
    """The attempt that failed, from 1."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    """All outputs are complete and visible."""

    wall_s: float
    outputs: dict[str, str]
    """Output port to digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed(Event):
    """The run stopped at an error; what is done is kept."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCancelled(Event):
    """The user stopped the run; what is done is kept."""


Listener = Callable[[Event], None]
