"""What a tool of more than one step hands to an engine: passes over blocks, and their merges.

A passes tool is a function from handles and settings to a `Passes`. It is called when the run
is planned and again in every worker, so it must be cheap, deterministic and read metadata only.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray
from pydantic import BaseModel

from gateway.volumes.box import Box, Shape
from gateway.volumes.model import VolumeInfo

Arrays = Mapping[str, NDArray[Any]]
"""Named arrays: what blocks give and merges return. Stored as `.npz` without pickle."""

OutputsT = TypeVar("OutputsT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the function of a pass sees: one block, or one item."""

    box: Box
    """The voxels of the grid to compute, without halo; for items the empty box."""
    item: int
    """Index of the item; -1 for a block."""
    inputs: Mapping[str, Any]
    """Port to handle: `Volume`, `PointsTable`, `TileGrid`."""
    params: BaseModel
    state: Mapping[str, Arrays]
    """Merged result of each earlier pass, by its name."""
    task: Box | None = None
    """The voxels of the whole task, of which `box` is a part: what a `read_unit` may be read for
    once; None where there is nothing to gain."""
    time: int = 0
    """The time point; only a grid of several times has others than 0."""
    threads: int = 1
    """How many threads `work` may keep busy."""
    folder: Path | None = None
    """Where the files of an output of kind tiles are put; None for a store that has no folders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """A pass over the blocks of a grid."""

    grid: VolumeInfo
    """Shape and, where the pass writes, everything of the volume it makes."""
    halo_voxels: Shape = (0, 0, 0)
    """What `work` reads beyond its block; used to plan memory and bytes."""
    read_unit: Shape = (1, 1, 1)
    """The smallest box of the input that costs no more to read than its parts, such as a plane of
    a compressed stack. Shards are laid along it, tasks cover whole units where memory allows, and
    `work` may keep the voxels of `Work.task` in memory while the task lasts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """A pass over independent items: pairs of tiles, files."""

    count: int
    bytes_each: int
    """Working memory of one item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One map over blocks or items, with one merge."""

    name: str
    work: Callable[[Work], Arrays]
    """A module-level function. Where the pass writes, its result holds `voxels` (zyx or czyx
    of the block) beside any columns for the merge."""
    over: Blocks | Items
    merge: Callable[[Iterable[Arrays], Work], Arrays] | None = None
    """Joins what the blocks gave, in any order and grouping; None concatenates each array along
    its first axis in the order of the tasks. `Work` carries inputs, params and earlier state."""
    writes: str | None = None
    """The output port whose volume the blocks fill."""
    needed_for: tuple[str, ...] = ()
    """Skip the pass unless one of these output ports is wanted; empty means always."""
    settle: Callable[[Work], Blocks] | None = None
    """Gives the true grid once earlier passes are merged; `over` is then the estimate."""
    bytes_per_voxel: float = 16.0
    """Working memory per voxel of block with halo, the voxels read included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passes(Generic[OutputsT]):
    """A whole tool as data: its passes in order, and what becomes of their merged results."""

    passes: tuple[Pass, ...]
    tables: Mapping[str, Callable[[Work], Arrays]] = field(default_factory=dict)
    """Output port of kind points to the function that gives its columns, `z_um,y_um,x_um` first."""
    grids: Mapping[str, Callable[[Work], Any]] = field(default_factory=dict)
    """Output port of kind tiles to the function that gives its `TileGridInfo`; the passes have put
    the files into `Work.folder`."""
    reports: Mapping[str, Callable[[Work], bytes]] = field(default_factory=dict)
    """File name to content: kept beside the first output as `<name>.report/<file>`."""
