"""Executes a plan: passes one after another, each resumed where it stopped, then publishing."""

import secrets
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any

from gateway.errors import GatewayError, NotFoundError, RunCancelledError, RunError
from gateway.run.docker import DockerEngine
from gateway.run.docker_client import DockerClient
from gateway.run.engine import CancelledError, Engine, Job, TaskFailure
from gateway.run.estimate import (
    PassPlan,
    Pinned,
    check_disk,
    fit_workers,
    plan_step,
    written_levels,
)
from gateway.run.events import (
    Listener,
    PassStarted,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunStarted,
    TaskDone,
    TaskRetried,
)
from gateway.run.inputs import prepare
from gateway.run.local import InlineEngine, LocalEngine
from gateway.run.lock import RunLock
from gateway.run.packing import concatenate, unpack_blocks
from gateway.run.plan import Plan, is_published
from gateway.run.publish import Output, complete, publish
from gateway.run.result import RunResult, already_done, make_result
from gateway.run.staging import Staging
from gateway.run.tasks import CELLS, TaskReport, Workspace
from gateway.toolkit.passes import Arrays, Blocks, Pass
from gateway.toolkit.registry import get_tool
from gateway.volumes.store import Store
from gateway.volumes.tensors import IoLimits
from gateway.volumes.writer import create_volume


def execute(
    plan: Plan,
    store: Store,
    *,
    listeners: Sequence[Listener] = (),
    cancel: threading.Event | None = None,
) -> RunResult:
    """Do what a plan says; doing it again goes on where it stopped.

    Args:
        plan: From `make_plan`, which was given the same store.
        store: Where inputs lie and outputs go.
        listeners: Called with every event, in this thread.
        cancel: Set it, from any thread, to stop.

    Raises:
        RunError: A task failed for good; names the pass and the block.
        RunCancelledError: `cancel` was set, or the user pressed Ctrl-C.
        StoreError: The storage failed.
        ExistsError: An output name was taken in the meantime.
    """
    staging = Staging(store, plan.run)
    spec = get_tool(plan.call.tool)
    with ExitStack() as stack:
        lock = None if plan.published else stack.enter_context(RunLock(staging))
        # Asked again, now that nobody else is at it: the plan may be old.
        if lock is None or is_published(spec, plan.call, store, plan.run):
            result = already_done(spec, plan, store)
        else:
            stop = cancel or threading.Event()
            prepared = prepare(spec, plan.call, store, key=plan.run.name)
            space = Workspace(plan=plan, staging=staging, prepared=prepared, limits=IoLimits())
            result = _Execution(space, listeners, stop, lock).run()
    staging.delete()
    return result


def _engine(plan: Plan) -> Engine:
    options = plan.options
    if options.engine == "docker":
        return DockerEngine(DockerClient(options.docker_host))
    # which devices a process sees is settled when it starts: this one cannot be shown a lease
    return InlineEngine() if plan.workers == 1 and not options.devices else LocalEngine()


class _Execution:
    """One execution of a plan, from lock to publishing."""

    def __init__(
        self,
        space: Workspace,
        listeners: Sequence[Listener],
        cancel: threading.Event,
        lock: RunLock,
    ) -> None:
        self._space = space
        self._plan = plan = space.plan
        self._staging = staging = space.staging
        self._listeners = listeners
        self._cancel = cancel
        self._lock = lock
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._clock = time.perf_counter()
        staged = staging.read_plan() or {}
        self._resumed = bool(staged.get("run_id"))
        self._run_id: str = staged.get("run_id") or f"{plan.run.name}-{secrets.token_hex(4)}"

    def run(self) -> RunResult:
        engine = _engine(self._plan)
        self._keep_plan()
        self._announce()
        try:
            outputs = self._published() or self._compute(engine)
            publish(self._space, outputs)
        except (CancelledError, KeyboardInterrupt) as error:
            if self._lock.lost.is_set():
                raise self._failed("another process took this run over", "") from error
            self._emit(RunCancelled(run_id=self._run_id))
            raise RunCancelledError(
                f"{self._plan.call.tool} was stopped; run the same command again to continue"
            ) from error
        except GatewayError as error:
            cause = self._storage_fault(error)
            self._emit(RunFailed(run_id=self._run_id, reason=str(cause)))
            if cause is error:
                raise
            raise cause from error
        finally:
            engine.close()
        digests = {port: output.digest for port, output in outputs.items()}
        wall = time.perf_counter() - self._clock
        self._emit(RunFinished(run_id=self._run_id, wall_s=wall, outputs=digests))
        return make_result(
            self._plan, self._run_id, outputs, self._started, wall, resumed=self._resumed
        )

    def _keep_plan(self) -> None:
        self._staging.write_plan({**self._plan.to_json(), "run_id": self._run_id})

    def _announce(self) -> None:
        plan = self._plan
        self._emit(
            RunStarted(
                run_id=self._run_id,
                tool=plan.call.tool,
                passes=tuple(item.name for item in plan.passes),
                tasks=plan.tasks,
                tasks_done=sum(item.done for item in plan.passes),
                voxels=sum(item.voxels for item in plan.passes),
                bytes_read=plan.bytes_read,
                bytes_written=plan.bytes_written,
                workers=plan.workers,
                resumed=self._resumed,
            )
        )

    def _published(self) -> dict[str, Output] | None:
        """Return the outputs of a run that was stopped while it published."""
        kept = self._staging.read_result()
        return None if kept is None else {p: Output(**out) for p, out in kept.items()}

    def _compute(self, engine: Engine) -> dict[str, Output]:
        for step in self._space.prepared.steps:
            self._settle(step)
            names = [p.name for p in self._plan.passes]
            for planned in self._own_passes(step.name):
                self._run_pass(engine, planned, names.index(planned.name) + 1)
            self._merge(step)
        with self._guard("the making of tables and reports"):
            outputs = complete(self._space, self._run_id)
        self._staging.write_result({port: asdict(output) for port, output in outputs.items()})
        return outputs

    def _own_passes(self, name: str) -> tuple[PassPlan, ...]:
        """Return the pass of a step and those of the coarse levels it writes."""
        return tuple(p for p in self._plan.passes if p.step == name)

    def _settle(self, step: Pass) -> None:
        """Fix the grid of a step, and create the volume it writes."""
        over = step.over
        if step.settle is not None:
            with self._guard(f"the settling of pass {step.name!r}"):
                over = step.settle(self._space.work(step.name))
            self._replan(step, over)
        port = self._space.prepared.writes(step)
        if port is not None and isinstance(over, Blocks):
            store, key = self._staging.store, self._space.volume_key(port)
            if not store.exists(f"{key}/zarr.json"):
                memory = self._plan.layout_bytes
                levels = written_levels(over, memory)
                info = replace(over.grid, levels=levels, digest=None, made_by=None)
                create_volume(store, key, info, self._space.reduce(port), memory_bytes=memory)

    def _replan(self, step: Pass, over: Blocks) -> None:
        plan, options = self._plan, self._plan.options
        passes = plan_step(
            step,
            self._space.prepared,
            workers=plan.workers,
            layout_bytes=plan.layout_bytes,
            block=options.block_voxels,
            pinned=Pinned({p.name: p.task for p in self._own_passes(step.name) if p.pinned}),
            over=over,
        )
        block, memory = options.block_voxels, options.memory_bytes
        _, fitted = fit_workers(passes, plan.workers, memory, block)
        done = (replace(p, done=len(self._staging.done_tasks(p.name))) for p in fitted)
        settled = tuple(done)
        check_disk(settled, self._staging.store)
        before = [p for p in plan.passes if p.step != step.name]
        place = next(i for i, p in enumerate(plan.passes) if p.step == step.name)
        ordered = (*before[:place], *settled, *before[place:])
        self._plan = replace(plan, passes=ordered)
        self._space.plan = self._plan
        self._keep_plan()

    def _run_pass(self, engine: Engine, planned: PassPlan, number: int) -> None:
        done = self._staging.done_tasks(planned.name)
        todo = tuple(task for task in range(planned.tasks) if task not in done)
        counted = planned.tasks - len(todo)
        self._emit(
            PassStarted(
                run_id=self._run_id,
                name=planned.name,
                number=number,
                passes=len(self._plan.passes),
                tasks=planned.tasks,
                tasks_done=counted,
                voxels=planned.voxels,
            )
        )
        if not todo:
            return
        job = Job(
            space=self._space,
            name=planned.name,
            tasks=todo,
            workers=planned.workers,
            cancel=self._cancel,
            done=self._on_done(planned, counted),
            retried=self._on_retried(planned.name),
        )
        try:
            engine.run(job)
        except TaskFailure as error:
            block = f", block {error.block}" if error.block else ""
            raise self._failed(
                f"pass {planned.name!r}{block}: {error.reason}", error.trace
            ) from error

    def _on_done(self, planned: PassPlan, counted: int) -> Callable[[TaskReport], None]:
        count = iter(range(counted + 1, planned.tasks + 1))

        def done(report: TaskReport) -> None:
            if self._lock.lost.is_set():
                self._cancel.set()
            self._emit(
                TaskDone(
                    run_id=self._run_id,
                    name=planned.name,
                    tasks=planned.tasks,
                    tasks_done=next(count, planned.tasks),
                    **asdict(report),
                )
            )

        return done

    def _on_retried(self, name: str) -> Callable[[int, str, int, str], None]:
        def retried(task: int, block: str, attempt: int, reason: str) -> None:
            self._emit(
                TaskRetried(
                    run_id=self._run_id,
                    name=name,
                    task=task,
                    block=block,
                    attempt=attempt,
                    reason=reason,
                )
            )

        return retried

    def _merge(self, step: Pass) -> None:
        if self._staging.is_merged(step.name):
            return
        if self._cancel.is_set():
            raise CancelledError
        tasks = self._space.pass_plan(step.name).tasks
        blocks = _blocks(self._staging, step.name, tasks)
        with self._guard(f"the merge of pass {step.name!r}"):
            merged = (
                concatenate(blocks)
                if step.merge is None
                else step.merge(blocks, self._space.work(step.name))
            )
            self._staging.write_state(step.name, merged)

    @contextmanager
    def _guard(self, what: str) -> Iterator[None]:
        """Name the part of a tool that failed outside its blocks."""
        try:
            yield
        except GatewayError:
            raise
        except Exception as error:
            reason = f"{what}: {type(error).__name__}: {error}"
            raise self._failed(reason, traceback.format_exc()) from error

    def _failed(self, reason: str, trace: str) -> RunError:
        """Keep the story of a failure in the run's log and return the error to raise."""
        tool = self._plan.call.tool
        try:
            self._staging.require_plan()
            where = self._staging.write_log(f"{tool} {self._run_id}\n{reason}\n\n{trace}\n")
        except GatewayError as fault:  # the storage itself may be the cause: say so
            return RunError(f"{tool}: {reason}" + ("" if str(fault) in reason else f"; {fault}"))
        return RunError(f"{tool}: {reason} (log: {where})")

    def _storage_fault(self, error: GatewayError) -> GatewayError:
        """Return what is wrong with the storage where that explains an error, else the error.

        A task under way may have written into a folder where the share was mounted: then the
        next thing to be read is missing, which alone would tell nobody why.
        """
        if not isinstance(error, NotFoundError):
            return error
        try:
            self._staging.require_plan()
        except GatewayError as fault:
            return fault
        return error

    def _emit(self, event: Any) -> None:
        for listener in self._listeners:
            listener(event)


def _blocks(staging: Staging, name: str, tasks: int) -> Iterator[Arrays]:
    for marker in staging.markers(name, tasks):
        given = {key: array for key, array in marker.items() if not key.startswith(CELLS)}
        yield from unpack_blocks(given)
