"""A job that was asked for: watched, waited for, stopped."""

import time
from collections.abc import Callable
from typing import Any, Protocol

from gateway.errors import RunCancelledError, RunError

_LOOK_S = 0.3


class Jobs(Protocol):
    """Where jobs are asked about; both kinds of session have one."""

    def read(self, job: str) -> dict[str, Any]:
        """Return a job's state with its progress."""
        ...

    def log(self, job: str) -> str:
        """Return the end of its log."""
        ...

    def cancel(self, job: str) -> dict[str, Any]:
        """Stop it."""
        ...

    def resume(self, job: str) -> dict[str, Any]:
        """Let it go on."""
        ...


class Job:
    """A call that is waiting, running, or has ended."""

    def __init__(self, jobs: Jobs, state: dict[str, Any]) -> None:
        """Take the state a session was told."""
        self._jobs = jobs
        self._state = state

    @property
    def id(self) -> str:
        """Id of the job."""
        return str(self._state["id"])

    @property
    def status(self) -> str:
        """`queued`, `running`, `done`, `failed`, `cancelled` or `interrupted`, when last asked."""
        return str(self._state["status"])

    @property
    def run(self) -> str | None:
        """Id of the run that it led to."""
        run: str | None = self._state["run"]
        return run

    @property
    def outputs(self) -> dict[str, str]:
        """Output port to ref."""
        return dict(self._state["call"]["outputs"])

    @property
    def state(self) -> dict[str, Any]:
        """Everything that was last told of it."""
        return self._state

    def refresh(self) -> dict[str, Any]:
        """Ask for the state as it is now, with its progress."""
        self._state = self._jobs.read(self.id)
        return self._state

    def log(self) -> str:
        """Return the end of its log."""
        return self._jobs.log(self.id)

    def wait(
        self, progress: Callable[[dict[str, Any]], None] | None = None, timeout_s: float = 1e9
    ) -> "Job":
        """Wait for the end; Ctrl-C stops the job and is then raised.

        Args:
            progress: Told the state whenever it has changed.
            timeout_s: After so many seconds the job goes on, but the waiting ends.

        Raises:
            RunError: It failed; says why.
            RunCancelledError: It was stopped.
            TimeoutError: It has not ended yet.
        """
        deadline = time.monotonic() + timeout_s
        told: dict[str, Any] = {}
        try:
            while True:
                state = self.refresh()
                if progress is not None and state != told:
                    progress(state)
                    told = state
                if state["status"] not in ("queued", "running"):
                    return self._ended()
                if time.monotonic() > deadline:
                    raise TimeoutError(f"the job {self.id} is {self.status} after {timeout_s:g} s")
                time.sleep(_LOOK_S)
        except KeyboardInterrupt:
            self.cancel()
            raise

    def cancel(self) -> None:
        """Stop it; what it has done is kept."""
        self._state = {**self._state, **self._jobs.cancel(self.id)}

    def resume(self) -> None:
        """Let it go on where it stopped."""
        self._state = {**self._state, **self._jobs.resume(self.id)}

    def _ended(self) -> "Job":
        if self.status == "done":
            return self
        reason = str(self._state.get("error") or "").strip()
        if self.status == "failed":
            raise RunError(reason or f"the job {self.id} failed; its log says why")
        raise RunCancelledError(
            f"the job {self.id} was {self.status}; `resume()` lets it go on where it stopped"
        )

    def __repr__(self) -> str:
        """Describe the job in one line."""
        return f"<Job {self.id}: {self._state['tool']}, {self.status}>"
