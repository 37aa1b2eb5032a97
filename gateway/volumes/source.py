"""What the gateway reads voxels from: anything with a shape that can be read by box."""

from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from gateway.volumes.box import Box, Shape
from gateway.volumes.model import VolumeInfo


@runtime_checkable
class Source(Protocol):
    """A readable array of voxels: a volume of a store, a TIFF, a folder of planes, an HDF5 file."""

    @property
    def info(self) -> VolumeInfo:
        """Shape, dtype, voxel size and channels; `levels` may be empty."""
        ...

    @property
    def read_unit(self) -> Shape:
        """The smallest box, zyx, that costs no more to read than its parts (a plane, a chunk)."""
        ...

    def read(
        self, box: Box, *, level: int = 0, channel: int | None = None, time: int = 0
    ) -> NDArray[Any]:
        """Read a box.

        Args:
            box: The voxels wanted, in the grid of `level`, inside the volume.
            level: The resolution level; 0 is the finest.
            channel: One channel, giving a `zyx` array; None reads all, giving `czyx`.
            time: The time point.

        Returns:
            A C-contiguous array in the dtype of `info`.

        Raises:
            FormatError: The file is broken; names the file and the place.
            StoreError: The storage failed.
        """
        ...
