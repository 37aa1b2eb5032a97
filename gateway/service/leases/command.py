"""Runs any command on lent devices: they are its own while it runs, and come back after it."""

import getpass
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

from gateway.errors import CallError
from gateway.run.lent import lent_environment
from gateway.service.gateway import Gateway
from gateway.service.leases.holding import Wanted, holding
from gateway.service.leases.model import Lease

_GRACE_S = 10.0
"""Between asking a command to end and killing it, when its lease was revoked."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def own_name(gateway: Gateway) -> str:
    """Return under which name whoever works in this home asks for devices."""
    return gateway.settings.person_name or getpass.getuser()


def run_on_devices(
    gateway: Gateway,
    wanted: Wanted,
    command: Sequence[str],
    *,
    waits: Callable[[Lease], None],
    got: Callable[[Lease], None],
    lost: Callable[[str], None],
) -> int:
    """Run a command once its devices are free, and return its exit status.

    It finds them in `CUDA_VISIBLE_DEVICES`, and by their CDI names in `GATEWAY_LENT`. Should this
    process be killed, the devices stay lent as long as the command lives.

    Args:
        gateway: The gateway.
        wanted: What is asked for.
        command: Program and arguments.
        waits: Told the lease whenever its place in the line changes.
        got: Told the lease once it is held.
        lost: Told why, when the lease was revoked: the command is ended.

    Raises:
        CallError: There is no such program.
        LimitError: There are not so many devices.
        RunCancelledError: A signal came while it waited.
    """
    if shutil.which(command[0]) is None:
        raise CallError(f"there is no program {command[0]!r} to run on a GPU; check its name")
    cancel, ended = threading.Event(), threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def revoked(reason: str) -> None:
        lost(reason)
        for process in running:
            _end(process, ended)

    with (
        _signals_go_to(running, cancel),
        holding(gateway, wanted, waits=waits, lost=revoked, cancel=cancel) as lease,
    ):
        got(lease)
        environment = {**os.environ, **lent_environment(lease.id, lease.devices)}
        process = subprocess.Popen(command, env=environment)  # noqa: S603 - what the caller gave
        running.append(process)
        try:
            code = process.wait()
        finally:
            ended.set()
            if process.poll() is None:
                process.kill()
                process.wait()
    return code if code >= 0 else 128 - code


def _end(process: "subprocess.Popen[bytes]", ended: threading.Event) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
        if not ended.wait(_GRACE_S):
            process.kill()


@contextmanager
def _signals_go_to(
    running: "Sequence[subprocess.Popen[bytes]]", cancel: threading.Event
) -> Iterator[None]:
    """Pass signals on to the command, which decides; before there is one they end the waiting."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        cancel.set()
        # the terminal has told the command of Ctrl-C already
        for process in running if number != signal.SIGINT else ():
            process.send_signal(number)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
