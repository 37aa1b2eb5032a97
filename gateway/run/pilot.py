"""A pilot: one block of every pass is really computed and thrown away, to tell how long all take.

A pass that needs the merged result of an earlier one gets that of the earlier pilot block alone:
the work is the same, the numbers mean nothing. Nothing is written.
"""

import math
import time
from dataclasses import dataclass, replace
from typing import Any

from gateway.run.estimate import PassPlan
from gateway.run.inputs import Prepared, prepare
from gateway.run.plan import Plan
from gateway.run.staging import Staging
from gateway.run.tasks import Workspace
from gateway.run.tiling import overhead
from gateway.toolkit.passes import Arrays, Blocks, Pass, Work
from gateway.toolkit.registry import get_tool
from gateway.volumes.box import Box, Shape
from gateway.volumes.store import Store
from gateway.volumes.tensors import IoLimits

_PILOT_VOXELS = 128
"""Edge of the block that is computed: large enough for a rate, small enough to wait for."""
_WRITE_BYTES_S = 150e6
"""Raw bytes that one worker encodes and writes per second, levels included: typical of disks."""
_LOAD_S = 1.5
"""What a worker process needs until it computes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PassPilot:
    """What one pass was measured to take."""

    name: str
    block: Shape
    """Of the pilot; empty for an item."""
    seconds: float
    """Of one pilot block or item, after a first one that loaded what the tool needs."""
    total_s: float
    """Of the whole pass, by all workers together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long a run will take."""

    passes: tuple[PassPilot, ...]
    seconds: float
    """Of all passes that could be measured, and of writing."""
    unmeasured: tuple[str, ...]
    """Passes that could not be computed alone; their time is not in `seconds`."""


def measure(plan: Plan, store: Store) -> Estimate:
    """Compute one block of each pass of a plan and return how long the run will take.

    Raises:
        GatewayError: The inputs cannot be opened.
    """
    limits = IoLimits() if plan.workers == 1 else IoLimits(threads=1, requests=4)
    spec = get_tool(plan.call.tool)
    prepared = prepare(spec, plan.call, store, key=plan.run.name, limits=limits)
    staging = Staging(store, plan.run)
    space = Workspace(plan=plan, staging=staging, prepared=prepared, limits=limits)
    trial = _Trial(space)
    writing = sum(_left(item) * item.bytes_written for item in plan.passes) / _WRITE_BYTES_S
    for step in prepared.steps:
        if not trial.run(step):
            break
    measured = {item.name for item in trial.done}
    steps = [item.name for item in plan.passes if item.kind != "level"]
    computing = sum(item.total_s for item in trial.done)
    return Estimate(
        passes=tuple(trial.done),
        seconds=_LOAD_S + computing + writing / plan.workers,
        unmeasured=tuple(name for name in steps if name not in measured),
    )


class _Trial:
    """Computes one block of each pass, feeding each what the one before gave."""

    def __init__(self, space: Workspace) -> None:
        self._space = space
        self._plan = space.plan
        self._prepared: Prepared = space.prepared
        self._state: dict[str, Arrays] = {}
        self.done: list[PassPilot] = []

    def run(self, step: Pass) -> bool:
        """Measure a pass; False where it cannot be computed by itself."""
        planned = self._space.pass_plan(step.name)
        try:
            over = step.over if step.settle is None else step.settle(self._work(step))
            self._measure(step, planned, over)
        except Exception:  # noqa: BLE001 - a tool may refuse a state made of one block, in any way
            return False
        return True

    def _measure(self, step: Pass, planned: PassPlan, over: Any) -> None:
        box = _middle(over.grid.shape, planned.block) if isinstance(over, Blocks) else None
        work = self._work(step, box, item=0)
        result = dict(step.work(work))  # loads and compiles what the tool needs
        began = time.perf_counter()
        result = dict(step.work(work))
        seconds = time.perf_counter() - began
        if box is None:
            total, shape = seconds * planned.tasks, (0, 0, 0)
        else:
            shape = box.shape
            extra = overhead(planned.block, planned.halo) / overhead(shape, planned.halo)
            voxels = math.prod(over.grid.shape) * over.grid.times
            total = seconds / box.voxels * voxels * extra
        workers = min(planned.workers, max(planned.tasks, 1))
        total *= _left(planned) * planned.amplified / workers
        self.done.append(PassPilot(name=step.name, block=shape, seconds=seconds, total_s=total))
        self._keep(step, result)

    def _keep(self, step: Pass, result: dict[str, Any]) -> None:
        result.pop("voxels", None)
        whole = self._work(step)
        self._state[step.name] = step.merge([result], whole) if step.merge else result

    def _work(self, step: Pass, box: Box | None = None, item: int = -1) -> Work:
        work = self._space.work(step.name)
        state = dict(self._state)
        if box is None:
            return replace(work, state=state, item=item)
        return replace(work, state=state, box=box)


def _middle(grid: Shape, block: Shape) -> Box:
    """Return a block in the middle of a grid, where there most likely is something."""
    size = [min(n, b, _PILOT_VOXELS) for n, b in zip(grid, block, strict=True)]
    start = [(n - s) // 2 for n, s in zip(grid, size, strict=True)]
    stop = [a + s for a, s in zip(start, size, strict=True)]
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _left(item: PassPlan) -> float:
    """Return the share of a pass that is still to be done."""
    return 1 - item.done / max(item.tasks, 1)
