"""The local engine against a bare pool: cost per block, and what a second worker brings.

Run: python benchmarks/bench_engine.py [--tasks 48] [--json]
"""

import argparse
import importlib
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SITE = Path(__file__).parents[1] / "tests" / "run" / "site"
SPIN = 2500


def spin(count: int) -> float:
    """Burn CPU in pure Python, so that neither memory nor disk decides."""
    total = 0.0
    for number in range(count * 1000):
        total += number * 0.5
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=48, help="tasks of the speed-up part")
    parser.add_argument("--spin", type=int, default=SPIN, help="work per task")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = "1"
    sys.path.insert(0, str(SITE))
    importlib.invalidate_caches()
    with tempfile.TemporaryDirectory() as folder:
        figures = {**overhead(Path(folder)), **speed_up(Path(folder), given.tasks, given.spin)}
    if given.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:45} {value:10.3f}")


def run(
    store: Any, tool: str, output: dict[str, str], settings: dict[str, Any], **options: Any
) -> tuple[Any, float, float]:
    """Plan and execute one call; returns the plan, the seconds, and the tasks per second once
    every worker is at work.
    """
    from gateway.run.events import PassStarted, TaskDone
    from gateway.run.execute import execute
    from gateway.run.plan import RunOptions, make_plan
    from gateway.toolkit.call import make_call
    from gateway.toolkit.registry import get_tool

    spec = get_tool(tool)
    call = make_call(spec, {"image": "m1/raw"}, output, settings)
    plan = make_plan(spec, call, store, RunOptions(**options))
    marks = []

    def listen(event: Any) -> None:
        marks.append((type(event), time.perf_counter()))

    execute(plan, store, listeners=[listen])
    first = next(at for kind, at in marks if kind is PassStarted)
    done = [at for kind, at in marks if kind is TaskDone][2 * plan.workers :]
    rate = (len(done) - 1) / (done[-1] - done[0]) if len(done) > 1 else 0.0
    return plan, marks[-1][1] - first, rate


def overhead(folder: Path) -> dict[str, float]:
    """Compare many small blocks with few large ones: the difference is the engine's."""
    from gateway.volumes.store import open_store

    store = open_store(folder / "overhead", create=True)
    make_image(store, (256, 256, 256))
    seconds, blocks = {}, {}
    for name, block in (("small", (16, 16, 16)), ("large", (64, 64, 64))):
        best = []
        for attempt in range(3):
            output = {"image": f"m1/{name}{attempt}"}
            plan, wall, _ = run(store, "trial_copy", output, {}, workers=1, block_voxels=block)
            best.append(wall)
            blocks[name] = sum(item.blocks for item in plan.passes if item.kind == "blocks")
        seconds[name] = min(best)
    extra = (seconds["small"] - seconds["large"]) / (blocks["small"] - blocks["large"])
    tasks = []
    for attempt in range(3):
        plan, wall, _ = run(
            store, "trial_spin", {"points": f"m1/s{attempt}"}, {"count": 0}, workers=1
        )
        tasks.append(wall / plan.tasks)
    return {
        "blocks (16^3 voxels, read and written)": blocks["small"],
        "ms per block, all in (bar 5)": 1000 * seconds["small"] / blocks["small"],
        "ms per block, over large blocks": 1000 * extra,
        "ms per task that does nothing": 1000 * min(tasks),
    }


def speed_up(folder: Path, tasks: int, count: int) -> dict[str, float]:
    """Compare one and two workers, and a bare pool, on the same CPU-bound work."""
    from gateway.volumes.store import open_store

    store = open_store(folder / "speed", create=True)
    make_image(store, (64, 64, 64))
    settings = {"count": count, "tasks": tasks}
    walls = {1: [], 2: []}
    pools = {1: [], 2: []}
    rates = {1: [], 2: []}
    shares = {1: [], 2: []}
    for attempt in range(3):
        for workers in (1, 2):
            before = cpu_seconds()
            with multiprocessing.get_context("spawn").Pool(workers) as pool:
                pool.map(spin, [1] * workers)
                started = time.perf_counter()
                pool.map(spin, [count] * tasks, chunksize=1)
                pools[workers].append(time.perf_counter() - started)
            pool_cpu = cpu_seconds() - before
            name = {"points": f"m1/w{workers}a{attempt}"}
            _, wall, rate = run(store, "trial_spin", name, settings, workers=workers)
            walls[workers].append(wall)
            rates[workers].append(rate)
            shares[workers].append((cpu_seconds() - before - pool_cpu) / pool_cpu)
    one, two = min(walls[1]), min(walls[2])
    bare_one, bare_two = min(pools[1]), min(pools[2])
    return {
        "one worker, s (inline)": one,
        "two workers, s (starting them included)": two,
        "bare pool of one, s": bare_one,
        "bare pool of two, s": bare_two,
        "two workers over one, once at work (bar 1.8)": max(rates[2]) / max(rates[1]),
        "two workers over one, start included": one / two,
        "bare pool: two over one": bare_one / bare_two,
        "pool of two over engine of two": bare_two / two,
        "CPU of the engine of two over a pool of two": min(shares[2]),
    }


def cpu_seconds() -> float:
    """Return the CPU time of this process and of its children that ended."""
    mine, theirs = (resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def make_image(store: Any, shape: tuple[int, int, int]) -> None:
    from gateway.algo.pyramid import reduce_mean
    from gateway.volumes.box import Box
    from gateway.volumes.model import VolumeInfo
    from gateway.volumes.writer import create_volume

    info = VolumeInfo(kind="image", dtype="uint16", shape=shape, voxel_um=(1.0, 1.0, 1.0))
    voxels = np.random.default_rng(1).integers(0, 1000, (1, *shape), dtype=np.uint16)
    writer = create_volume(store, "m1/raw.ome.zarr", info, reduce_mean)
    cells = [writer.write(Box.of_shape(shape), voxels)]
    cells += [
        writer.write_level(level, Box.of_shape(writer.info.levels[level].shape))
        for level in range(writer.derived + 1, len(writer.info.levels))
    ]
    writer.finish(cells)


if __name__ == "__main__":
    main()
