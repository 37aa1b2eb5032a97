"""How a grid is cut: tasks of whole units, and inside them blocks that fit in memory."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.volumes.box import Box, Shape

PROCESS_BYTES = 300 * 2**20
"""What a worker holds beside voxels, measured: Python, numba and its compiler, TensorStore."""
_SMALLEST_BLOCK = 32
_WRITE_COPIES = 3.8
"""The voxels of a task, its derived levels and their encoded form; and what is on its way to the
storage of the task before."""
_LARGEST_TASK = 256**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a pass needs per voxel and around its blocks."""

    halo: Shape
    bytes_per_voxel: float
    written_per_voxel: int
    """Bytes of output per voxel, all channels; 0 where the pass writes nothing."""
    streams: bool = False
    """The voxels of a task are read at once and kept, and its blocks written one by one."""


def round_up(shape: Shape, unit: Shape, within: Shape) -> Shape:
    """Return the smallest multiple of `unit` that covers `shape`, or the axis where it ends."""
    z, y, x = (
        min(n, -(-s // u) * u) if s < n else n for s, u, n in zip(shape, unit, within, strict=True)
    )
    return (z, y, x)


def tiles_count(grid: Shape, tile: Shape) -> int:
    """Return how many tiles cover a grid."""
    return math.prod(-(-n // t) for n, t in zip(grid, tile, strict=True))


def tile_box(grid: Shape, tile: Shape, index: int) -> Box:
    """Return the tile of an index, in C order, clipped to the grid."""
    counts = [-(-n // t) for n, t in zip(grid, tile, strict=True)]
    z, rest = divmod(index, counts[1] * counts[2])
    y, x = divmod(rest, counts[2])
    start = (z * tile[0], y * tile[1], x * tile[2])
    stop = [min(n, a + t) for n, a, t in zip(grid, start, tile, strict=True)]
    return Box(start, (stop[0], stop[1], stop[2]))


def voxels_with_halo(grid: Shape, tile: Shape, halo: Shape) -> int:
    """Return how many voxels are read when every tile of a grid is read with its halo."""
    total = 1
    for n, t, h in zip(grid, tile, halo, strict=True):
        starts = range(0, n, t)
        total *= sum(min(n, a + t + h) - max(0, a - h) for a in starts)
    return total


def quiet_task(grid: Shape, chunk: Shape, workers: int) -> Shape:
    """Choose the task of a pass that writes nothing: chunks, so many that all workers have some."""
    task = list(round_up(chunk, chunk, grid))
    while True:
        room = [axis for axis in (2, 1, 0) if task[axis] < grid[axis]]
        if not room:
            return (task[0], task[1], task[2])
        axis = min(room, key=lambda a: task[a])
        wider = list(task)
        wider[axis] = min(grid[axis], 2 * task[axis])
        shape = (wider[0], wider[1], wider[2])
        if math.prod(shape) > _LARGEST_TASK or tiles_count(grid, shape) < 4 * workers:
            return (task[0], task[1], task[2])
        task = wider


def worker_bytes(cost: Cost, task: Shape, block: Shape) -> int:
    """Return what a worker holds at most: itself, its task's output, one block with halo."""
    halo = math.prod(b + 2 * h for b, h in zip(block, cost.halo, strict=True))
    output = math.prod(block if cost.streams else task) * cost.written_per_voxel * _WRITE_COPIES
    if cost.streams:
        output += math.prod(task) * cost.written_per_voxel
    return int(PROCESS_BYTES + output + halo * cost.bytes_per_voxel)


def choose_block(cost: Cost, task: Shape, budget: int) -> Shape | None:
    """Return the largest block, halves of the task, whose worker fits in `budget` bytes."""
    return next((b for b in _halves(task) if worker_bytes(cost, task, b) <= budget), None)


def smallest_block(task: Shape) -> Shape:
    """Return the block below which cutting stops to pay."""
    *_, last = _halves(task)
    return last


def overhead(block: Shape, halo: Shape) -> float:
    """Return how many voxels are computed per voxel kept."""
    return math.prod((b + 2 * h) / b for b, h in zip(block, halo, strict=True))


def _halves(task: Shape) -> Iterator[Shape]:
    block = list(task)
    yield task
    while max(block) > _SMALLEST_BLOCK:
        axis = max(range(3), key=lambda a: block[a])
        block[axis] = -(-block[axis] // 2)
        yield (block[0], block[1], block[2])
