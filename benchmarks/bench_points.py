"""Box queries on a points table against plain pyarrow: read all, then filter.

Run: python benchmarks/bench_points.py [--rows 10000000] [--queries 100] [--json]
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
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), given.rows, given.queries)
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
    import pyarrow as pa
    import pyarrow.parquet as pq

    from gateway.volumes.points import open_points, write_points
    from gateway.volumes.store import open_store

    cells = make_cells(rows)
    store = open_store(folder)
    start = time.perf_counter()
    write_points(store, "cells.points.parquet", cells)
    write_s = time.perf_counter() - start
    plain = folder / "plain.parquet"
    pq.write_table(pa.table(cells), plain, compression="zstd")
    random = np.random.default_rng(1)
    corners = random.random((queries, 3)) * (BRAIN_UM - BOX_UM)

    ours, found = [], 0
    for low in corners:
        start = time.perf_counter()
        table = open_points(store, "cells.points.parquet")
        hit = table.read((tuple(low), tuple(low + BOX_UM)))
        ours.append(time.perf_counter() - start)
        found += len(hit["label"])

    theirs, expected = [], 0
    few = corners[: max(1, queries // 20)]
    for low in few:
        start = time.perf_counter()
        filters = [
            (name, sign, value)
            for axis, name in enumerate(NAMES)
            for sign, value in ((">=", low[axis]), ("<", low[axis] + BOX_UM[axis]))
        ]
        expected += pq.read_table(plain, filters=filters).num_rows
        theirs.append(time.perf_counter() - start)
    check = sum(
        len(open_points(store, "cells.points.parquet").read((tuple(c), tuple(c + BOX_UM)))["label"])
        for c in few
    )
    if check != expected:
        raise SystemExit(f"box queries found {check} rows where a filter finds {expected}")
    p95 = float(np.percentile(ours, 95))
    return {
        "rows": rows,
        "rows per query": found / queries,
        "write, s": write_s,
        "box query, median, ms": float(np.median(ours)) * 1e3,
        "box query, p95, ms (bar: 100)": p95 * 1e3,
        "read and filter with pyarrow, median, ms": float(np.median(theirs)) * 1e3,
        "times faster": float(np.median(theirs)) / float(np.median(ours)),
    }


if __name__ == "__main__":
    main()
