"""A tool of three passes: a threshold from the histogram, labels of planes, and a table."""

import time
from dataclasses import replace
from functools import partial
from typing import Annotated, NamedTuple

import numpy as np
from pydantic import Field

from gateway.toolkit.define import tool
from gateway.toolkit.passes import Blocks, Items, Pass, Passes
from gateway.toolkit.ports import Image, Labels, Points
from gateway.volumes.box import Box


class Found(NamedTuple):
    """What is found.

    Attributes:
        peaks: One row per peak.
        labels: Bright voxels carry the number of their plane.
    """

    peaks: Points
    labels: Labels | None


@tool(version="1.0.0", image="trial")
def trial_find(
    image: Image,
    *,
    share: Annotated[float, Field(gt=0, lt=1)] = 0.05,
    crop: Annotated[int, Field(ge=0)] = 0,
    delay_s: Annotated[float, Field(ge=0, le=10)] = 0.0,
) -> Passes[Found]:
    """Find what is bright.

    Args:
        image: Where to look.
        share: Share of the voxels that is bright.
        crop: Planes left out at the top, once the histogram is known.
        delay_s: Time to waste per block.
    """
    labels = replace(image.info, kind="labels", dtype="uint32")
    return Passes(
        passes=(
            Pass(
                name="histogram",
                work=partial(_count, delay_s=delay_s),
                over=Blocks(grid=image.info),
                merge=partial(_add, share=share),
            ),
            Pass(name="check", work=_check, over=Items(count=5, bytes_each=1000)),
            Pass(
                name="mark",
                work=partial(_mark, crop=crop, delay_s=delay_s),
                over=Blocks(grid=labels, halo_voxels=(1, 1, 1)),
                writes="labels",
                settle=partial(_settle, crop=crop),
            ),
        ),
        tables={"peaks": _peaks},
        reports={"threshold.txt": _report},
    )


def _count(work, *, delay_s):
    time.sleep(delay_s)
    voxels = work.inputs["image"].read(work.box, channel=0)
    return {"counts": np.bincount(voxels.ravel() >> 4, minlength=4096)}


def _add(blocks, _work, *, share):
    counts = sum(block["counts"] for block in blocks)
    wanted = 0
    for value in range(len(counts) - 1, -1, -1):
        wanted += counts[value]
        if wanted >= counts.sum() * share:
            break
    return {"threshold": np.asarray(value << 4), "counts": counts}


def _check(work):
    return {"item": np.asarray([work.item]), "twice": np.asarray([2.0 * work.item])}


def _settle(work, *, crop):
    image = work.inputs["image"].info
    z, y, x = image.shape
    grid = replace(image, kind="labels", dtype="uint32", shape=(z - crop, y, x))
    return Blocks(grid=grid, halo_voxels=(1, 1, 1))


def _mark(work, *, crop, delay_s):
    time.sleep(delay_s)
    image = work.inputs["image"]
    box = work.box.shift((crop, 0, 0))
    wide = box.grow((1, 1, 1), image.info.shape)
    voxels = image.read(wide, channel=0).astype(np.int64)
    threshold = int(work.state["histogram"]["threshold"])
    assert work.state["check"]["item"].tolist() == [0, 1, 2, 3, 4]
    inner = voxels[box.slices(wide.start)]
    bright = inner > threshold
    planes = np.arange(box.start[0], box.stop[0]).reshape(-1, 1, 1) + 1
    padded = np.pad(voxels, 1, mode="edge")
    peak = bright.copy()
    core = Box(
        tuple(a - b + 1 for a, b in zip(box.start, wide.start, strict=True)),
        tuple(a - b + 1 for a, b in zip(box.stop, wide.start, strict=True)),
    )
    for axis in range(3):
        for side in (-1, 1):
            offset = tuple(side * (a == axis) for a in range(3))
            neighbour = padded[core.shift(offset).slices()]
            peak &= (inner > neighbour) if side > 0 else (inner >= neighbour)
    where = np.argwhere(peak) + np.asarray(box.start)
    um = where * np.asarray(image.info.voxel_um)
    return {
        "voxels": np.where(bright, planes, 0).astype(np.uint32),
        "z_um": um[:, 0],
        "y_um": um[:, 1],
        "x_um": um[:, 2],
        "value": inner[peak],
    }


def _peaks(work):
    return work.state["mark"]


def _report(work):
    return str(int(work.state["histogram"]["threshold"])).encode()
