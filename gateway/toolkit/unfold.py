"""Unfolds a tool of any shape into passes, the one thing an engine runs."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from gateway.errors import CallError, ToolDefinitionError
from gateway.toolkit.outputs import Outputs
from gateway.toolkit.passes import Arrays, Blocks, Items, Pass, Passes, Work
from gateway.toolkit.ports import Block
from gateway.toolkit.spec import Halo, ToolSpec
from gateway.volumes.box import Box, Shape, Vector
from gateway.volumes.model import VolumeInfo
from gateway.volumes.source import Source

_POSITION = ("z_um", "y_um", "x_um")
_VOLUME_TOOL_BYTES = 512 * 2**20


def unfold_tool(
    spec: ToolSpec,
    inputs: Mapping[str, Any],
    params: BaseModel,
    wanted: frozenset[str],
    files: Mapping[str, Path] | None = None,
) -> Passes[Any]:
    """Return what one call of a tool is made of.

    Args:
        spec: The tool.
        inputs: Port to handle; optional ports that are not given are left out.
        params: Its settings.
        wanted: The output ports the call names.
        files: Where to write the outputs of kind file, while they are not complete.

    Raises:
        CallError: The inputs do not suit the tool, or one another.
    """
    for name, handle in inputs.items():
        info = getattr(handle, "info", None)
        if isinstance(info, VolumeInfo) and info.times > 1:
            raise CallError(
                f"{spec.id}: input {name!r} has {info.times} time points; tools take one: "
                "export the time point you want and ingest it"
            )
    if spec.shape == "block":
        return _Blockwise.of(spec, inputs, params, wanted).passes()
    handles = {name: inputs.get(name) for name in spec.inputs}
    if spec.shape == "volume":
        work = partial(_run_whole, spec, dict(files or {}), wanted)
        over = Items(count=1, bytes_each=_VOLUME_TOOL_BYTES)
        tables = {
            name: partial(_table, spec.id, name)
            for name, port in spec.outputs.items()
            if port.kind == "points"
        }
        return Passes(passes=(Pass(name=spec.id, work=work, over=over),), tables=tables)
    made = spec.function(**handles, **_values(params))
    if not isinstance(made, Passes):
        raise ToolDefinitionError(f"{spec.id}: returned {type(made).__name__}, expected Passes")
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blockwise:
    """How the function of a block tool is applied to one call."""

    spec: ToolSpec
    grid: VolumeInfo
    halo: Shape
    channels: tuple[int, ...]
    writes: str | None
    """The output port of the volume, where the call wants one."""

    @classmethod
    def of(
        cls,
        spec: ToolSpec,
        inputs: Mapping[str, Source],
        params: BaseModel,
        wanted: frozenset[str],
    ) -> "_Blockwise":
        infos = {name: handle.info for name, handle in inputs.items()}
        first_name, first = next(iter(infos.items()))
        for name, info in infos.items():
            if (info.shape, info.voxel_um) != (first.shape, first.voxel_um):
                raise CallError(
                    f"{spec.id}: inputs {first_name!r} and {name!r} differ: {first.shape} voxels "
                    f"of {first.voxel_um} um and {info.shape} of {info.voxel_um}; a block tool "
                    "takes volumes of one grid"
                )
        volume = next((n for n, port in spec.outputs.items() if port.kind != "points"), None)
        channels = _channels(spec, infos, params, maps=volume is not None)
        kind = spec.outputs[volume].kind if volume is not None else first.kind
        dtype = spec.needs.dtype or ("uint32" if kind != first.kind else first.dtype)
        named = tuple(first.channels[c] for c in channels) if kind == "image" else ()
        grid = replace(
            first,
            kind="labels" if kind == "labels" else "image",
            dtype=dtype,
            channels=named or first.channels[:1],
            levels=first.levels if volume not in wanted else (),
            digest=None,
            made_by=None,
            attributes={},
        )
        return cls(
            spec=spec,
            grid=grid,
            halo=halo_voxels(spec, params, first.voxel_um),
            channels=channels,
            writes=volume if volume in wanted else None,
        )

    def passes(self) -> Passes[Any]:
        one = Pass(
            name=self.spec.id,
            work=self.compute,
            over=Blocks(grid=self.grid, halo_voxels=self.halo),
            writes=self.writes,
            bytes_per_voxel=self.spec.needs.bytes_per_voxel,
        )
        tables = {
            name: partial(_table, self.spec.id, name)
            for name, port in self.spec.outputs.items()
            if port.kind == "points"
        }
        return Passes(passes=(one,), tables=tables)

    def compute(self, work: Work) -> Arrays:
        """Apply the function to one block, channel by channel."""
        voxels: list[NDArray[Any]] = []
        columns: dict[str, NDArray[Any]] = {}
        for channel in self.channels:
            given = {name: self._block(work, name, channel) for name in work.inputs}
            blocks = {name: given.get(name) for name in self.spec.inputs}
            result = self.spec.function(**blocks, **_values(work.params))
            named = result if isinstance(result, tuple) else (result,)
            for (name, port), value in zip(self.spec.outputs.items(), named, strict=True):
                if port.kind == "points" and value is not None:
                    kept = _inside(value, work.box, self.grid)
                    columns |= {f"{name}.{key}": column for key, column in kept.items()}
                elif name == self.writes:
                    voxels.append(self._trim(value, work.box))
        return {**columns, "voxels": np.stack(voxels)} if voxels else columns

    def _block(self, work: Work, name: str, channel: int) -> Block:
        source: Source = work.inputs[name]
        info = source.info
        box = work.box.grow(self.halo, info.shape)
        return Block(
            data=source.read(box, channel=min(channel, len(info.channels) - 1)),
            box=box,
            core=work.box,
            volume_shape=info.shape,
            voxel_um=info.voxel_um,
            origin_um=info.origin_um,
        )

    def _trim(self, value: Any, core: Box) -> NDArray[Any]:
        tool = self.spec.id
        if not isinstance(value, Block):
            raise ToolDefinitionError(
                f"{tool}: returned {type(value).__name__} for a block; return block.with_data(...)"
            )
        if value.data.shape != value.box.shape:
            raise ToolDefinitionError(
                f"{tool}: returned voxels of shape {value.data.shape} for a block of shape "
                f"{value.box.shape}; a block tool keeps the grid"
            )
        if value.data.dtype != np.dtype(self.grid.dtype):
            raise ToolDefinitionError(
                f"{tool}: returned {value.data.dtype} voxels, announced {self.grid.dtype}; convert "
                "them or set dtype= in the decorator"
            )
        return value.data[core.slices(value.box.start)]


def halo_voxels(spec: ToolSpec, params: BaseModel, voxel_um: Vector) -> Shape:
    """Return the halo of a block tool in voxels, zyx, for these settings."""
    z, y, x = (1.0, 1.0, 1.0) if spec.needs.halo_um is None else voxel_um
    given: Halo | None = spec.needs.halo_um
    if given is None:
        given = spec.needs.halo_voxels
    if given is None:
        return (0, 0, 0)
    reach = given(params) if callable(given) else given
    a, b, c = reach if isinstance(reach, tuple) else (reach, reach, reach)
    return (math.ceil(a / z), math.ceil(b / y), math.ceil(c / x))


def _channels(
    spec: ToolSpec, infos: Mapping[str, VolumeInfo], params: BaseModel, *, maps: bool
) -> tuple[int, ...]:
    """Return the channels to compute: the one that is set, or all where all can be written."""
    counts = {name: len(info.channels) for name, info in infos.items() if info.kind == "image"}
    most = max(counts.values(), default=1)
    chosen = getattr(params, "channel", None)
    if isinstance(chosen, int):
        if chosen >= most:
            raise CallError(
                f"{spec.id}: parameter 'channel' is {chosen}; the image has {most} channel(s), "
                f"numbered from 0 to {most - 1}"
            )
        return (chosen,)
    differ = any(count not in (1, most) for count in counts.values())
    if most > 1 and (differ or not maps or len(spec.outputs) > 1):
        raise CallError(
            f"{spec.id}: the image has {most} channels and this tool takes one: export the "
            "channel you want and ingest it"
        )
    return tuple(range(most))


def _inside(columns: Arrays, core: Box, grid: VolumeInfo) -> Arrays:
    """Keep the points whose voxel is in the block: each point of a volume is in one block."""
    keep = np.ones(len(columns[_POSITION[0]]), bool)
    axes = zip(
        _POSITION, grid.origin_um, grid.voxel_um, grid.shape, core.start, core.stop, strict=True
    )
    for name, origin, size, extent, start, stop in axes:
        index = np.floor((np.asarray(columns[name]) - origin) / size + 0.5)
        index = index.clip(0, extent - 1)
        keep &= (index >= start) & (index < stop)
    return {name: np.asarray(column)[keep] for name, column in columns.items()}


def _run_whole(
    spec: ToolSpec, files: Mapping[str, Path], wanted: frozenset[str], work: Work
) -> Arrays:
    outputs: Outputs[Any] = Outputs(files=files, wanted=wanted)
    handles = {name: work.inputs.get(name) for name in spec.inputs}
    spec.function(**handles, outputs=outputs, **_values(work.params))
    return {
        f"{port}.{name}": column
        for port, columns in outputs.tables.items()
        for name, column in columns.items()
    }


def _table(step: str, port: str, work: Work) -> Arrays:
    prefix = f"{port}."
    return {
        name.removeprefix(prefix): column
        for name, column in work.state[step].items()
        if name.startswith(prefix)
    }


def _values(params: BaseModel) -> dict[str, Any]:
    return {name: getattr(params, name) for name in type(params).model_fields}
