"""Review at size: a million cells become a layer, boxes of ten million, robots and kills.

Run: python benchmarks/bench_review.py [--objects 10000000] [--queries 200] [--kills 200] [--quick]
     [--postgres postgresql://USER@HOST/DATABASE] [--json]
The database must be one that holds nothing else: the benchmark fills it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

BRAIN_UM = np.array([8000.0, 13_000.0, 11_000.0])
BOX_UM = np.array([500.0, 500.0, 500.0])
BAR_MS = 100.0
KILLED = Path(__file__).parents[1] / "tests" / "web" / "test_layers_killed.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="a million objects, no kills")
    parser.add_argument("--postgres", help="also measure on this database, which must be empty")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.quick:
        given.objects, given.queries, given.kills = 1_000_000, 50, 0
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/catalogue.sqlite"
        figures |= measure("sqlite", url, given.objects, given.queries)
    if given.postgres:
        figures |= measure("postgresql", given.postgres, given.objects, given.queries)
    if given.kills:
        figures["kills"] = kill(given.kills)
    if given.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:55} {value if isinstance(value, str) else f'{value:12,.1f}'}")


def make_cells(rows: int) -> Any:
    """Cells in clusters over a mouse brain's extent, in no order."""
    random = np.random.default_rng(0)
    centres = random.random((2000, 3)) * BRAIN_UM
    at = centres[random.integers(0, len(centres), rows)] + random.normal(0, 300, (rows, 3))
    return np.clip(at, 0, BRAIN_UM)


@contextmanager
def filled(url: str, positions: Any) -> Iterator[tuple[Any, Any, float]]:
    """Make a layer of cells; give the database, the layer and the seconds it took."""
    from gateway.records.annotation_bulk import add_points
    from gateway.records.annotation_grid import choose_block_um
    from gateway.records.annotation_layers import add_layer, change_layer, get_layer
    from gateway.records.database import open_database, writing

    engine = open_database(url)
    rows, now = len(positions), datetime.now(UTC)
    high = tuple(float(value) for value in BRAIN_UM)
    values = {
        "uid": "bench", "dataset": "brain", "name": "cells", "volume": "raw", "classes": [],
        "columns": ["score"], "lowest": [0.0] * 3, "highest": list(high), "extended": False,
        "block_um": choose_block_um((0.0, 0.0, 0.0), high), "version": 0, "count": 0,
        "next_id": 1, "made_by": "bench", "made": now, "changed": now, "stored": -1,
        "snapshot": -1,
    }  # fmt: skip
    score = [f'{{"score":{value:.6f}}}' for value in np.random.default_rng(1).random(rows)]
    start = time.perf_counter()
    with writing(engine) as connection:
        layer = add_layer(connection, **values)
        add_points(
            connection, layer, positions, labels=["cell"] * rows, properties=score, version=1
        )
        change_layer(connection, layer, version=1, count=rows, next_id=rows + 1)
    seconds = time.perf_counter() - start
    with writing(engine) as connection:
        layer = get_layer(connection, "brain", "cells")
    try:
        yield engine, layer, seconds
    finally:
        engine.dispose()


def measure(kind: str, url: str, objects: int, queries: int) -> dict[str, float]:
    from gateway.records.annotation_objects import read_box, read_counts
    from gateway.records.database import reading

    random = np.random.default_rng(2)
    positions = make_cells(objects)
    # half of the boxes lie where cells are dense, as a person who reviews them looks there
    corners = random.random((queries, 3)) * (BRAIN_UM - BOX_UM)
    dense = positions[random.integers(0, objects, queries // 2)] - BOX_UM / 2
    corners[: queries // 2] = np.clip(dense, 0, BRAIN_UM - BOX_UM)
    figures: dict[str, float] = {}
    with filled(url, positions) as (engine, layer, seconds):
        figures[f"{kind}: layer of {objects:,} made, s"] = seconds
        page, far, cpu, found = [], [], [], 0
        for low in corners:
            box = (tuple(low), tuple(low + BOX_UM))
            start, worked = time.perf_counter(), time.process_time()
            with reading(engine) as connection:
                items, _ = read_box(connection, layer, box, limit=5000)
                json.dumps([item.to_json() for item in items])
            page.append(1000 * (time.perf_counter() - start))
            cpu.append(1000 * (time.process_time() - worked))
            found += len(items)
        for low in corners[:: max(1, queries // 50)]:
            wide = np.maximum(0, low - 2000), np.minimum(BRAIN_UM, low + 2500)
            start = time.perf_counter()
            with reading(engine) as connection:
                read_counts(connection, layer, (tuple(wide[0]), tuple(wide[1])))
            far.append(1000 * (time.perf_counter() - start))
        checked = check(engine, layer, positions, corners[0])
    figures[f"{kind}: box of 500 um, p50 ms"] = float(np.percentile(page, 50))
    figures[f"{kind}: box of 500 um, p95 ms (bar {BAR_MS:g})"] = float(np.percentile(page, 95))
    figures[f"{kind}: box of 500 um, p95 ms of this process at work"] = float(
        np.percentile(cpu, 95)
    )
    figures[f"{kind}: objects in a box, mean"] = found / queries
    figures[f"{kind}: counts of a box of 4.5 mm, p95 ms"] = float(np.percentile(far, 95))
    figures[f"{kind}: objects of one box, checked"] = checked
    return figures


def check(engine: Any, layer: Any, positions: Any, low: Any) -> float:
    """Hold all pages of one box against NumPy."""
    from gateway.records.annotation_objects import read_box
    from gateway.records.database import reading

    box = (tuple(low), tuple(low + BOX_UM))
    found, after = 0, None
    with reading(engine) as connection:
        while True:
            items, after = read_box(connection, layer, box, limit=5000, after=after)
            found += len(items)
            if after is None:
                break
    inside = ((positions >= low) & (positions < low + BOX_UM)).all(axis=1)
    if found != int(inside.sum()):
        raise SystemExit(f"a box gave {found} objects, expected {int(inside.sum())}")
    return float(found)


def kill(times: int) -> str:
    """Let two robots edit while the service is killed; return what the test says of it."""
    command = [sys.executable, "-m", "pytest", "-q", "-s", "-x", str(KILLED)]
    environment = {**os.environ, "GATEWAY_KILLS": str(times)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    told = [line for line in done.stdout.splitlines() if " kills, " in line]
    if done.returncode or not told:
        raise SystemExit(done.stdout[-3000:])
    return told[0]


if __name__ == "__main__":
    main()
