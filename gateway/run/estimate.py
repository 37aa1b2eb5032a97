"""What a pass costs: tasks, blocks, bytes and memory, before a byte is read."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np

from gateway.errors import PlanError
from gateway.run.inputs import Prepared
from gateway.run.tiling import (
    PROCESS_BYTES,
    Cost,
    choose_block,
    overhead,
    quiet_task,
    round_up,
    smallest_block,
    tiles_count,
    voxels_with_halo,
    worker_bytes,
)
from gateway.toolkit.passes import Blocks, Items, Pass
from gateway.volumes.box import Shape
from gateway.volumes.layout import CELL, choose_layout, derived_count, relative_factor
from gateway.volumes.model import Level, VolumeInfo
from gateway.volumes.store import Store

_LEVEL_PIECE_VOXELS = 128**3
_CUT_COST = 0.1
_IMAGE_SHRINKS, _LABELS_SHRINK = 0.5, 0.05
"""The most that compression is hoped to save: a plan is refused only if even that will not do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassPlan:
    """What one pass will do."""

    name: str
    step: str
    """The pass of the tool that it is, or whose volume it makes coarser."""
    kind: Literal["blocks", "items", "level"]
    writes: str | None
    """The output port whose volume it fills."""
    level: int = 0
    """Which level it fills."""
    grid: Shape = (0, 0, 0)
    task: Shape = (0, 0, 0)
    """Voxels of one task: whole shards where the pass writes."""
    block: Shape = (0, 0, 0)
    """Voxels computed at once, halo left out."""
    halo: Shape = (0, 0, 0)
    tasks: int
    blocks: int
    voxels: int
    bytes_read: int
    bytes_written: int
    labels: bool = False
    bytes_per_voxel: float = 0.0
    written_per_voxel: int = 0
    read_per_voxel: int = 0
    streams: bool = False
    """The input of a task is read at once and kept; each block is written by itself."""
    amplified: float = 1.0
    """How many times the input is decoded."""
    times: int = 1
    """Time points; the tasks of one come after those of the one before."""
    fixed_bytes: int = 0
    """Working memory of an item, or of a level's pieces."""
    worker_bytes: int = 0
    workers: int = 1
    """How many run it at once."""
    settles: bool = False
    """The grid is an estimate until earlier passes are merged."""
    pinned: bool = False
    """The tasks are those of an earlier execution."""
    done: int = 0
    """Tasks done by an earlier execution."""

    @property
    def cost(self) -> Cost:
        """What the pass needs per voxel."""
        return Cost(
            halo=self.halo,
            bytes_per_voxel=self.bytes_per_voxel,
            written_per_voxel=self.written_per_voxel,
            streams=self.streams,
        )

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` and JSON made of a pass."""
        values = dict(document)
        for name in ("grid", "task", "block", "halo"):
            values[name] = tuple(values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Pinned:
    """Tasks that an earlier execution fixed: its done-markers count in them."""

    tasks: Mapping[str, Shape]
    """Pass to shape of task; passes whose grid is not settled are left out."""

    @classmethod
    def of(cls, plan: Mapping[str, Any] | None) -> Self:
        """Read the tasks of a plan that is kept in a staging folder."""
        passes = plan["passes"] if plan is not None else []
        return cls({p["name"]: tuple(p["task"]) for p in passes if p["pinned"] or not p["settles"]})


def plan_step(
    step: Pass,
    prepared: Prepared,
    *,
    workers: int,
    layout_bytes: int,
    block: Shape | None,
    pinned: Pinned,
    over: Blocks | None = None,
) -> tuple[PassPlan, ...]:
    """Cut one pass of a tool into tasks, with the passes that make its coarse levels.

    Args:
        step: The pass.
        prepared: The call it belongs to.
        workers: How many to keep busy.
        layout_bytes: Memory the layout of a volume is chosen for.
        block: The block the user wants; None leaves the choice to `fit_workers`.
        pinned: Tasks to keep.
        over: The true grid of a pass that settles; None plans with the estimate.
    """
    where = over or step.over
    if isinstance(where, Items):
        return (_plan_items(step.name, where),)
    port = prepared.writes(step)
    grid = where.grid
    levels = written_levels(where, layout_bytes) if port is not None else ()
    task = pinned.tasks.get(step.name) or _task(where, levels, workers, block)
    shard = round_up(levels[0].shard, levels[0].shard, grid.shape) if levels else task
    streams = bool(levels) and block is None and task != shard
    pixel = np.dtype(grid.dtype).itemsize * len(grid.channels)
    derived = sum(math.prod(level.shape) for level in levels[: derived_count(levels) + 1])
    planned = PassPlan(
        name=step.name,
        step=step.name,
        kind="blocks",
        writes=port,
        grid=grid.shape,
        task=task,
        block=shard if streams else task,
        halo=where.halo_voxels,
        tasks=tiles_count(grid.shape, task) * grid.times,
        blocks=0,
        voxels=math.prod(grid.shape) * grid.times,
        bytes_read=0,
        bytes_written=derived * pixel * grid.times,
        streams=streams,
        times=grid.times,
        labels=grid.kind == "labels",
        bytes_per_voxel=step.bytes_per_voxel,
        written_per_voxel=pixel if port is not None else 0,
        read_per_voxel=_read_bytes(prepared),
        settles=step.settle is not None and over is None,
        pinned=step.name in pinned.tasks,
    )
    base = _with_block(planned, _clip(block, task) if block else planned.block)
    return (base, *_plan_levels(base, levels, pixel))


def _plan_items(name: str, items: Items) -> PassPlan:
    return PassPlan(
        name=name,
        step=name,
        kind="items",
        writes=None,
        tasks=items.count,
        blocks=items.count,
        voxels=0,
        bytes_read=0,
        bytes_written=0,
        fixed_bytes=items.bytes_each,
    )


def _plan_levels(base: PassPlan, levels: tuple[Level, ...], pixel: int) -> Iterator[PassPlan]:
    for number in range(derived_count(levels) + 1, len(levels)):
        finer, level = levels[number - 1 : number + 1]
        tasks = tiles_count(level.shape, level.shard) * base.times
        piece = _LEVEL_PIECE_VOXELS * math.prod(relative_factor(finer, level)) * pixel
        yield PassPlan(
            name=f"{base.name}.level{number}",
            step=base.name,
            kind="level",
            writes=base.writes,
            level=number,
            grid=level.shape,
            task=level.shard,
            block=level.shard,
            tasks=tasks,
            blocks=tasks,
            voxels=math.prod(level.shape) * base.times,
            bytes_read=math.prod(finer.shape) * pixel * base.times,
            bytes_written=math.prod(level.shape) * pixel * base.times,
            times=base.times,
            labels=base.labels,
            written_per_voxel=pixel,
            fixed_bytes=2 * piece,
            settles=base.settles,
        )


def written_levels(over: Blocks, layout_bytes: int) -> tuple[Level, ...]:
    """Return the levels of a volume that a run writes."""
    return choose_layout(replace(over.grid, levels=()), layout_bytes, over.read_unit)


def fit_workers(
    passes: tuple[PassPlan, ...], wanted: int, memory: int, block: Shape | None
) -> tuple[int, tuple[PassPlan, ...]]:
    """Choose workers and blocks: the most work at once that fits in memory.

    Args:
        passes: The passes, with tasks.
        wanted: Workers at most.
        memory: Bytes for all processes together.
        block: The block the user fixed, if any.

    Raises:
        PlanError: One worker with the smallest block needs more; says how much.
    """
    most = max(1, min(wanted, max((item.tasks for item in passes), default=1)))
    best: tuple[float, int, tuple[PassPlan, ...]] | None = None
    for workers in range(most, 0, -1):
        parent = PROCESS_BYTES if workers > 1 else 0
        fitted = [_fit(item, (memory - parent) // workers, block) for item in passes]
        known = tuple(replace(item, workers=workers) for item in fitted if item is not None)
        if len(known) < len(passes):
            continue
        voxels = sum(item.voxels for item in known) or 1
        computed = sum(
            item.voxels * overhead(item.block, item.halo) * item.amplified
            for item in known
            if item.voxels
        )
        speed = workers / max(computed / voxels, 1.0)
        if best is None or speed > best[0]:
            best = (speed, workers, known)
    if best is None:
        raise _too_large(passes, memory, block)
    return best[1], best[2]


def check_disk(passes: tuple[PassPlan, ...], store: Store) -> None:
    """Refuse a run whose outputs cannot fit on disk, however well they compress.

    Raises:
        PlanError: Says how much is needed and how much is free.
    """
    free = store.free_bytes()
    least = sum(
        item.bytes_written
        * (1 - item.done / max(item.tasks, 1))
        * (_LABELS_SHRINK if item.labels else _IMAGE_SHRINKS)
        for item in passes
    )
    if free is not None and least > free:
        raw = sum(item.bytes_written for item in passes)
        raise PlanError(
            f"the outputs are {raw:,} bytes before compression and need {int(least):,} bytes on "
            f"disk at the very least; {store.url} has {free:,} bytes free: free some space, or "
            "choose another store"
        )


def _task(over: Blocks, levels: tuple[Level, ...], workers: int, block: Shape | None) -> Shape:
    grid = over.grid
    if levels:
        unit = levels[0].shard
        return round_up(block or _shape(map(max, unit, over.read_unit)), unit, grid.shape)
    chunk = grid.levels[0].chunk if grid.levels else (CELL, CELL, CELL)
    quiet = quiet_task(grid.shape, chunk, workers)
    if block is None:
        return quiet
    z, y, x = map(max, block, quiet)
    return round_up((z, y, x), chunk, grid.shape)


def _fit(item: PassPlan, budget: int, block: Shape | None) -> PassPlan | None:
    """Return the pass with a block and memory that keep to the budget, or None."""
    if item.kind != "blocks":
        shard = worker_bytes(item.cost, item.task, (0, 0, 0))
        need = shard + item.fixed_bytes
        return replace(item, worker_bytes=need) if need <= budget else None
    if block is not None:
        chosen: Shape | None = item.block
        need = worker_bytes(item.cost, item.task, item.block)
        return replace(item, worker_bytes=need) if need <= budget else None
    if item.streams:
        return _fit_slab(item, budget)
    chosen = choose_block(item.cost, item.task, budget)
    if chosen is None:
        return None
    fitted = _with_block(item, chosen)
    return replace(fitted, worker_bytes=worker_bytes(item.cost, item.task, chosen))


def _fit_slab(item: PassPlan, budget: int) -> PassPlan | None:
    """Return the pass with its task cut across y, then x, until what a task reads fits."""
    task = item.task
    while True:
        need = worker_bytes(item.cost, task, item.block)
        if need <= budget:
            # decoding a plane for each part costs a little more than waiting for fewer workers
            parts = tiles_count(item.task, task)
            cut = replace(item, task=task, tasks=tiles_count(item.grid, task) * item.times)
            cut = _with_block(cut, item.block)
            return replace(cut, worker_bytes=need, amplified=parts + _CUT_COST * (parts > 1))
        room = [axis for axis in (1, 2) if task[axis] > item.block[axis]]
        if not room or item.pinned:
            return None
        half = list(task)
        half[room[0]] = -(-half[room[0]] // 2)
        task = round_up(_shape(half), item.block, item.task)


def _with_block(item: PassPlan, block: Shape) -> PassPlan:
    full = math.prod(-(-t // b) for t, b in zip(item.task, block, strict=True))
    halves = voxels_with_halo(item.grid, block, item.halo) * item.times
    return replace(
        item, block=block, blocks=item.tasks * full, bytes_read=halves * item.read_per_voxel
    )


def _too_large(passes: tuple[PassPlan, ...], memory: int, block: Shape | None) -> PlanError:
    needs = {}
    for item in passes:
        fixed = block is not None or item.streams
        least = item.block if fixed else smallest_block(item.task)
        if item.kind != "blocks":
            least = (0, 0, 0)
        needs[item.name] = worker_bytes(item.cost, item.task, least) + item.fixed_bytes
    name = max(needs, key=lambda key: needs[key])
    worst = next(item for item in passes if item.name == name)
    if worst.kind == "blocks":
        fixed = block is not None or worst.streams
        shape = "x".join(map(str, worst.block if fixed else smallest_block(worst.task)))
        what = f"a block of {shape} voxels with a halo of {'x'.join(map(str, worst.halo))}"
    else:
        what = "one item" if worst.kind == "items" else "one shard"
    can_cut = worst.kind == "blocks" and block is not None
    fitting = choose_block(worst.cost, worst.task, memory) if can_cut else None
    smaller = f", or take blocks of {'x'.join(map(str, fitting))} voxels" if fitting else ""
    return PlanError(
        f"pass {name!r} needs {needs[name]:,} bytes of memory for one worker with {what}; the "
        f"limit is {memory:,}: set memory to {needs[name]:,} bytes or more{smaller}"
    )


def _shape(values: Iterable[int]) -> Shape:
    z, y, x = values
    return (z, y, x)


def _clip(block: Shape, task: Shape) -> Shape:
    z, y, x = map(min, block, task)
    return (z, y, x)


def _read_bytes(prepared: Prepared) -> int:
    """Return the bytes of all input volumes per voxel."""
    infos = (getattr(handle, "info", None) for handle in prepared.handles.values())
    return sum(
        np.dtype(info.dtype).itemsize * len(info.channels)
        for info in infos
        if isinstance(info, VolumeInfo)
    )
