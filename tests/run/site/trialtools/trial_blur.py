"""A block tool in whole numbers: the mean of a cube of voxels."""

import time
from typing import Annotated

import numpy as np
from pydantic import Field

from gateway.toolkit.define import tool
from gateway.toolkit.ports import ImageBlock


def _radius(params):
    return params.radius


@tool(version="1.0.0", image="trial", halo_voxels=_radius, bytes_per_voxel=24.0)
def trial_blur(
    image: ImageBlock,
    *,
    radius: Annotated[int, Field(ge=0, le=20)] = 2,
    delay_s: Annotated[float, Field(ge=0, le=10)] = 0.0,
) -> ImageBlock:
    """Average a cube of voxels, edges repeated.

    Args:
        image: What to average.
        radius: Voxels on each side of the centre.
        delay_s: Time to waste per block.
    """
    time.sleep(delay_s)
    start, stop = image.box.start, image.box.stop
    pads = [
        (radius - min(radius, c - a), radius - min(radius, b - d))
        for a, b, c, d in zip(start, stop, image.core.start, image.core.stop, strict=True)
    ]
    voxels = np.pad(image.data.astype(np.int64), pads, mode="edge")
    size = 2 * radius + 1
    for axis in range(3):
        total = np.insert(np.cumsum(voxels, axis=axis), 0, 0, axis=axis)
        voxels = np.take(total, range(size, total.shape[axis]), axis=axis) - np.take(
            total, range(total.shape[axis] - size), axis=axis
        )
    core = (voxels // size**3).astype(image.data.dtype)
    result = image.data.copy()
    result[image.core.slices(start)] = core
    return image.with_data(result)
