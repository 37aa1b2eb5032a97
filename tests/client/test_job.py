"""A job is waited for: each way of ending has its own outcome."""

from typing import Any

import pytest

from gateway.client.job import Job
from gateway.errors import RunCancelledError, RunError


class Told:
    """Jobs whose states are given beforehand."""

    def __init__(self, *states: dict[str, Any]) -> None:
        self.states = list(states)
        self.stopped = False

    def read(self, job: str) -> dict[str, Any]:
        found = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if found["status"] == "ctrl-c":
            raise KeyboardInterrupt
        return {"id": job, **found}

    def log(self, job: str) -> str:
        return job

    def cancel(self, job: str) -> dict[str, Any]:
        self.stopped = True
        return {"id": job, "status": "cancelled"}

    def resume(self, job: str) -> dict[str, Any]:
        return {"id": job, "status": "queued"}


def state(status: str, error: str | None = None) -> dict[str, Any]:
    return {"status": status, "error": error, "run": None, "tool": "t", "call": {"outputs": {}}}


def job(*states: dict[str, Any]) -> Job:
    return Job(Told(*states), {"id": "j1", **states[0]})


def test_it_tells_every_change_and_ends_done() -> None:
    heard: list[str] = []
    waited = job(state("queued"), state("running"), state("running"), state("done"))
    assert waited.wait(lambda now: heard.append(now["status"])).status == "done"
    assert heard == ["queued", "running", "done"]


def test_a_failure_says_why() -> None:
    with pytest.raises(RunError, match="block 3 broke"):
        job(state("failed", "block 3 broke")).wait()
    with pytest.raises(RunError, match="j1 failed; its log says why"):
        job(state("failed")).wait()


@pytest.mark.parametrize("status", ["cancelled", "interrupted"])
def test_what_was_stopped_can_go_on(status) -> None:
    stopped = job(state(status))
    with pytest.raises(RunCancelledError, match=f"was {status}; `resume"):
        stopped.wait()
    stopped.resume()
    assert stopped.status == "queued"


def test_waiting_ends_and_the_job_goes_on() -> None:
    waited = job(state("running"))
    with pytest.raises(TimeoutError, match="j1 is running"):
        waited.wait(timeout_s=0)
    assert not waited._jobs.stopped


def test_ctrl_c_stops_the_job() -> None:
    waited = job(state("running"), state("ctrl-c"))
    with pytest.raises(KeyboardInterrupt):
        waited.wait()
    assert waited.status == "cancelled"
