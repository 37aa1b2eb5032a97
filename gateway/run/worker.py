"""The process that computes tasks: `python -m gateway.run.worker --store URL --run KEY ...`.

It is given names only and reads everything else from the store, so it runs the same under the
local engine, in a batch script and in a container. With `--serve` it takes batches as lines of
JSON on standard input; else it computes `--pass NAME --tasks 0-7,9` and ends.
"""

import argparse
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterable, Sequence
from typing import Any, Self, TextIO

from gateway.errors import GatewayError, RunError
from gateway.run.tasks import Workspace, run_task
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import open_store
from gateway.volumes.tensors import IoLimits

_LIMITS = IoLimits(threads=1, requests=4)
"""A worker is one of many: it encodes and decodes on one thread."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the worker; returns the exit status: 0 done, 1 failed.

    Args:
        arguments: Of the command line; None takes those of this process.
    """
    parser = argparse.ArgumentParser(prog="python -m gateway.run.worker", description=__doc__)
    parser.add_argument("--store", required=True, help="URL of the store")
    parser.add_argument("--run", required=True, help="DATASET/KEY of the run's staging folder")
    parser.add_argument("--pass", dest="name", help="pass to compute tasks of")
    parser.add_argument("--tasks", help="tasks to compute, such as 0-7,9")
    parser.add_argument("--serve", action="store_true", help="take batches on standard input")
    given = parser.parse_args(arguments)
    if not given.serve and (given.name is None or given.tasks is None):
        parser.error("give --pass and --tasks, or --serve")
    with _Channel() as channel:
        try:
            space = Workspace.open(open_store(given.store), parse_ref(given.run), _LIMITS)
            if given.serve:
                return _serve(space, channel)
            done = space.staging.done_tasks(given.name)
            left = [task for task in parse_tasks(given.tasks) if task not in done]
            return _run_batch(space, channel, given.name, left)
        except GatewayError as error:
            channel.send(failed=-1, **_explain(error))
            return 1


def parse_tasks(text: str) -> tuple[int, ...]:
    """Read task numbers such as `0-7,9`.

    Raises:
        RunError: A part is no number or range.
    """
    tasks: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise RunError(f"tasks {text!r}: {part!r} is no number or range; expected 0-7,9")
        tasks += range(int(first), int(last or first) + 1)
    return tuple(tasks)


class _Channel:
    """Lines of JSON to whoever started the worker; what a tool prints goes to standard error."""

    def __enter__(self) -> Self:
        sys.stdout.flush()
        self._stream: TextIO = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def send(self, **message: Any) -> None:
        self._stream.write(json.dumps(message) + "\n")

    def block(self, task: int, box: str) -> None:
        self.send(block=[task, box])


def _serve(space: Workspace, channel: _Channel) -> int:
    """Compute batches until standard input ends; then end at once, whatever is being done."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    inbox: list[dict[str, Any]] = []
    arrived = threading.Condition()

    def listen() -> None:
        for line in sys.stdin:
            with arrived:
                inbox.append(json.loads(line))
                arrived.notify()
        os._exit(0)

    channel.send(ready=os.getpid())
    threading.Thread(target=listen, daemon=True).start()
    last = ""
    while True:
        with arrived:
            arrived.wait_for(lambda: inbox)
            batch = inbox.pop(0)
        if batch["pass"] != last:
            space.refresh()
            last = batch["pass"]
        if _run_batch(space, channel, last, batch["tasks"]):
            return 1
        channel.send(idle=True)


def _run_batch(space: Workspace, channel: _Channel, name: str, tasks: Iterable[int]) -> int:
    for task in tasks:
        try:
            report = run_task(space, name, task, channel.block)
        except MemoryError:
            channel.send(failed=task, **_explain(MemoryError("out of memory")), retry=True)
            return 1
        except Exception as error:  # noqa: BLE001 - the process boundary: any failure is a message
            channel.send(failed=task, **_explain(error))
            return 1
        channel.send(
            done=task,
            seconds=report.seconds,
            voxels=report.voxels,
            read=report.bytes_read,
            written=report.bytes_written,
        )
    return 0


def _explain(error: BaseException) -> dict[str, str]:
    reason = str(error) or type(error).__name__
    if not isinstance(error, GatewayError):
        reason = f"{type(error).__name__}: {reason}"
    return {"error": reason, "trace": traceback.format_exc()}


if __name__ == "__main__":
    sys.exit(main())
