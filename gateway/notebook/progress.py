"""A running job in a notebook: a bar, the time left, a button to stop it."""

import sys
from collections.abc import Mapping
from typing import Any

from gateway.client.job import Job


def follow(job: Job) -> Job:
    """Wait for a job, showing how far it is: a widget in a notebook, lines elsewhere.

    Raises:
        RunError: It failed; says why.
        RunCancelledError: It was stopped.
    """
    return job.wait(_widget(job) if in_notebook() else _line)


def in_notebook() -> bool:
    """Whether this runs in a kernel that shows widgets."""
    shell = sys.modules.get("IPython")
    active = shell.get_ipython() if shell is not None else None
    return active is not None and hasattr(active, "kernel")


def _line(state: Mapping[str, Any]) -> None:
    print(f"{state['tool']}: {_words(state)}", file=sys.stderr)  # noqa: T201 - its purpose


def _widget(job: Job) -> Any:
    import ipywidgets  # noqa: PLC0415 - an extra
    from IPython.display import display  # noqa: PLC0415 - as above

    bar = ipywidgets.FloatProgress(min=0, max=1, description=job.state["tool"])
    words = ipywidgets.Label()
    stop = ipywidgets.Button(description="Stop", tooltip="what is done is kept")
    stop.on_click(lambda _: job.cancel())
    display(ipywidgets.HBox([bar, words, stop]))  # type: ignore[no-untyped-call]

    def show(state: dict[str, Any]) -> None:
        bar.value = fraction(state)
        words.value = _words(state)
        bar.bar_style = {"done": "success", "failed": "danger"}.get(state["status"], "")
        stop.disabled = state["status"] not in ("queued", "running")

    return show


def fraction(state: Mapping[str, Any]) -> float:
    """Return how far a job is, from 0 to 1; every pass counts the same."""
    if state["status"] == "done":
        return 1.0
    progress = state.get("progress") or {}
    passes = progress.get("passes") or []
    done = sum(one["done"] / max(one["tasks"], 1) for one in passes)
    return float(min(1.0, done / max(len(progress.get("names") or passes), 1)))


def _words(state: Mapping[str, Any]) -> str:
    if state["status"] != "running":
        return str(state["status"])
    passes = (state.get("progress") or {}).get("passes") or [{}]
    left = passes[-1].get("left_s")
    ahead = f", {left:.0f} s left in {passes[-1]['name']}" if left is not None else ""
    return f"{fraction(state):.0%}{ahead}"
