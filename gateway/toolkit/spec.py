"""What a tool is: one typed function plus the metadata no signature can carry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from gateway.volumes.box import Shape, Vector

PortKind = Literal["image", "labels", "points", "tiles", "transform", "file"]
ToolShape = Literal["block", "passes", "volume"]
Reach = float | Vector | Shape
"""A length per axis, zyx, or one for all three."""
Halo = Reach | Callable[[Any], Reach]
"""A length, or a function of the settings that gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A data kind a tool takes or gives; marks a parameter as data, not a setting."""

    kind: PortKind
    optional: bool = False
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One call with a known answer: unit test, Galaxy test, help and notebook cell at once."""

    inputs: Mapping[str, str]
    """Port to the name of a fixture that `gateway.toolkit.fixtures` makes."""
    params: Mapping[str, Any]
    expect: Mapping[str, str]
    """Output port to its digest; '' where the last bit of a float may differ between processors:
    such an output is only held to be the same for all blocks, workers and engines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What one task of a tool needs of a machine."""

    cores: int = 1
    gpu: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockNeeds:
    """What the function of a block tool needs around its block, and of memory."""

    halo_um: Halo | None = None
    halo_voxels: Halo | None = None
    bytes_per_voxel: float = 16.0
    """Working memory per voxel of block with halo, the voxels read included."""
    dtype: str | None = None
    """Of the volume written; None keeps the dtype of the first input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """Everything a face needs to know about one tool."""

    id: str
    version: str
    title: str
    summary: str
    help: str
    shape: ToolShape
    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]
    params: type[BaseModel]
    function: Callable[..., Any]
    image: str
    """The container image, without its tag."""
    resources: Resources
    edam: tuple[str, ...]
    doi: tuple[str, ...]
    examples: tuple[Example, ...]
    hidden: bool
    """True for tools that only the gateway itself calls (ingest)."""
    needs: BlockNeeds = BlockNeeds()
    """For block tools; a passes tool says the same in its passes."""
