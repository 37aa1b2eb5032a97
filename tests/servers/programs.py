"""Runs a small server of the tests as a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def program(file: str, *words: str) -> Iterator[str]:
    """Run a server that prints its port first, until the block ends; gives its address."""
    process = subprocess.Popen([sys.executable, file, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()
