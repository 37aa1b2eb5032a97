"""Stitching with known truth: ours against multiview-stitcher, on the same tiles in one run.

Run: GATEWAY_TEST_DATA=… python benchmarks/bench_stitch.py [--peer-python PYTHON] [--json]

Each contender is a process of its own, with its own defaults, that reads the tiles, places them,
joins them and writes the volume; CPU is all that it used from start to end, imports included, and
`work` is what it used after its imports. multiview-stitcher comes with
`pip install brain-gateway[bench]`; `--peer-python` names the interpreter of another environment
that has it. rms is the distance from the truth in voxels, once the common offset is removed.
"""

import argparse
import csv
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SIGNAL = "nuclei_cellfinder_lightsheet/ch0_signal.tif"
BACKGROUND = "nuclei_cellfinder_lightsheet/ch1_background.tif"
BRAIN = "brainreg_mouse/input_brain_every2.tif"
GRIDS: dict[str, tuple[Any, ...]] = {
    # name: sources side by side, grid, tile, overlap, sub-voxel truth, bar
    "10 %": ((SIGNAL,), (3, 2), (24, 174, 166), 0.10, False, 0.05),
    "8 % sub-voxel": ((BACKGROUND,), (2, 2), (24, 240, 160), 0.08, True, 0.3),
    "5 %": ((SIGNAL,), (2, 2), (24, 250, 165), 0.05, False, 0.3),
    "own seams, 8 %": ((SIGNAL, BACKGROUND), (2, 3), (24, 250, 232), 0.08, False, 0.05),
    "brain, 10 %": ((BRAIN,), (2, 3), (60, 94, 92), 0.10, False, 0.05),
}
SEED = 11


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--contender", choices=sorted(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        print(json.dumps(CONTENDERS[given.contender](given.folder)))
        return
    data = os.environ.get("GATEWAY_TEST_DATA")
    if not data:
        sys.exit("set GATEWAY_TEST_DATA to the folder of real volumes")
    with tempfile.TemporaryDirectory() as scratch:
        rows = [
            compare(name, folder, bar, given.peer_python)
            for name, folder, bar in make_grids(Path(data).resolve(), Path(scratch))
        ]
    print(json.dumps(rows) if given.json else table(rows))


def make_grids(data: Path, scratch: Path) -> list[tuple[str, Path, float]]:
    """Return the published grid and others cut from real stacks, with the rms allowed."""
    import tifffile

    spec = importlib.util.spec_from_file_location("cut", data / "scripts" / "make_tiles.py")
    if spec is None or spec.loader is None:
        sys.exit(f"{data} has no scripts/make_tiles.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    grids = [("published", data / "tiles_pub_cellfinder3d", 0.05)]
    for name, (sources, grid, tile, overlap, fractions, bar) in GRIDS.items():
        volume = np.concatenate([tifffile.imread(data / s) for s in sources], axis=2)
        folder = scratch / str(len(grids))
        module.make(volume, folder, grid, tile, overlap, SEED, subpix=fractions)
        grids.append((name, folder, bar))
    return grids


def compare(name: str, folder: Path, bar: float, peer_python: str) -> dict[str, Any]:
    row: dict[str, Any] = {"grid": name, "bar": bar}
    for contender, python in (("gateway", sys.executable), ("multiview-stitcher", peer_python)):
        row[contender] = measure(contender, python, folder)
    return row


def measure(contender: str, python: str, folder: Path) -> dict[str, Any] | None:
    """Run one contender in a process of its own; None where it cannot run."""
    command = [python, __file__, "--contender", contender, "--folder", str(folder)]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdout=out, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        log.seek(0)
        if process.returncode:
            reason = (log.read().strip().splitlines() or ["no message"])[-1]
            print(f"{contender}: {reason}", file=sys.stderr)
            print("  (`pip install brain-gateway[bench]` adds the peers)", file=sys.stderr)
            return None
        given = json.loads(out.read().strip().splitlines()[-1])
    nominal, true = read_places(folder)
    moved = np.asarray([given["positions"][file] for file in nominal])
    return {
        "rms": rms(moved - np.asarray(list(true.values()))),
        "cpu_s": used.ru_utime + used.ru_stime,
        "work_s": given["work_s"],
    }


def read_places(folder: Path) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    with (folder / "positions.csv").open() as file:
        rows = list(csv.DictReader(file))
    return tuple(
        {row["file"]: [float(row[f"{kind}_{axis}"]) for axis in "zyx"] for row in rows}
        for kind in ("nominal", "true")
    )  # type: ignore[return-value]


def rms(off: np.ndarray) -> float:
    off = off - off.mean(axis=0)
    return float(np.sqrt((off**2).sum(axis=1).mean()))


def stitch_ours(folder: Path) -> dict[str, Any]:
    from gateway.run.execute import execute
    from gateway.run.plan import RunOptions, make_plan
    from gateway.toolkit.call import make_call
    from gateway.toolkit.registry import get_tool
    from gateway.volumes.checksums import checksum_file
    from gateway.volumes.formats.format import OpenOptions
    from gateway.volumes.formats.registry import open_source
    from gateway.volumes.model import Channel
    from gateway.volumes.open import open_ref
    from gateway.volumes.ref import parse_ref
    from gateway.volumes.store import open_store
    from gateway.volumes.tiles import InPlace, Tile, TileGridInfo, write_tiles

    started = time.process_time()
    nominal, _ = read_places(folder)
    tiles, dtype = [], ""
    for file, place in nominal.items():
        path = folder / file
        info = open_source(path, OpenOptions(voxel_um=(1.0, 1.0, 1.0))).info
        dtype = info.dtype
        tiles.append(
            Tile(
                file=file,
                nominal_voxels=(place[0], place[1], place[2]),
                shape=info.shape,
                checksum=checksum_file(path),
                bytes=path.stat().st_size,
                in_place=InPlace(path=str(path), mtime_ns=path.stat().st_mtime_ns),
            )
        )
    grid = TileGridInfo(
        tiles=tuple(tiles), voxel_um=(1.0, 1.0, 1.0), dtype=dtype, channels=(Channel(name="0"),)
    )
    with tempfile.TemporaryDirectory() as scratch:
        store = open_store(scratch, create=True)
        write_tiles(store, "b/raw.tiles", grid)
        spec = get_tool("stitch")
        outputs = {"image": "b/fused", "positions": "b/places"}
        call = make_call(spec, {"tiles": "b/raw"}, outputs, {})
        execute(make_plan(spec, call, store, RunOptions(workers=1)), store)
        table: Any = open_ref(store, parse_ref("b/places"))
        rows = table.read(columns=["file", "z", "y", "x"])
    places = zip(*(rows[axis].tolist() for axis in "zyx"), strict=True)
    positions = dict(zip(rows["file"].tolist(), map(list, places), strict=True))
    return {"positions": positions, "work_s": time.process_time() - started}


def stitch_peer(folder: Path) -> dict[str, Any]:
    import tifffile
    from multiview_stitcher import fusion, msi_utils, registration
    from multiview_stitcher import spatial_image_utils as images

    started = time.process_time()
    nominal, _ = read_places(folder)
    tiles = [
        msi_utils.get_msim_from_sim(
            images.get_sim_from_array(
                tifffile.imread(folder / file),
                dims=["z", "y", "x"],
                scale=dict.fromkeys("zyx", 1.0),
                translation=dict(zip("zyx", place, strict=True)),
                transform_key="stage",
            ),
            scale_factors=[],
        )
        for file, place in nominal.items()
    ]
    registration.register(
        tiles,
        reg_channel_index=0,
        transform_key="stage",
        new_transform_key="placed",
        registration_binning=dict.fromkeys("zyx", 1),
    )
    views = [msi_utils.get_sim_from_msim(tile) for tile in tiles]
    positions = {}
    for (file, place), view in zip(nominal.items(), views, strict=True):
        affine = images.get_affine_from_sim(view, transform_key="placed")
        moved = np.asarray(affine).squeeze()
        positions[file] = (np.asarray(place) + moved[:3, 3]).tolist()
    fused = fusion.fuse(views, transform_key="placed", output_spacing=dict.fromkeys("zyx", 1.0))
    with tempfile.TemporaryDirectory() as scratch:
        tifffile.imwrite(Path(scratch) / "fused.tif", np.asarray(fused.data.compute()).squeeze())
    return {"positions": positions, "work_s": time.process_time() - started}


def table(rows: list[dict[str, Any]]) -> str:
    lines = [
        (
            f"{'grid':<16}{'rms allowed':>12}{'ours':>8}{'peer':>8}{'CPU s ours':>12}{'peer':>8}"
            f"{'ratio':>8}{'work ratio':>12}"
        )
    ]
    for row in rows:
        ours, peer = row["gateway"], row["multiview-stitcher"]
        line = f"{row['grid']:<16}{row['bar']:>12.2f}{ours['rms']:>8.3f}"
        if peer:
            line += f"{peer['rms']:>8.3f}{ours['cpu_s']:>12.2f}{peer['cpu_s']:>8.2f}"
            line += f"{ours['cpu_s'] / peer['cpu_s']:>8.2f}{ours['work_s'] / peer['work_s']:>12.2f}"
        else:
            line += f"{'absent':>8}{ours['cpu_s']:>12.2f}"
        lines.append(line)
    return "\n".join(lines)


CONTENDERS = {"gateway": stitch_ours, "multiview-stitcher": stitch_peer}

if __name__ == "__main__":
    main()
