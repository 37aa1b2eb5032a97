"""Ctrl-C asks a run to stop cleanly; a second Ctrl-C stops at once."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from gateway.cli.answer import note


@contextmanager
def cancel_on_signal() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set; the handlers are put back afterwards."""
    cancel = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()
        note("stopping after the tasks at hand; Ctrl-C again stops at once")

    if threading.current_thread() is not threading.main_thread():
        yield cancel
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
