"""How far a job is: its events folded into passes, rate and time left."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class PassProgress:
    """One pass of a run."""

    name: str
    tasks: int
    done: int
    before: int
    """Done by an earlier execution."""
    voxels: int
    """Of the whole pass; 0 for passes that count items."""
    began: float
    ended: float | None = None
    computed: int = 0
    """Voxels computed by this execution."""
    seen: float = 0.0

    @property
    def rate(self) -> float | None:
        """Voxels per second of this execution."""
        spent = (self.ended or self.seen) - self.began
        return self.computed / spent if self.computed and spent > 0 else None

    @property
    def left_s(self) -> float | None:
        """Seconds until the pass is done, as far as its tasks so far tell."""
        made, spent = self.done - self.before, self.seen - self.began
        if self.ended is not None or made < 1 or spent <= 0:
            return None
        return (self.tasks - self.done) * spent / made

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {**asdict(self), "rate": self.rate, "left_s": self.left_s}


@dataclass(slots=True)
class Progress:
    """A whole execution: the last one, where a job went on after a stop."""

    run: str | None = None
    passes: list[PassProgress] = field(default_factory=list)
    names: tuple[str, ...] = ()
    workers: int = 0
    resumed: bool = False
    waiting: str | None = None
    """What it waits for before it starts: GPUs that others hold."""
    retries: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)

    def take(self, document: dict[str, Any]) -> None:
        """Take in one event."""
        handle = getattr(self, f"_on_{str(document.get('event', '')).lower()}", None)
        if handle is not None:
            handle(document)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "run": self.run,
            "names": list(self.names),
            "workers": self.workers,
            "resumed": self.resumed,
            "waiting": self.waiting,
            "retries": self.retries,
            "outputs": self.outputs,
            "passes": [item.to_json() for item in self.passes],
        }

    def _on_runwaiting(self, event: dict[str, Any]) -> None:
        self.waiting = event["reason"]

    def _on_runstarted(self, event: dict[str, Any]) -> None:
        self.run = event["run_id"]
        self.names = tuple(event["passes"])
        self.workers, self.resumed = event["workers"], event["resumed"]
        self.passes, self.retries, self.waiting = [], [], None

    def _on_passstarted(self, event: dict[str, Any]) -> None:
        self._end(event["at"])
        self.passes.append(
            PassProgress(
                name=event["name"],
                tasks=event["tasks"],
                done=event["tasks_done"],
                before=event["tasks_done"],
                voxels=event["voxels"],
                began=event["at"],
                seen=event["at"],
            )
        )

    def _on_taskdone(self, event: dict[str, Any]) -> None:
        if self.passes:
            now = self.passes[-1]
            now.done, now.seen = event["tasks_done"], event["at"]
            now.computed += event["voxels"]

    def _on_taskretried(self, event: dict[str, Any]) -> None:
        self.retries.append(
            f"a worker died at {event['name']} {event['block']} (attempt {event['attempt']}): "
            f"{event['reason']}"
        )

    def _on_runfinished(self, event: dict[str, Any]) -> None:
        self._end(event["at"])
        self.outputs = event["outputs"]

    def _end(self, at: float) -> None:
        if self.passes and self.passes[-1].ended is None:
            self.passes[-1].ended = at


def fold(documents: Iterable[dict[str, Any]]) -> Progress:
    """Return how far the events tell that a job is."""
    progress = Progress()
    for document in documents:
        progress.take(document)
    return progress
