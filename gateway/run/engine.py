"""What an engine is: something that gets the tasks of a pass done, wherever it computes them.

An engine is told names only: the store, the run and the tasks. Done-markers in the staging folder
are the proof that a task is done, so an engine may lose, repeat and reorder tasks as it likes.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.run.tasks import TaskReport, Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The tasks of one pass that are still to do."""

    space: Workspace
    name: str
    tasks: tuple[int, ...]
    workers: int
    cancel: threading.Event
    done: Callable[[TaskReport], None]
    """Called once per task that is done."""
    retried: Callable[[int, str, int, str], None]
    """Called with task, block, attempt and reason when a worker died."""


class TaskFailure(Exception):  # noqa: N818 - not an error of its own: `execute` makes a RunError of it
    """A task failed for good."""

    def __init__(self, block: str, reason: str, trace: str = "") -> None:
        """Say where and why.

        Args:
            block: The box or item in words; empty where the failure had no block.
            reason: What happened.
            trace: The traceback of the worker.
        """
        super().__init__(reason)
        self.block = block
        self.reason = reason
        self.trace = trace


class CancelledError(Exception):
    """The cancel event of a job was set."""


class Engine(Protocol):
    """Gets tasks done. One engine serves one run, pass after pass."""

    def run(self, job: Job) -> None:
        """Return when every task of the job is done.

        Raises:
            TaskFailure: A task failed for good.
            CancelledError: The job was cancelled.
        """
        ...

    def close(self) -> None:
        """Stop all workers at once; what they were doing is lost, what is marked is kept."""
        ...
