"""Made files: once for all who wait, within a bound, and failures are not kept."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import StoreError
from gateway.service.view.served_chunks import serving_chunk
from gateway.service.view.served_made import MadeFiles


def run(work):
    async def inner():
        with ThreadPoolExecutor(4) as pool:
            return await work(pool)

    return asyncio.run(inner())


def test_many_who_ask_at_once_wait_for_one_making() -> None:
    made = []
    gate = threading.Event()

    def make() -> bytes:
        gate.wait(10)
        made.append(1)
        return b"chunk"

    async def work(pool):
        files = MadeFiles(pool)
        asked = [asyncio.create_task(files.get("a", make)) for _ in range(20)]
        await asyncio.sleep(0)
        asked[0].cancel()  # one who hangs up takes nothing from the others
        await asyncio.sleep(0)
        gate.set()
        found = await asyncio.gather(*asked[1:])
        return found, await files.get("a", make)

    found, again = run(work)
    assert made == [1]
    assert all(file is again for file in found)
    assert (again.content, again.size) == (b"chunk", 5)


def test_what_is_held_stays_within_the_bound() -> None:
    async def work(pool):
        files = MadeFiles(pool, limit_bytes=1000)
        for number in range(50):
            await files.get(number, lambda n=number: bytes([n]) * 100)
        await files.get("large", lambda: b"x" * 900)
        again = []
        await files.get(49, lambda: again.append(49) or b"")
        await files.get(0, lambda: again.append(0) or b"")
        return files.held_bytes, again

    held, again = run(work)
    assert held <= 1000
    assert again == [0]


def test_a_failure_is_told_and_tried_again() -> None:
    def fail() -> bytes:
        raise StoreError("the share is gone")

    async def work(pool):
        files = MadeFiles(pool)
        with pytest.raises(StoreError, match="gone"):
            await files.get("a", fail)
        return await files.get("a", lambda: b"back")

    assert run(work).content == b"back"


@pytest.mark.parametrize(
    ("stored", "shape", "itemsize"),
    [
        ((1, 4096, 4096), (300, 4096, 4096), 2),
        ((8, 8, 8), (500, 500, 500), 1),
        ((64, 64, 64), (500, 500, 500), 2),
        ((2000, 2000, 2000), (2000, 2000, 2000), 8),
        ((1, 1, 1), (3, 3, 3), 2),
        ((1, 1, 5000), (1, 1, 5000), 2),
    ],
)
def test_a_served_chunk_suits_a_viewer(stored, shape, itemsize) -> None:
    chunk = serving_chunk(stored, shape, itemsize)
    size = chunk[0] * chunk[1] * chunk[2] * itemsize
    assert size <= 2**20
    whole = all(c >= n for c, n in zip(chunk, shape, strict=True))
    assert size >= 2**15 or whole
    if stored == (64, 64, 64):
        assert chunk == stored
