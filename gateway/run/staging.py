"""The staging folder of a run: its plan, done-markers, merged states and unfinished outputs.

It is all that a run needs to go on after it was stopped: nothing is remembered elsewhere.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from gateway.errors import CorruptionError, NotFoundError, StoreError
from gateway.run.packing import from_bytes, to_bytes
from gateway.toolkit.passes import Arrays
from gateway.volumes.dataset import STAGING, staging_key
from gateway.volumes.keys import join_key
from gateway.volumes.ref import Ref, parse_dataset
from gateway.volumes.store import Store

_PLAN = "plan.json"
_RESULT = "result.json"
_LOG = "run.log"


@dataclass(frozen=True, slots=True)
class Staging:
    """One staging folder: `<dataset>/.staging/<key>`."""

    store: Store
    run: Ref
    """Dataset and key: `m1/0123456789abcdef`."""

    def key(self, *parts: str) -> str:
        """Return the key in the store of something in this folder."""
        return join_key(staging_key(self.run.dataset, self.run.name), *parts)

    def read_plan(self) -> dict[str, Any] | None:
        """Return the plan kept here, or None where no run began."""
        return self._read_json(_PLAN)

    def require_plan(self) -> None:
        """Check that the storage is still the one the run began on.

        An unplugged disk may leave an empty folder behind, which a write under way fills anew.

        Raises:
            StoreError: The plan is gone, and with it the storage.
        """
        if self.read_plan() is None:
            raise StoreError(
                f"store {self.store.url} has vanished: what run {self.run} began there is gone; "
                "mount the share again, then run the same command to continue"
            )

    def write_plan(self, document: dict[str, Any]) -> None:
        """Keep the plan."""
        self._write_json(_PLAN, document)

    def read_result(self) -> dict[str, Any] | None:
        """Return what a run that only has to publish is about to publish, else None."""
        return self._read_json(_RESULT)

    def write_result(self, document: dict[str, Any]) -> None:
        """Mark the run as complete but for publishing."""
        self._write_json(_RESULT, document)

    def write_log(self, text: str) -> str:
        """Keep the story of a failure; returns where."""
        self.store.put(self.key(_LOG), text.encode())
        return self.key(_LOG)

    def done_tasks(self, name: str) -> frozenset[int]:
        """Return the tasks of a pass that carry a done-marker."""
        files = self.store.list(self.key("done", name)).files
        names = (file.removesuffix(".npz") for file in files if file.endswith(".npz"))
        return frozenset(int(task) for task in names if task.isdigit())

    def mark_done(self, name: str, task: int, arrays: Arrays) -> None:
        """Mark a task as done, with what its blocks gave; marking again changes nothing."""
        self.store.put(self.key("done", name, f"{task}.npz"), to_bytes(arrays))

    def marker(self, name: str, task: int) -> dict[str, NDArray[Any]]:
        """Return what a done task gave."""
        return self._read_arrays("done", name, f"{task}.npz")

    def markers(self, name: str, tasks: int) -> Iterator[dict[str, NDArray[Any]]]:
        """Yield what every task of a pass gave, one at a time, in the order of the tasks."""
        for task in range(tasks):
            yield self.marker(name, task)

    def is_merged(self, name: str) -> bool:
        """Whether the result of a pass is merged."""
        return self.store.exists(self.key("merged", f"{name}.npz"))

    def write_state(self, name: str, arrays: Arrays) -> None:
        """Keep the merged result of a pass."""
        self.store.put(self.key("merged", f"{name}.npz"), to_bytes(arrays))

    def state(self, name: str) -> dict[str, NDArray[Any]]:
        """Return the merged result of a pass."""
        return self._read_arrays("merged", f"{name}.npz")

    def delete(self) -> None:
        """Remove the folder, and the folder of all stagings where it is empty."""
        self.store.delete(self.key())
        parent = self.key().rpartition("/")[0]
        listing = self.store.list(parent)
        if not (listing.folders or listing.files):
            self.store.delete(parent)

    def _read_arrays(self, *parts: str) -> dict[str, NDArray[Any]]:
        key = self.key(*parts)
        return from_bytes(self.store.get(key), key)

    def _read_json(self, name: str) -> dict[str, Any] | None:
        try:
            document = json.loads(self.store.get(self.key(name)))
        except NotFoundError:
            return None
        except ValueError as error:
            raise CorruptionError(
                f"{self.key(name)} is no JSON: {error}; delete {self.key()} to begin anew"
            ) from error
        return document if isinstance(document, dict) else None

    def _write_json(self, name: str, document: dict[str, Any]) -> None:
        self.store.put(self.key(name), f"{json.dumps(document, indent=1)}\n".encode())


def list_stagings(store: Store, dataset: str) -> list[Staging]:
    """Return the staging folders of a dataset: those of runs under way and of stopped ones.

    Raises:
        StoreError: The storage failed.
    """
    names = store.list(f"{parse_dataset(dataset)}/{STAGING}").folders
    return [Staging(store, Ref(dataset, name)) for name in names]
