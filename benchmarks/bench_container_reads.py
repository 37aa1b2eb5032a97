"""Reading a volume in somebody's container, by bind and over HTTP, against bare TensorStore.

The reader in the container is `gateway.notebook.open`, started by `gateway up` for a person who may
see the volume; the bare one is TensorStore in a process of this machine. They read the same whole
level in turns; all of it is in memory, so the way counts and not the disk. The best of the rounds
counts, since other guests of a shared machine only ever slow a round down.

    python benchmarks/bench_container_reads.py [--image IMAGE] [--size 320] [--rounds 5]
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, cast

import numpy as np
from bench_spawn import notebook
from container_hub import ContainerHub, container_hub

from gateway.algo.pyramid import reduce_mean
from gateway.hub import docker as containers
from gateway.hub.profiles import LAB_IMAGE
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.settings import Settings
from gateway.volumes.layout import shard_boxes
from gateway.volumes.model import VolumeInfo
from gateway.volumes.writer import create_volume

BAR_BIND, BAR_HTTP = 0.95, 0.5
PERSON, REF = "reader", "bench/raw"
BARE = """
import sys, time
import tensorstore as ts
place = {"driver": "file", "path": sys.argv[1]}
array = ts.open({"driver": "zarr3", "kvstore": place}).result()
for line in sys.stdin:
    began = time.perf_counter()
    voxels = array.read().result()
    print(time.perf_counter() - began, flush=True)
"""
OPEN = f"""
import os, time
from gateway.client.connect import connect
from gateway.notebook import open as open_thing
by_bind = open_thing({REF!r})
by_http = connect(os.environ["GATEWAY_URL"], os.environ["GATEWAY_TOKEN"]).open({REF!r})
print(type(by_bind.volume.store).__name__, type(by_http.store).__name__)
"""
READ = """
began = time.perf_counter()
voxels = {what}[0]
print(time.perf_counter() - began)
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--image", default=LAB_IMAGE)
    options.add_argument("--size", type=int, default=320, help="voxels along each axis")
    options.add_argument("--rounds", type=int, default=5)
    given = options.parse_args()
    lack = containers.lack(Settings(hub_images=(f"lab={given.image}",)))
    if lack is not None:
        print(f"no containers here: {lack}")
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        array = fill(home, given.size)
        with container_hub(home, given.image) as hub:
            report(measure(hub, array, given.rounds), given.size)


def fill(home: Path, size: int) -> Path:
    """Write the volume and let the person see it; return the folder of its first level."""
    init_home(home)
    gateway = open_gateway(home)
    info = VolumeInfo(kind="image", dtype="uint16", shape=(size,) * 3, voxel_um=(1.0, 1.0, 1.0))
    z, y, x = np.ogrid[:size, :size, :size]
    noise = np.random.default_rng(7).normal(0, 20, (size,) * 3)
    voxels = (1000 + 500 * np.sin(z / 20) * np.cos(y / 31) * np.sin(x / 17) + noise).astype("u2")
    with gateway.catalogue:
        writer = create_volume(gateway.store, f"{REF}.ome.zarr", info, reduce_mean)
        boxes = shard_boxes(writer.info.levels[0])
        cells = [writer.write(box, voxels[(np.newaxis, *box.slices())]) for box in boxes]
        for level in range(writer.derived + 1, len(writer.info.levels)):
            boxes = shard_boxes(writer.info.levels[level])
            cells += [writer.write_level(level, box) for box in boxes]
        writer.finish(cells)
        grant(gateway, REF.partition("/")[0], f"person:{PERSON}", Role.VIEWER)
        return Path(str(gateway.store.local_path(f"{REF}.ome.zarr/{writer.info.levels[0].path}")))


def measure(hub: ContainerHub, array: Path, rounds: int) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {"bare": [], "bind": [], "http": []}
    words = [sys.executable, "-c", BARE, str(array)]
    with (
        notebook(hub.url, PERSON, hub.password) as compute,
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bare,
    ):
        print(f"in the container: {compute(OPEN)}")
        asked, answers = cast("IO[str]", bare.stdin), cast("IO[str]", bare.stdout)
        for _ in range(rounds + 1):  # the first round fills the memory
            print(file=asked, flush=True)
            seconds["bare"].append(float(answers.readline()))
            for way in ("bind", "http"):
                seconds[way].append(float(compute(READ.format(what=f"by_{way}"))))
        asked.close()
    return {way: found[1:] for way, found in seconds.items()}


def report(seconds: dict[str, list[float]], size: int) -> None:
    print(f"{size}³ uint16, load of the machine {os.getloadavg()[1]:.1f}, {os.cpu_count()} cores")
    best = {way: min(found) for way, found in seconds.items()}
    for way, bar in (("bind", BAR_BIND), ("http", BAR_HTTP)):
        ratio = best["bare"] / best[way]
        verdict = "ok" if ratio >= bar else "MISSED"
        rate = size**3 * 2 / best[way] / 1e6
        print(f"{way}  {ratio:.2f} of bare TensorStore (bar {bar}: {verdict}); {rate:.0f} MB/s")
    print(f"bare {size**3 * 2 / best['bare'] / 1e6:.0f} MB/s")


if __name__ == "__main__":
    main()
