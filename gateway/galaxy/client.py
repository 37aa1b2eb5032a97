"""A Galaxy from outside: sends volrefs to it, runs workflows, fetches what they made."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests
from bioblend import ConnectionError as BioblendError
from bioblend.galaxy import GalaxyInstance
from bioblend.galaxy.datasets import DatasetStateException
from blake3 import blake3

from gateway.errors import CallError, NotFoundError, RunError, StoreError
from gateway.galaxy.formats import datatype
from gateway.galaxy.volref import Volref

_LOOK_S = 2.0
_GOOD = frozenset({"ok"})
_BAD = frozenset({"error", "failed", "deleted", "paused", "discarded", "stopped"})
_INPUTS = ("data_input", "data_collection_input", "parameter_input")
Listener = Callable[["Step"], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What became of one step of a workflow."""

    name: str
    tool: str
    job: str
    state: str
    """Galaxy's word: new, queued, running, ok, error…"""
    reason: str = ""
    """Why it failed: the first line that the job wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A workflow that was set going."""

    id: str
    workflow: str
    history: str
    outputs: tuple[str, ...] = field(default=())
    """Labels of what it gives."""


class GalaxyClient:
    """One Galaxy, as one of its users."""

    def __init__(self, url: str, key: str) -> None:
        """Use the Galaxy at `url` with the API key of a user."""
        self._url = url.rstrip("/")
        self._galaxy = GalaxyInstance(self._url, key=key)

    @property
    def url(self) -> str:
        """Its address."""
        return self._url

    def history(self, name: str) -> str:
        """Return the id of the history of that name; it is made where there is none."""
        with self._asking():
            found = self._galaxy.histories.get_histories(name=name)
            made = found[0] if found else self._galaxy.histories.create_history(name)
        return str(made["id"])

    def send(self, volrefs: Sequence[Volref], history: str) -> list[str]:
        """Put things of the store into a history, by name, all at once.

        Args:
            volrefs: What to send.
            history: Id of the history.

        Returns:
            The ids of its datasets, in the order given.

        Raises:
            RunError: Galaxy did not take one.
        """
        items = [
            {
                "src": "pasted",
                "paste_content": volref.to_text(),
                "ext": datatype(volref.kind),
                "name": volref.ref,
            }
            for volref in volrefs
        ]
        target = {"destination": {"type": "hdas"}, "items": items}
        with self._asking():
            answer = self._galaxy.make_post_request(
                f"{self._url}/api/tools/fetch", {"history_id": history, "targets": [target]}
            )
        made = [str(output["id"]) for output in answer["outputs"]]
        for dataset in made:
            self._wait_dataset(dataset)
        return made

    def publish_workflow(self, document: str, *, published: bool = False) -> str:
        """Import a workflow file, or find the same one of before; returns its id.

        Args:
            document: Content of a `.gxwf.yml` file.
            published: Whether all users see it.
        """
        mark = f"gateway{blake3(document.encode()).hexdigest(12)}"
        with self._asking():
            for found in self._galaxy.workflows.get_workflows():
                if mark in (found.get("tags") or []):
                    return str(found["id"])
            imported = self._galaxy.workflows.import_workflow_dict({"yaml_content": document})
            self._galaxy.workflows.update_workflow(imported["id"], tags=[mark], published=published)
        return str(imported["id"])

    def find_workflow(self, name: str) -> str:
        """Return the id of a workflow by its name, or by its id.

        Raises:
            NotFoundError: There is none of that name; says which there are.
        """
        with self._asking():
            known = self._galaxy.workflows.get_workflows()
        for workflow in known:
            if name in (workflow["id"], workflow["name"]):
                return str(workflow["id"])
        names = ", ".join(sorted(repr(workflow["name"]) for workflow in known)) or "none"
        raise NotFoundError(f"Galaxy has no workflow {name!r}; there is {names}")

    def inputs(self, workflow: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the labels of all inputs of a workflow, and of those that are datasets."""
        with self._asking():
            steps = self._galaxy.workflows.export_workflow_dict(workflow)["steps"].values()
        kinds = {s["label"]: s["type"] for s in steps if s["type"] in _INPUTS}
        return tuple(kinds), tuple(n for n, kind in kinds.items() if kind == "data_input")

    def invoke(self, workflow: str, inputs: Mapping[str, Any], history: str) -> Invocation:
        """Set a workflow going.

        Args:
            workflow: Its id.
            inputs: Label of an input to the id of a dataset, prefixed with `dataset:`, or to the
                value of a parameter. Labels may be shortened to their beginning, in any case.
            history: Id of the history that gets the results.

        Raises:
            CallError: It has no such input, or lacks one.
        """
        with self._asking():
            described = self._galaxy.workflows.show_workflow(workflow)
            labels = [item["label"] for item in described["inputs"].values()]
            given = {match_label(name, labels): _input(v) for name, v in inputs.items()}
            answer = self._galaxy.workflows.invoke_workflow(
                workflow, inputs=given, history_id=history, inputs_by="name"
            )
        return Invocation(id=answer["id"], workflow=described["name"], history=history)

    def follow(self, invocation: Invocation, listeners: tuple[Listener, ...] = ()) -> None:
        """Wait until a workflow is done, and tell of every step that changes.

        Raises:
            RunError: A step failed; says which, and why.
        """
        told: dict[str, str] = {}
        while True:
            steps, scheduled = self._steps(invocation)
            for step in steps:
                if told.get(step.job) != step.state:
                    told[step.job] = step.state
                    for listener in listeners:
                        listener(step)
            _raise_failed(invocation, steps)
            if scheduled and all(step.state in _GOOD for step in steps):
                return
            time.sleep(_LOOK_S)

    def results(self, invocation: Invocation) -> dict[str, Volref]:
        """Return what a workflow that is done made, by the labels of its outputs."""
        with self._asking():
            outputs = self._galaxy.invocations.show_invocation(invocation.id)["outputs"]
        return {label: self.fetch(output["id"]) for label, output in outputs.items()}

    def find_dataset(self, item: str | int, history: str | None = None) -> str:
        """Return the id of an item of a history: the latest of that number, name or id.

        Args:
            item: Its number in the history, its name, or its id.
            history: Name of the history; None takes the one used last.

        Raises:
            NotFoundError: There is no such history, or no such item; says which there are.
        """
        with self._asking():
            if history is None:
                place = self._galaxy.histories.get_most_recently_used_history()
            else:
                found = self._galaxy.histories.get_histories(name=history)
                if not found:
                    raise NotFoundError(f"Galaxy has no history {history!r} of yours")
                place = found[0]
            items = self._galaxy.histories.show_history(
                place["id"], contents=True, deleted=False, visible=True
            )
        return pick_item(item, items)

    def fetch(self, dataset: str) -> Volref:
        """Return the volref that a dataset of a history is.

        Raises:
            FormatError: It is none.
        """
        with self._asking():
            content = self._galaxy.datasets.download_dataset(dataset)
        return Volref.from_text(content.decode(), f"dataset {dataset}")

    def cancel(self, invocation: Invocation) -> None:
        """Stop a workflow and the jobs it has under way."""
        with self._asking():
            self._galaxy.invocations.cancel_invocation(invocation.id)
            for step in self._steps(invocation)[0]:
                if step.state not in _GOOD | _BAD:
                    self._galaxy.jobs.cancel_job(step.job)

    def _steps(self, invocation: Invocation) -> tuple[list[Step], bool]:
        with self._asking():
            shown = self._galaxy.invocations.show_invocation(invocation.id)
            if shown["state"] in ("failed", "cancelled", "cancelling"):
                messages = "; ".join(str(m.get("reason", m)) for m in shown.get("messages", []))
                raise RunError(
                    f"the workflow {invocation.workflow!r} is {shown['state']}: "
                    f"{messages or 'Galaxy says no more'}"
                )
            steps = []
            for item in shown["steps"]:
                if not item.get("job_id"):
                    continue
                job = self._galaxy.jobs.show_job(item["job_id"], full_details=True)
                steps.append(_step(item, job))
        return steps, shown["state"] in ("scheduled", "completed")

    def _wait_dataset(self, dataset: str) -> None:
        while True:
            with self._asking():
                shown = self._galaxy.datasets.show_dataset(dataset)
            if shown["state"] in _GOOD:
                return
            if shown["state"] in _BAD:
                said = shown.get("misc_info") or shown["state"]
                raise RunError(f"Galaxy did not take the dataset in: {said}")
            time.sleep(_LOOK_S)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Say what is wrong with a request in the gateway's own errors."""
        try:
            yield
        except (BioblendError, DatasetStateException, requests.RequestException) as error:
            body = getattr(error, "body", None)
            said = str(body or error).strip().splitlines()[0][:300]
            raise StoreError(f"the Galaxy at {self._url} did not do it: {said}") from error


def _raise_failed(invocation: Invocation, steps: Sequence[Step]) -> None:
    # what comes after a step that failed is paused, and says nothing of why
    failed = sorted((s for s in steps if s.state in _BAD), key=lambda step: step.state == "paused")
    if failed:
        step = failed[0]
        raise RunError(
            f"the workflow {invocation.workflow!r} stopped at {step.name!r}: "
            f"{step.reason or step.state}"
        )


def pick_item(item: str | int, items: Sequence[Mapping[str, Any]]) -> str:
    """Return the id of the latest item of a history that is meant.

    Raises:
        NotFoundError: None is; says which there are.
    """
    for known in reversed(items):
        if item == known["hid"] if isinstance(item, int) else item in (known["name"], known["id"]):
            return str(known["id"])
    names = ", ".join(f"{known['hid']}: {known['name']!r}" for known in items) or "none"
    raise NotFoundError(f"the history has no item {item!r}; there is {names}")


def match_label(name: str, labels: Sequence[str]) -> str:
    """Return the label that a name means: itself, or the one that it begins, in any case.

    Raises:
        CallError: None, or several.
    """
    if name in labels:
        return name
    close = [label for label in labels if label.lower().startswith(name.lower())]
    if len(close) == 1:
        return close[0]
    known = ", ".join(repr(label) for label in labels)
    raise CallError(f"the workflow has no input {name!r}; there is {known}")


def _input(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("dataset:"):
        return {"src": "hda", "id": value.removeprefix("dataset:")}
    return value


def _step(item: Mapping[str, Any], job: Mapping[str, Any]) -> Step:
    said = (job.get("tool_stderr") or job.get("stderr") or "").strip().splitlines()
    return Step(
        name=item.get("workflow_step_label") or job["tool_id"],
        tool=job["tool_id"],
        job=job["id"],
        state=job["state"],
        reason=said[0] if said else "",
    )
