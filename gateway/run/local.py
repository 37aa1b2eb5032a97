"""The local engine: worker processes on this machine, replaced when they die."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import deque
from dataclasses import dataclass, field
from typing import IO, Any

from gateway.errors import GatewayError
from gateway.run.engine import CancelledError, Job, TaskFailure
from gateway.run.lent import lent_environment
from gateway.run.tasks import OnBlock, Started, TaskReport, Workspace, start_task

ATTEMPTS = 3
"""How often a task is tried on a worker that dies at it."""
_BATCH_S = 1.0
_POLL_S = 0.1
_LOG_TAIL = 4000
ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "BLOSC_NTHREADS",
)


class InlineEngine:
    """One worker: this process itself, which computes a task while the one before is written."""

    def run(self, job: Job) -> None:
        """Compute the tasks one after another."""
        at = [""]

        def on_block(_task: int, box: str) -> None:
            at[:] = [box]
            if job.cancel.is_set():
                raise CancelledError

        try:
            self._overlap(job, on_block)
        except CancelledError:
            raise
        except Exception as error:
            reason = str(error) or type(error).__name__
            if not isinstance(error, GatewayError):
                reason = f"{type(error).__name__}: {reason}"
            raise TaskFailure(at[0], reason, traceback.format_exc()) from error

    def _overlap(self, job: Job, on_block: OnBlock) -> None:
        before: Started | None = None
        try:
            for task in (*job.tasks, None):
                started = None if task is None else start_task(job.space, job.name, task, on_block)
                ended, before = before, started
                if ended is not None:
                    job.done(ended.finish())
        except CancelledError:
            if before is not None:
                job.done(before.finish())  # computed already: not to be done again
            raise
        finally:
            if before is not None:
                before.settle()

    def close(self) -> None:
        """Nothing to stop."""


@dataclass(eq=False, slots=True)
class Worker:
    """A worker process, and what it was last heard to do."""

    process: subprocess.Popen[str]
    log: IO[bytes]
    name: str = ""
    """Of its container, where it has one."""
    tasks: set[int] = field(default_factory=set)
    """Given to it and not done."""
    task: int = -1
    block: str = ""
    idle: bool = True

    def give(self, name: str, tasks: list[int]) -> None:
        """Hand it tasks of a pass."""
        self.tasks, self.idle, self.task, self.block = set(tasks), False, -1, ""
        stream = self.process.stdin
        if stream is not None:
            try:
                stream.write(json.dumps({"pass": name, "tasks": tasks}) + "\n")
                stream.flush()
            except BrokenPipeError:
                return  # it died; the end of its output says so

    def kill(self) -> None:
        """End it at once and close what leads to it."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        self.log.close()

    def tail(self) -> str:
        """Return the end of what the worker wrote to standard error."""
        size = self.log.seek(0, os.SEEK_END)
        self.log.seek(max(0, size - _LOG_TAIL))
        return self.log.read().decode(errors="replace")


_Message = tuple[Worker, dict[str, Any] | None]


class LocalEngine:
    """Worker processes that live for the whole run."""

    def __init__(self) -> None:
        """Make an engine without workers; they start with the first job."""
        self._workers: list[Worker] = []
        self._inbox: queue.SimpleQueue[_Message] = queue.SimpleQueue()

    def run(self, job: Job) -> None:
        """Compute the tasks of a job on `job.workers` processes."""
        todo = deque(job.tasks)
        attempts: dict[int, int] = {}
        pace = _Pace()
        left = set(job.tasks)
        while left:
            if job.cancel.is_set():
                raise CancelledError
            self._feed(job, todo, pace)
            try:
                worker, message = self._inbox.get(timeout=_POLL_S)
            except queue.Empty:
                continue
            if message is None or message.get("retry"):
                todo.extendleft(self._bury(job, worker, message, attempts, left))
            elif "block" in message:
                worker.task, worker.block = message["block"]
            elif "done" in message:
                worker.tasks.discard(message["done"])
                pace.add(message["seconds"])
                if message["done"] in left:
                    left.discard(message["done"])
                    job.done(_report(message))
            elif "failed" in message:
                raise TaskFailure(worker.block, message["error"], message["trace"])
            elif "idle" in message:
                worker.idle = True

    def close(self) -> None:
        """Kill all workers."""
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def _feed(self, job: Job, todo: deque[int], pace: "_Pace") -> None:
        """Start missing workers and give idle ones a batch."""
        while todo and len(self._workers) < min(job.workers, len(self._busy()) + len(todo)):
            self._workers.append(self._start(job.space))
        for worker in self._workers:
            if worker.idle and todo:
                count = pace.batch(len(todo), job.workers)
                worker.give(job.name, [todo.popleft() for _ in range(count)])

    def _busy(self) -> list[Worker]:
        return [worker for worker in self._workers if not worker.idle]

    def _bury(
        self,
        job: Job,
        worker: Worker,
        message: dict[str, Any] | None,
        attempts: dict[int, int],
        left: set[int],
    ) -> list[int]:
        """Remove a dead worker; returns its tasks, to be done by another.

        Raises:
            TaskFailure: A task has killed too many workers.
        """
        if worker not in self._workers:
            return []
        reason = message["error"] if message is not None else ""
        trace = worker.tail()
        if message is None:
            reason = self._death(worker, trace)
        self._workers.remove(worker)
        self._end(worker)
        task = worker.task
        # A worker that dies before its first block failed to start: count that against its batch.
        key = task if task in worker.tasks else min(worker.tasks, default=-1)
        attempts[key] = attempts.get(key, 0) + 1
        if attempts[key] >= ATTEMPTS:
            raise TaskFailure(worker.block, f"{reason}, {ATTEMPTS} times", trace)
        job.retried(key, worker.block, attempts[key], reason)
        return sorted(worker.tasks & left, reverse=True)

    def _start(self, space: Workspace) -> Worker:
        """Start a process that runs `gateway.run.worker`."""
        environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
        options = space.plan.options
        if options.devices:
            environment |= lent_environment(options.lease, options.devices)
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        store, run = space.staging.store.url, str(space.staging.run)
        command = [sys.executable, "-m", "gateway.run.worker", "--store", store, "--run", run]
        return self._launch([*command, "--serve"], environment)

    def _launch(self, command: list[str], environment: dict[str, str], name: str = "") -> Worker:
        """Start a command that speaks as a worker does, and listen to it."""
        log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `Worker.kill`
        process = subprocess.Popen(  # noqa: S603 - our own interpreter, or the docker client
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            env=environment,
        )
        worker = Worker(process, log, name)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    def _end(self, worker: Worker) -> None:
        """See that nothing of a worker is left."""
        worker.kill()

    def _death(self, worker: Worker, trace: str) -> str:
        """Say how a worker ended that nobody stopped."""
        return _death(worker.process.wait(), trace)

    def _listen(self, worker: Worker) -> None:
        """Put every line of a worker into the inbox, and None when it ends."""
        stream = worker.process.stdout
        try:
            for line in stream or ():
                self._inbox.put((worker, json.loads(line)))
        except ValueError:
            pass  # killed in the middle of a line, or closed by `kill`
        self._inbox.put((worker, None))


@dataclass(slots=True)
class _Pace:
    """How long tasks take, to make batches of about a second."""

    seconds: float = 0.0
    tasks: int = 0

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        self.tasks += 1

    def batch(self, left: int, workers: int) -> int:
        """Return how many tasks to hand out: a second of work, but a share for everyone."""
        if not self.tasks:
            return 1
        each = max(self.seconds / self.tasks, 1e-4)
        fair = max(1, left // (2 * workers))
        return max(1, min(int(_BATCH_S / each), fair))


def _report(message: dict[str, Any]) -> TaskReport:
    return TaskReport(
        task=message["done"],
        seconds=message["seconds"],
        voxels=message["voxels"],
        bytes_read=message["read"],
        bytes_written=message["written"],
    )


def _death(code: int, trace: str) -> str:
    """Say how a process ended, and its last words where it chose to."""
    if code >= 0:
        words = trace.strip().splitlines()[-1:]
        return ": ".join([f"the worker ended with status {code}", *words])
    name = signal.Signals(-code).name
    hint = " (out of memory?)" if -code == signal.SIGKILL else ""
    return f"the worker was killed by {name}{hint}"
