"""The viewer: from the click to all visible chunks, ours against stock Neuroglancer on nginx.

One dataset: two channels and labels of 512³ voxels, and 1 million points. Ours: a signed-in person
on the dataset's page clicks "Open in viewer". Theirs: the same client, state and bytes as files of
an nginx without any access check, opened by a link on a page. Both in turns in the same chromium,
in a fresh profile each time, one run. The clock stops when the client itself says that all of its
panels are ready: every chunk that one of them shows, of voxels and of points, is in the memory of
the graphics processor. Network silence would not do: the client fetches ahead.

Bar: at most 1.3 times stock Neuroglancer's time (median of the pairs).

    apt-get install nginx-light chromium
    python benchmarks/bench_viewer.py [--rounds 5] [--edge 512] [--points 1000000]
"""

import argparse
import itertools
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_serving import gateway, nginx
from playwright.sync_api import Browser, sync_playwright

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.service.access.login import local_administrator
from gateway.service.access.sessions import open_session
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.view.annotations import read
from gateway.service.view.states import viewer_state
from gateway.volumes.layout import shard_boxes
from gateway.volumes.model import Channel, VolumeInfo
from gateway.volumes.points import write_points
from gateway.volumes.ref import Ref
from gateway.volumes.store import Store
from gateway.volumes.writer import create_volume, open_writer
from gateway.web.pages.viewer import client_folder

MOST = 1.3
VOXEL_UM = 2.0
WAIT_MS = 300_000
FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"),
]
ALL_THERE = """
(expected) => {
  const frame = document.getElementById("client");
  const viewer = frame ? frame.contentWindow?.viewer : window.viewer;
  let there = viewer?.layerManager?.managedLayers.length === expected;
  try {
    there = there && Boolean(viewer.isReady());
  } catch {
    there = false;  // it asks its panels before they are laid out
  }
  if (!there) { window.sinceWhen = undefined; return false; }
  window.sinceWhen ??= Date.now();
  return Date.now() - window.sinceWhen >= 300 ? window.sinceWhen : false;
}
"""
"""The client's own answer to whether every panel has every chunk that it shows, points too."""
START = """
<!doctype html><a href="v/stock/shown.html">Open</a>
"""
SHOW = """
<script type="module">
  // the client loses a layer of a state that comes in its address while it starts
  const asked = fetch("../../state.json").then((answer) => answer.json());
  while (!document.querySelector(".neuroglancer-rendered-data-panel"))
    await new Promise((done) => requestAnimationFrame(done));
  const state = await asked;
  viewer.state.reset();
  viewer.state.restoreState(state);
</script>
"""
COUNT = """
() => {
  const frame = document.getElementById("client");
  const viewer = frame ? frame.contentWindow.viewer : window.viewer;
  return viewer.layerManager.managedLayers.flatMap((m) => m.layer?.renderLayers ?? [])
    .reduce((n, part) => n + (part.layerChunkProgressInfo?.numVisibleChunksNeeded ?? 0), 0);
}
"""


@dataclass(frozen=True)
class Look:
    """A page, and the link on it that is clicked."""

    url: str
    path: str
    link: str
    token: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--edge", type=int, default=512)
    parser.add_argument("--points", type=int, default=1_000_000)
    given = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if not (chromium and shutil.which("nginx")):
        print("nginx or chromium is not installed: apt-get install nginx-light chromium")
        return 0
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        token = make_home(folder / "home", given.edge, given.points)
        ours = stack.enter_context(gateway(folder / "home"))
        theirs = stack.enter_context(nginx(folder, folder / "home" / "store"))
        expected = make_stock(folder / "home", theirs)
        with browsing(chromium) as browser:
            looks = {
                "ours": Look(ours, "/d/brain", "a.button[href$='/d/brain/view']", token),
                "theirs": Look(theirs, "/data/start.html", "a"),
            }
            pairs = measure(browser, looks, expected, given.rounds)
    return tell(pairs)


def make_home(home: Path, edge: int, points: int) -> str:
    """Write the dataset; return the secret of somebody who may see it."""
    init_home(home)
    with (opened := open_gateway(home)).catalogue:
        random = np.random.default_rng(5)
        grain = random.integers(0, 60, (edge, edge, edge), dtype=np.uint8)
        for channel, place in enumerate(itertools.product((0.3, 0.7), repeat=3)):
            at = tuple(slice(int(edge * (p - 0.2)), int(edge * (p + 0.2))) for p in place)
            grain[at] += 60 + 10 * channel
        put(opened.store, "brain/raw", np.stack([grain, 255 - grain]), "image")
        numbers = np.indices((edge, edge, edge), dtype=np.uint16) // 32
        put(
            opened.store,
            "brain/parts",
            (numbers[0] * 256 + numbers[1] * 16 + numbers[2])[None] + 1,
            "labels",
        )
        at = random.random((points, 3)) * edge * VOXEL_UM
        columns = {name: at[:, axis] for axis, name in enumerate(("z_um", "y_um", "x_um"))}
        write_points(opened.store, "brain/cells.points.parquet", columns)
        return open_session(opened, local_administrator(opened))


def put(store: Store, ref: str, voxels: np.ndarray, kind: Any) -> None:
    reduce = reduce_mode if kind == "labels" else reduce_mean
    dtype = "uint32" if kind == "labels" else "uint8"
    channels = tuple(Channel(name=f"stain {n}") for n in range(len(voxels)))
    info = VolumeInfo(
        kind=kind,
        dtype=dtype,
        shape=voxels.shape[1:],
        voxel_um=(VOXEL_UM,) * 3,
        channels=channels,
    )
    key = f"{ref}.ome.zarr"
    planned = create_volume(store, key, info, reduce).info
    writer = open_writer(store, key, reduce)
    cells = [
        writer.write(box, voxels[(slice(None), *box.slices())].astype(dtype))
        for box in shard_boxes(planned.levels[0])
    ]
    for level in range(writer.derived + 1, len(planned.levels)):
        cells += [writer.write_level(level, box) for box in shard_boxes(planned.levels[level])]
    writer.finish(cells, made_by="benchmark")


def make_stock(home: Path, url: str) -> int:
    """Put the client, its state and the annotations beside the files; return how many layers."""
    opened = open_gateway(home)
    store = home / "store"
    shutil.copytree(client_folder(), store / "v" / "stock")
    with opened.catalogue:
        write_annotations(opened, store / "brain" / "cells.points")
        state = viewer_state(opened, "brain", url)
    page = store / "v" / "stock" / "index.html"
    page.with_name("shown.html").write_text(page.read_text().replace("</head>", SHOW + "</head>"))
    (store / "state.json").write_text(json.dumps(state))
    (store / "start.html").write_text(START)
    return len(state["layers"])


def write_annotations(opened: Gateway, folder: Path) -> None:
    """Write as files what we make of the points when it is asked for."""
    ref = Ref("brain", "cells")
    info = json.loads(read(opened, ref, "info"))
    keys = ["info"]
    for level in info["spatial"]:
        places = itertools.product(*map(range, level["grid_shape"]))
        keys += [f"{level['key']}/{x}_{y}_{z}" for x, y, z in places]
    for key in keys:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(read(opened, ref, key))


@contextmanager
def browsing(program: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


def measure(
    browser: Browser, looks: dict[str, Look], expected: int, rounds: int
) -> list[tuple[float, float]]:
    pairs = []
    for turn in range(-1, rounds):  # the first warms up and does not count
        seconds = {}
        for side in looks if turn % 2 else reversed(looks):
            seconds[side], chunks = click(browser, looks[side], expected)
            print(f"round {turn + 1}: {side:7} {seconds[side]:7.2f} s, {chunks} chunks", flush=True)
        if turn >= 0:
            pairs.append((seconds["ours"], seconds["theirs"]))
    return pairs


def click(browser: Browser, look: Look, expected: int) -> tuple[float, int]:
    """Return the seconds from a click to all chunks, and how many chunks those are."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(WAIT_MS)
    try:
        if look.token:
            name = f"gateway_session_{look.url.rsplit(':', 1)[1]}"
            context.add_cookies([{"name": name, "value": look.token, "url": look.url}])
        page = context.new_page()
        page.goto(look.url + look.path)
        page.wait_for_load_state("networkidle")
        begun = page.evaluate("Date.now()")
        page.click(look.link, no_wait_after=True)
        ended = page.wait_for_function(ALL_THERE, arg=expected, polling=50).json_value()
        return (ended - begun) / 1000, page.evaluate(COUNT)
    finally:
        context.close()


def tell(pairs: list[tuple[float, float]]) -> int:
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    met = ratio <= MOST
    print(f"click to all visible chunks: ours {ours:.2f} s, stock on nginx {theirs:.2f} s")
    print(f"ratio {ratio:.2f}x  bar <= {MOST}x: {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
