"""Points as the viewer asks for them: box queries, the first look, and cells of the index.

Run: python benchmarks/bench_points_view.py [--rows 10000000] [--queries 200] [--quick] [--json]
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

BRAIN_UM = np.array([8000.0, 13_000.0, 11_000.0])
BOX_UM = np.array([500.0, 500.0, 500.0])
NAMES = ("z_um", "y_um", "x_um")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="1,000,000 rows and 50 queries")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows, queries = (1_000_000, 50) if given.quick else (given.rows, given.queries)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), rows, queries)
    if given.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:45} {value:12.4g}")


def make_cells(rows: int) -> dict[str, Any]:
    """Cells in clusters over a mouse brain's extent, in no order."""
    random = np.random.default_rng(0)
    centres = random.random((2000, 3)) * BRAIN_UM
    at = centres[random.integers(0, len(centres), rows)] + random.normal(0, 300, (rows, 3))
    at = np.clip(at, 0, BRAIN_UM)
    columns = {name: at[:, axis] for axis, name in enumerate(NAMES)}
    columns["label"] = np.arange(rows, dtype=np.uint32)
    columns["contrast"] = random.random(rows).astype(np.float32)
    return columns


def measure(folder: Path, rows: int, queries: int) -> dict[str, float]:
    from gateway.service.gateway import open_gateway
    from gateway.service.home import init_home
    from gateway.volumes.points import open_points, write_points
    from gateway.volumes.ref import Ref

    init_home(folder / "home")
    opened = open_gateway(folder / "home")
    key = "brain/cells.points.parquet"
    write_points(opened.store, key, make_cells(rows))
    figures: dict[str, float] = {"rows": rows}
    random = np.random.default_rng(1)
    table = open_points(opened.store, key)
    spent = []
    for _ in range(queries):
        low = random.random(3) * (BRAIN_UM - BOX_UM)
        start = time.perf_counter()
        table.read((tuple(low), tuple(low + BOX_UM)))
        spent.append(time.perf_counter() - start)
    figures |= _spread("box query", spent)
    with opened.catalogue:
        figures |= _view(opened, Ref("brain", "cells"), random, queries)
    return figures


def _view(opened: Any, ref: Any, random: Any, queries: int) -> dict[str, float]:
    from gateway.service.view.annotations import index_of, read

    start = time.perf_counter()
    info = json.loads(read(opened, ref, "info"))
    figures = {"first look (info), s": time.perf_counter() - start}
    index = index_of(opened, ref)
    figures["levels"] = len(index.levels)
    figures["index in memory, MB"] = index.nbytes / 1e6
    start = time.perf_counter()
    overview = read(opened, ref, "spatial0/0_0_0")
    figures["overview cell, ms"] = (time.perf_counter() - start) * 1e3
    figures["overview annotations"] = int.from_bytes(overview[:8], "little")
    for number, level in enumerate(info["spatial"]):
        spent, counts = [], []
        for _ in range(queries):
            cell = "_".join(str(random.integers(0, n)) for n in level["grid_shape"])
            start = time.perf_counter()
            body = read(opened, ref, f"spatial{number}/{cell}")
            spent.append(time.perf_counter() - start)
            counts.append(int.from_bytes(body[:8], "little"))
        figures |= _spread(f"level {number} cell", spent)
        figures[f"level {number} annotations in a cell, most"] = max(counts)
    return figures


def _spread(what: str, seconds: list[float]) -> dict[str, float]:
    return {
        f"{what} p50, ms": float(np.percentile(seconds, 50)) * 1e3,
        f"{what} p95, ms": float(np.percentile(seconds, 95)) * 1e3,
    }


if __name__ == "__main__":
    main()
