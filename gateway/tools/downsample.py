"""The tool `downsample`: the same volume with fewer, larger voxels."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.errors import CallError
from gateway.toolkit.define import tool
from gateway.toolkit.passes import Arrays, Blocks, Pass, Passes, Work
from gateway.toolkit.ports import Image, Labels
from gateway.toolkit.spec import Example
from gateway.volumes.box import Box, Shape
from gateway.volumes.model import VolumeInfo

Factor = Annotated[int, Field(ge=1, le=64)]
Reduce = Callable[[NDArray[Any], Shape], NDArray[Any]]


class Downsampled(NamedTuple):
    """What `downsample` gives: of the kind that was given.

    Args:
        image: Means, exactly rounded.
        labels: Most frequent labels.
    """

    image: Image | None
    labels: Labels | None


@tool(
    version="1.0.0",
    image="brain-gateway/tools",
    edam=("operation_3443",),
    examples=(
        Example(
            inputs={"image": "two_blobs"},
            params={"factor": (2, 2, 2)},
            expect={
                "image": "blake3:c6dedab11354e0ceb178ad67c76566eca9e746c20fe1f578e073b1b3ec595c54"
            },
        ),
    ),
)
def downsample(
    image: Image | None = None,
    labels: Labels | None = None,
    *,
    factor: tuple[Factor, Factor, Factor] = (2, 2, 2),
) -> Passes[Downsampled]:
    """Reduce a volume by whole factors: the mean of intensities, the mode of labels.

    Means are rounded half to even, so that nothing gets darker or brighter. A window that sticks
    out at the far faces takes the voxels that exist. The position in micrometres is kept.

    Args:
        image: The image to reduce; give one input.
        labels: The labels to reduce.
        factor: Voxels per new voxel along z, y and x.
    """
    given: dict[str, tuple[Any, Reduce]] = {}
    if image is not None:
        given["image"] = (image, reduce_mean)
    if labels is not None:
        given["labels"] = (labels, reduce_mode)
    if len(given) != 1:
        raise CallError(f"downsample: {len(given)} inputs given; give one of image, labels")
    port, (source, reduce) = next(iter(given.items()))
    grid = _coarser(source.info, factor)
    voxels = factor[0] * factor[1] * factor[2]
    size = np.dtype(grid.dtype).itemsize * len(grid.channels)
    passes = tuple(
        Pass(
            name=name,
            work=_Reducer(port, reduce, factor).compute,
            over=Blocks(grid=grid),
            writes=name,
            needed_for=(name,),
            bytes_per_voxel=float(size * (voxels + 2)),
        )
        for name in Downsampled._fields
    )
    return Passes(passes=passes)


@dataclass(frozen=True, slots=True)
class _Reducer:
    """Reads the voxels under a block and reduces them."""

    port: str
    reduce: Reduce
    factor: Shape

    def compute(self, work: Work) -> Arrays:
        """Return the reduced voxels of a block, czyx."""
        source = work.inputs[self.port]
        z, y, x = (a * f for a, f in zip(work.box.start, self.factor, strict=True))
        stop = tuple(
            min(n, b * f)
            for n, b, f in zip(source.info.shape, work.box.stop, self.factor, strict=True)
        )
        under = Box((z, y, x), (stop[0], stop[1], stop[2]))
        channels = range(len(source.info.channels))
        return {
            "voxels": np.stack(
                [self.reduce(source.read(under, channel=c), self.factor) for c in channels]
            )
        }


def _coarser(info: VolumeInfo, factor: Shape) -> VolumeInfo:
    """Return the metadata of the reduced volume; its first voxel is centred on its window."""
    sizes = zip(info.shape, info.voxel_um, info.origin_um, factor, strict=True)
    (nz, vz, oz), (ny, vy, oy), (nx, vx, ox) = (
        (-(-n // f), v * f, o + (f - 1) / 2 * v) for n, v, o, f in sizes
    )
    return replace(
        info,
        shape=(nz, ny, nx),
        voxel_um=(vz, vy, vx),
        origin_um=(oz, oy, ox),
        levels=(),
        digest=None,
        made_by=None,
        attributes={},
    )
