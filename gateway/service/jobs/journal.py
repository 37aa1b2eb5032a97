"""What a job's run says while it goes on: a file of events, and a file of its log.

Events are lines of JSON, only ever appended. The place after a line is its id: whoever has read
up to there goes on there, whatever process it asks.
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.run.events import Event, TaskDone
from gateway.service.gateway import Gateway

_EVERY_S, _SHARE = 0.2, 1 / 2000
"""Tasks are told together, at most so often, and ever less often as a run goes on for days."""
_LOG_TAIL = 64_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the events."""

    place: int
    """Where the next line begins."""
    text: str


class Journal:
    """The files of one job."""

    def __init__(self, gateway: Gateway, job_id: str) -> None:
        """Name the files of a job; nothing is made."""
        self.folder = gateway.home / "jobs" / job_id
        self.events = self.folder / "events.jsonl"
        self.log = self.folder / "log.txt"

    def open(self) -> None:
        """Make the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, document: dict[str, Any]) -> None:
        """Append one event; lines of several processes do not mix."""
        self.open()
        line = json.dumps(document, default=str) + "\n"
        descriptor = os.open(self.events, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def say(self, status: str, **more: Any) -> None:
        """Append what became of the job itself."""
        self.write({"event": "Job", "at": time.time(), "status": status, **more})

    def lines(self, place: int = 0) -> Iterator[Line]:
        """Yield the complete lines from a place on; from the first where none begins there."""
        try:
            file = self.events.open("rb")
        except FileNotFoundError:
            return
        with file:
            place = max(place, 0)
            if place:
                file.seek(place - 1)
                if file.read(1) != b"\n":
                    file.seek(0)
                    place = 0
            for line in file:
                if not line.endswith(b"\n"):
                    return  # still being written
                place += len(line)
                yield Line(place, line.decode("utf-8", "replace").rstrip("\n"))

    def log_tail(self) -> str:
        """Return the end of the log."""
        try:
            with self.log.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _LOG_TAIL))
                text = file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        return text if size <= _LOG_TAIL else text.partition("\n")[2]


class JournalListener:
    """Writes the events of a run into the journal, tasks done in quick succession together."""

    def __init__(self, journal: Journal) -> None:
        """Listen for the run of a job."""
        self._journal = journal
        self._began = self._said = time.monotonic()
        self._kept: TaskDone | None = None

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, TaskDone):
            self._kept = _together(self._kept, event)
            now = time.monotonic()
            pause = max(_EVERY_S, (now - self._began) * _SHARE)
            if now - self._said >= pause or event.tasks_done >= event.tasks:
                self._flush()
            return
        self._flush()
        self._journal.write(event.to_json())

    def _flush(self) -> None:
        if self._kept is not None:
            self._journal.write(self._kept.to_json())
            self._kept, self._said = None, time.monotonic()


def read_documents(journal: Journal) -> Iterator[dict[str, Any]]:
    """Yield all events as JSON values."""
    for line in journal.lines():
        document = json.loads(line.text)
        if isinstance(document, dict):
            yield document


def size_of(path: Path) -> int:
    """Return the size of a file, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _together(before: TaskDone | None, event: TaskDone) -> TaskDone:
    if before is None or before.name != event.name:
        return event
    return replace(
        event,
        voxels=before.voxels + event.voxels,
        bytes_read=before.bytes_read + event.bytes_read,
        bytes_written=before.bytes_written + event.bytes_written,
        seconds=before.seconds + event.seconds,
    )
