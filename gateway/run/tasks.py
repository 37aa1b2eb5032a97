"""Computes tasks: the same function in the local engine, in a batch script and in a container."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.errors import RunError
from gateway.run.estimate import PassPlan
from gateway.run.inputs import Prepared, prepare
from gateway.run.packing import pack_blocks
from gateway.run.plan import Plan
from gateway.run.staging import Staging
from gateway.run.tiling import tile_box
from gateway.toolkit.passes import Arrays, Pass, Work
from gateway.toolkit.registry import get_tool
from gateway.volumes.box import Box, cut_boxes
from gateway.volumes.dataset import entry_key
from gateway.volumes.digest import join_cells
from gateway.volumes.model import VolumeKind
from gateway.volumes.ref import Ref
from gateway.volumes.store import Store
from gateway.volumes.tensors import IoLimits
from gateway.volumes.writer import Reduce, VolumeWriter, Writing, open_writer

NO_BOX = Box((0, 0, 0), (0, 0, 0))
CELLS = "#cells."
"""Prefix of the cell hashes in a done-marker."""
OnBlock = Callable[[int, str], None]
"""Called before each block with its task and its box in words."""
_REDUCE: Mapping[VolumeKind, Reduce] = {"image": reduce_mean, "labels": reduce_mode}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """What one task did."""

    task: int
    seconds: float
    voxels: int
    bytes_read: int
    bytes_written: int


class States(Mapping[str, Arrays]):
    """Merged results of earlier passes, read from the staging folder when first asked for."""

    def __init__(self, staging: Staging, names: tuple[str, ...]) -> None:
        """Give access to the passes of these names."""
        self._staging = staging
        self._names = names
        self._read: dict[str, Arrays] = {}

    def __getitem__(self, name: str) -> Arrays:
        """Return the merged arrays of a pass."""
        if name not in self._names:
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = self._staging.state(name)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of earlier passes that ran."""
        return iter(self._names)

    def __len__(self) -> int:
        """Count earlier passes that ran."""
        return len(self._names)


@dataclass(slots=True, kw_only=True)
class Workspace:
    """A run as one process sees it: inputs open, tool unfolded, outputs open on demand."""

    plan: Plan
    staging: Staging
    prepared: Prepared
    limits: IoLimits
    _writers: dict[str, VolumeWriter] = field(default_factory=dict)

    @classmethod
    def open(cls, store: Store, run: Ref, limits: IoLimits) -> "Workspace":
        """Open a run by the name of its staging folder, which holds the plan.

        Raises:
            RunError: No run of that name was begun.
        """
        staging = Staging(store, run)
        document = staging.read_plan()
        if document is None:
            raise RunError(f"no run {run} was begun in {store.url}; start it with `gateway run`")
        plan = Plan.from_json(document)
        spec = get_tool(plan.call.tool)
        prepared = prepare(spec, plan.call, store, key=run.name, limits=limits)
        return cls(plan=plan, staging=staging, prepared=prepared, limits=limits)

    def refresh(self) -> None:
        """Read the plan again: the grid of a pass may have settled."""
        document = self.staging.read_plan()
        if document is not None:
            self.plan = Plan.from_json(document)

    def pass_plan(self, name: str) -> PassPlan:
        """Return the plan of a pass.

        Raises:
            RunError: The run has no such pass.
        """
        for item in self.plan.passes:
            if item.name == name:
                return item
        names = ", ".join(item.name for item in self.plan.passes)
        raise RunError(f"run {self.plan.run} has no pass {name!r}; it has {names}")

    def work(self, before: str, *, box: Box = NO_BOX, item: int = -1) -> Work:
        """Return what a function of a pass sees; `before` names the pass, '' sees all states."""
        names: list[str] = []
        for step in self.prepared.steps:
            if step.name == before:
                break
            names.append(step.name)
        return Work(
            box=box,
            item=item,
            inputs=self.prepared.handles,
            params=self.prepared.params,
            state=States(self.staging, tuple(names)),
            threads=self.limits.threads or len(os.sched_getaffinity(0)),
            folder=self._tiles_folder(),
        )

    def volume_key(self, port: str) -> str:
        """Return where the volume of an output port is staged."""
        kind = self.prepared.spec.outputs[port].kind
        final = entry_key(Ref("x", "x"), "labels" if kind == "labels" else "image")
        return self.staging.key("out", port + final.removeprefix("x/x"))

    def tiles_key(self, port: str) -> str:
        """Return where the tiles of an output port are staged."""
        return self.staging.key("out", port + entry_key(Ref("x", "x"), "tiles").removeprefix("x/x"))

    def _tiles_folder(self) -> Path | None:
        for port in self.prepared.made.grids:
            return self.staging.store.local_path(self.tiles_key(port))
        return None

    def reduce(self, port: str) -> Reduce:
        """Return what makes the coarse levels of an output port."""
        kind = self.prepared.spec.outputs[port].kind
        return _REDUCE["labels" if kind == "labels" else "image"]

    def writer(self, port: str) -> VolumeWriter:
        """Return the writer of an output port; the volume was created before."""
        if port not in self._writers:
            key, reduce = self.volume_key(port), self.reduce(port)
            self._writers[port] = open_writer(self.staging.store, key, reduce, limits=self.limits)
        return self._writers[port]


@dataclass(slots=True, kw_only=True)
class Started:
    """A task that is computed; its last shards may still be on their way to the storage."""

    _space: Workspace
    _name: str
    _task: int
    _arrays: dict[str, NDArray[Any]]
    _writings: list[Writing]
    _report: TaskReport

    def finish(self) -> TaskReport:
        """Wait for the shards and mark the task as done.

        Raises:
            StoreError: The storage failed.
        """
        waited = time.perf_counter()
        try:
            cells = [writing.wait() for writing in self._writings]
        finally:
            self.settle()
        if cells:
            arrays = join_cells(cells).arrays().items()
            self._arrays |= {CELLS + key: array for key, array in arrays}
        self._space.staging.mark_done(self._name, self._task, self._arrays)
        spent = time.perf_counter() - waited
        return replace(self._report, seconds=self._report.seconds + spent)

    def settle(self) -> None:
        """Let what is under way end, good or bad."""
        for writing in self._writings:
            writing.settle()


def run_task(space: Workspace, name: str, task: int, on_block: OnBlock) -> TaskReport:
    """Compute one task, write what it makes, and mark it as done.

    Raises:
        RunError: The work function returned something else than announced.
    """
    return start_task(space, name, task, on_block).finish()


def start_task(space: Workspace, name: str, task: int, on_block: OnBlock) -> Started:
    """Compute one task and begin to write what it makes.

    Doing a task twice, even at the same time, writes the same bytes twice.

    Args:
        space: The run.
        name: The pass.
        task: Index of the task.
        on_block: Told before each block.

    Raises:
        RunError: The work function returned something else than announced.
    """
    started = time.perf_counter()
    planned = space.pass_plan(name)
    if not 0 <= task < planned.tasks:
        raise RunError(f"pass {name!r} has no task {task}; there are 0 to {planned.tasks - 1}")
    writings: list[Writing] = []
    if planned.kind == "items":
        on_block(task, f"item {task}")
        step = space.prepared.step(name)
        arrays = pack_blocks([step.work(space.work(name, item=task))])
        box, read, written = NO_BOX, 0, 0
    else:
        moment, place = divmod(task, planned.tasks // planned.times)
        box = tile_box(planned.grid, planned.task, place)
        share = box.voxels / max(planned.voxels, 1)
        read, written = int(planned.bytes_read * share), int(planned.bytes_written * share)
        if planned.kind == "level":
            on_block(task, str(box))
            writer = space.writer(planned.writes or "")
            cells = writer.write_level(planned.level, box, time=moment)
            arrays = {CELLS + key: array for key, array in cells.arrays().items()}
        else:
            common = replace(space.work(name), time=moment, task=box if planned.streams else None)
            blocks = _Blocks(space, planned, writings)
            arrays = blocks.run(box, common, partial(on_block, task))
    seconds = time.perf_counter() - started
    report = TaskReport(
        task=task, seconds=seconds, voxels=box.voxels, bytes_read=read, bytes_written=written
    )
    return Started(
        _space=space, _name=name, _task=task, _arrays=arrays, _writings=writings, _report=report
    )


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Computes the blocks of a task and begins to write its shards."""

    space: Workspace
    planned: PassPlan
    writings: list[Writing]
    """Filled with what was begun; only the last one is not waited for."""

    def run(
        self, box: Box, common: Work, on_block: Callable[[str], None]
    ) -> dict[str, NDArray[Any]]:
        """Return what the blocks of a task gave beside voxels."""
        planned = self.planned
        step = self.space.prepared.step(planned.name)
        writer = self.space.writer(planned.writes) if planned.writes is not None else None
        whole: NDArray[Any] | None = None
        given: list[Arrays] = []
        try:
            for block in cut_boxes(box, planned.block):
                on_block(str(block))
                result = dict(step.work(replace(common, box=block)))
                voxels = result.pop("voxels", None)
                given.append(result)
                if writer is None:
                    continue
                checked = _check_voxels(step, voxels, block, writer)
                if block == box or planned.streams:
                    self._write(writer, block, checked, common.time)
                else:
                    if whole is None:
                        whole = np.empty((len(checked), *box.shape), checked.dtype)
                    whole[(slice(None), *block.slices(box.start))] = checked
            if writer is not None and whole is not None:
                self._write(writer, box, whole, common.time)
        except BaseException:
            for writing in self.writings:
                writing.settle()
            raise
        return pack_blocks(given)

    def _write(self, writer: VolumeWriter, box: Box, voxels: NDArray[Any], moment: int) -> None:
        begun = writer.start(box, np.ascontiguousarray(voxels), time=moment)
        if self.writings:
            self.writings[-1].wait()
        self.writings.append(begun)


def _check_voxels(step: Pass, voxels: Any, block: Box, writer: VolumeWriter) -> NDArray[Any]:
    info = writer.info
    expected = (len(info.channels), *block.shape)
    if voxels is None:
        raise RunError(f"the work of pass {step.name!r} gave no 'voxels', though it writes")
    array = np.asarray(voxels)
    given = array[np.newaxis] if array.ndim == 3 else array  # noqa: PLR2004
    if given.shape != expected or given.dtype != np.dtype(info.dtype):
        raise RunError(
            f"the work of pass {step.name!r} gave {array.dtype} voxels of shape {array.shape}; "
            f"expected {info.dtype} of shape czyx {expected}"
        )
    return given
