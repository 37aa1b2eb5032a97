"""Rows of a box out of a table of ten million points, as the web service answers them.

python benchmarks/bench_tables.py [--quick] [--home FOLDER]
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import quantiles

import numpy as np

from gateway.service.browse.tables import read_rows, summarize_table
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.volumes.points import write_points
from gateway.volumes.ref import Ref

BAR_MS = 100
SPAN_UM = (6_000.0, 10_000.0, 12_000.0)
SIDES_UM = (100.0, 300.0, 500.0)
REF = Ref("big", "cells")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="a tenth of the points")
    options.add_argument("--home", type=Path, help="keep the table here, or use it again")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = given.home or Path(folder) / "home"
        init_home(home)
        gateway = open_gateway(home)
        with gateway.catalogue:
            count = 1_000_000 if given.quick else 10_000_000
            if not gateway.store.exists(f"{REF}.points.parquet"):
                fill(gateway, count)
            measure(gateway)


def fill(gateway: Gateway, count: int) -> None:
    random = np.random.default_rng(0)
    z, y, x = random.uniform(0, 1, (3, count)) * np.array(SPAN_UM)[:, None]
    columns = {"z_um": z, "y_um": y, "x_um": x, "label": np.arange(count, dtype="u4")}
    columns["score"] = random.normal(size=count).astype("f4")
    write_points(gateway.store, f"{REF}.points.parquet", columns)


def measure(gateway: Gateway) -> None:
    random = np.random.default_rng(1)
    taken, rows = [], []
    for number in range(100):
        side = SIDES_UM[number % len(SIDES_UM)]
        start = random.uniform(0, 1, 3) * (np.array(SPAN_UM) - side)
        low = (float(start[0]), float(start[1]), float(start[2]))
        high = (low[0] + side, low[1] + side, low[2] + side)
        begin = time.perf_counter(), time.process_time()
        rows.append(read_rows(gateway, REF, box_um=(low, high), limit=1_000).total)
        taken.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
    wall, processor = (
        quantiles([one[which] * 1000 for one in taken], n=100, method="inclusive")
        for which in (0, 1)
    )
    verdict = "within" if wall[94] <= BAR_MS else "OVER"
    print(
        f"boxes of {min(rows)} to {max(rows)} rows: p50 {wall[49]:.1f} ms, p95 {wall[94]:.1f} ms "
        f"({verdict} the bar of {BAR_MS} ms); processor p50 {processor[49]:.1f} ms, "
        f"p95 {processor[94]:.1f} ms"
    )
    begin_s = time.perf_counter()
    count = summarize_table(gateway, REF).count
    print(f"columns of {count:,} rows told in {time.perf_counter() - begin_s:.2f} s")


if __name__ == "__main__":
    main()
