"""Shows the events of a run on stderr: bars on a terminal, plain lines elsewhere, or JSON lines."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from gateway.run.events import (
    Event,
    Listener,
    PassStarted,
    RunFinished,
    RunStarted,
    RunWaiting,
    TaskDone,
    TaskRetried,
)

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_LINE_EVERY_S = 5.0


@contextmanager
def show_events(*, as_json: bool = False) -> Iterator[Listener]:
    """Give a listener that shows what happens until the block ends.

    Args:
        as_json: One JSON object per line on stderr instead of bars.
    """
    if as_json:
        yield _write_json
        return
    if not sys.stderr.isatty():
        yield Lines()
        return
    with _progress("{task.fields[rate]}", transient=False) as progress:
        yield Bars(progress)


@contextmanager
def show_count(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function that is told how many voxels are done, and of how many.

    Args:
        what: What stands before the bar.
    """
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    with _progress(transient=True) as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=max(total, 1))


def _progress(*texts: str, transient: bool) -> "Progress":
    # 0.07 s that scripts and batch jobs, which have no terminal, would pay with every command
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.progress import (  # noqa: PLC0415 - as above
        BarColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        *(TextColumn(text, style="progress.data.speed") for text in texts),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=transient,
    )


class Bars:
    """One bar per pass, with megavoxels per second and the time left."""

    def __init__(self, progress: "Progress") -> None:
        """Draw on `progress`."""
        self._progress = progress
        self._bar: TaskID | None = None
        self._voxels = 0
        self._started = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, PassStarted):
            self._voxels, self._started = 0, time.monotonic()
            self._bar = self._progress.add_task(
                f"{event.name} ({event.number}/{event.passes})",
                total=max(event.tasks, 1),
                completed=event.tasks_done,
                rate="",
            )
        elif isinstance(event, TaskDone) and self._bar is not None:
            self._voxels += event.voxels
            rate = _rate(self._voxels, time.monotonic() - self._started)
            self._progress.update(self._bar, completed=event.tasks_done, rate=rate)
        elif isinstance(event, TaskRetried | RunWaiting):
            self._progress.console.print(_line(event), markup=False)


class Lines:
    """A line when a pass begins and every few seconds: for logs and batch jobs."""

    def __init__(self) -> None:
        """Begin without a pass."""
        self._voxels = 0
        self._started = self._said = time.monotonic()

    def __call__(self, event: Event) -> None:
        """Take one event."""
        now = time.monotonic()
        if isinstance(event, RunStarted):
            again = f", {event.tasks_done} done before" if event.tasks_done else ""
            _say(f"{event.tool}: {event.tasks} tasks{again}, {event.workers} worker(s)")
        elif isinstance(event, PassStarted):
            self._voxels, self._started, self._said = 0, now, now
            _say(f"  pass {event.number}/{event.passes} {event.name}: {event.tasks} tasks")
        elif isinstance(event, TaskDone):
            self._voxels += event.voxels
            if now - self._said >= _LINE_EVERY_S:
                self._said = now
                rate = _rate(self._voxels, now - self._started)
                _say(f"  {event.name}: {event.tasks_done}/{event.tasks} {rate}".rstrip())
        elif isinstance(event, TaskRetried | RunWaiting):
            _say(_line(event))
        elif isinstance(event, RunFinished):
            _say(f"  done in {event.wall_s:.1f} s")


def _rate(voxels: int, seconds: float) -> str:
    if not voxels or seconds <= 0:
        return ""
    return f"{voxels / seconds / 1e6:.1f} Mvoxel/s"


def _line(event: TaskRetried | RunWaiting) -> str:
    if isinstance(event, RunWaiting):
        return f"waiting: {event.reason}"
    return (
        f"a worker died at {event.name} {event.block} (attempt {event.attempt}): "
        f"{event.reason}; trying again"
    )


def _write_json(event: Event) -> None:
    _say(json.dumps(event.to_json(), default=str))


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
