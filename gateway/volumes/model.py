"""What a volume is: shape, voxel size, channels, levels. Data only, no I/O."""

from dataclasses import dataclass, field
from typing import Literal

from gateway.volumes.box import Shape, Vector

VolumeKind = Literal["image", "labels"]
IMAGE_DTYPES = ("uint8", "uint16", "int16", "float32")
LABEL_DTYPES = ("uint32", "uint64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """How one channel is called and shown."""

    name: str
    colour: str = "FFFFFF"
    """Six hexadecimal digits, RGB."""
    window: tuple[float, float] | None = None
    """Intensities shown as black and as full colour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One resolution of a volume."""

    path: str
    shape: Shape
    """Voxels per axis, zyx."""
    factor: Shape
    """Voxels of level 0 per voxel of this level, zyx."""
    voxel_um: Vector
    origin_um: Vector
    """Position of the centre of voxel (0, 0, 0)."""
    chunk: Shape
    shard: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeInfo:
    """The metadata of a volume. Axes are always `czyx`, or `tczyx` where `times` > 1."""

    kind: VolumeKind
    dtype: str
    shape: Shape
    """Voxels per axis at level 0, zyx."""
    voxel_um: Vector
    origin_um: Vector = (0.0, 0.0, 0.0)
    channels: tuple[Channel, ...] = (Channel(name="0"),)
    times: int = 1
    time_step_s: float | None = None
    levels: tuple[Level, ...] = ()
    digest: str | None = None
    """`blake3:…` over decoded content, shape, dtype and voxel size; None until complete."""
    made_by: str | None = None
    """Id of the run that made it."""
    attributes: dict[str, object] = field(default_factory=dict)

    @property
    def axes(self) -> str:
        """`czyx`, or `tczyx` for a time series."""
        return "tczyx" if self.times > 1 else "czyx"

    @property
    def array_shape(self) -> tuple[int, ...]:
        """Shape of level 0 in the order of `axes`."""
        lead = (self.times,) if self.times > 1 else ()
        return (*lead, len(self.channels), *self.shape)
