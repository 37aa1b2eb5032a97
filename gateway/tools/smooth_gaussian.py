"""Smooth an image with a Gaussian that is round in micrometres."""

from typing import Annotated, Any

import numpy as np
from pydantic import Field

from gateway.algo.gaussian import half_kernels, reflect_indices, smooth_valid, support
from gateway.toolkit.define import tool
from gateway.toolkit.ports import ImageBlock
from gateway.toolkit.spec import Example


def _reach_um(params: Any) -> float:
    """Return where the kernel ends: four standard deviations."""
    return 4.0 * float(params.sigma_um)


@tool(
    version="1.0.0",
    image="brain-gateway/tools",
    halo_um=_reach_um,
    bytes_per_voxel=24.0,
    edam=("operation_3443",),
    examples=(
        Example(
            inputs={"image": "two_blobs"},
            params={"sigma_um": 2.0},
            expect={
                "image": "blake3:b5f2ba6df39592859e5815b719a20c1e3872afce361fa4bfa6e07bebba400c64"
            },
        ),
    ),
)
def smooth_gaussian(
    image: ImageBlock,
    *,
    sigma_um: Annotated[float, Field(gt=0, le=100)] = 1.0,
) -> ImageBlock:
    """Smooth an image with a Gaussian.

    The kernel ends at four standard deviations; at the faces of the volume the image is mirrored.
    Whole-number images are rounded half to even.

    Args:
        image: The image to smooth; each channel is smoothed by itself.
        sigma_um: Standard deviation in micrometres, the same along z, y and x.

    Returns:
        The smoothed image, in the dtype of the input.
    """
    kernels = half_kernels(sigma_um, image.voxel_um)
    core, reach = image.core, support(kernels)
    mirrored = [
        reflect_indices(a - r, b + r, n) - first
        for a, b, r, n, first in zip(
            core.start, core.stop, reach, image.volume_shape, image.box.start, strict=True
        )
    ]
    padded = image.data[np.ix_(*mirrored)].astype(np.float32)
    smooth = smooth_valid(padded, kernels)
    if image.data.dtype.kind != "f":
        limits = np.iinfo(image.data.dtype)
        smooth = np.rint(smooth).clip(limits.min, limits.max)
    return image.with_core(smooth.astype(image.data.dtype))
