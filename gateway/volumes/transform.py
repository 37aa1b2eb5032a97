"""Transforms: OME-NGFF coordinate transformations between points in micrometres."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from gateway.errors import FormatError
from gateway.volumes.store import Store

NGFF_VERSION = "0.6.dev4"
"""The first OME-NGFF version with coordinate systems (its RFC 5)."""

_Triple = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
_Row = tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat]
_AXES = [{"name": name, "type": "space", "unit": "micrometer"} for name in "zyx"]
_SMALLEST_DETERMINANT = 1e-12


class _Step(BaseModel):
    """One transformation; fields of NGFF that say who it is for are allowed and ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Identity(_Step):
    """Positions stay."""

    type: Literal["identity"] = "identity"

    def matrix(self) -> NDArray[np.float64]:
        """Return the 4x4 homogeneous matrix over zyx."""
        return np.eye(4)


class Translation(_Step):
    """Positions move by micrometres, zyx."""

    type: Literal["translation"] = "translation"
    translation: _Triple

    def matrix(self) -> NDArray[np.float64]:
        """Return the 4x4 homogeneous matrix over zyx."""
        matrix = np.eye(4)
        matrix[:3, 3] = self.translation
        return matrix


class Scale(_Step):
    """Positions are multiplied per axis, zyx."""

    type: Literal["scale"] = "scale"
    scale: _Triple

    def matrix(self) -> NDArray[np.float64]:
        """Return the 4x4 homogeneous matrix over zyx."""
        return np.diag((*self.scale, 1.0))


class Rotation(_Step):
    """Positions turn by a 3x3 matrix."""

    type: Literal["rotation"] = "rotation"
    rotation: tuple[_Triple, _Triple, _Triple]

    def matrix(self) -> NDArray[np.float64]:
        """Return the 4x4 homogeneous matrix over zyx."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation
        return matrix


class Affine(_Step):
    """Positions go through three rows of four: a 3x3 matrix and, last, a translation in µm."""

    type: Literal["affine"] = "affine"
    affine: tuple[_Row, _Row, _Row]

    def matrix(self) -> NDArray[np.float64]:
        """Return the 4x4 homogeneous matrix over zyx."""
        matrix = np.eye(4)
        matrix[:3] = self.affine
        return matrix


class Sequence(_Step):
    """Transformations one after another, the first of the list first."""

    type: Literal["sequence"] = "sequence"
    transformations: tuple["Step", ...]

    def matrix(self) -> NDArray[np.float64]:
        """Return the 4x4 homogeneous matrix over zyx."""
        matrix = np.eye(4)
        for step in self.transformations:
            matrix = step.matrix() @ matrix
        return matrix


Step = Annotated[
    Identity | Translation | Scale | Rotation | Affine | Sequence, Field(discriminator="type")
]
Sequence.model_rebuild()


class _Holder(BaseModel):
    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """A map from positions in one coordinate system to another, both zyx in micrometres."""

    step: Step
    source: str = "moving"
    """Name of the coordinate system that positions come from."""
    target: str = "fixed"
    """Name of the coordinate system they go to."""

    @classmethod
    def from_matrix(
        cls, matrix: NDArray[np.float64], *, source: str = "moving", target: str = "fixed"
    ) -> Self:
        """Make an affine transform from a 3x4 or 4x4 homogeneous matrix over zyx.

        Raises:
            FormatError: The matrix has another shape or holds what is no finite number.
        """
        rows = np.asarray(matrix, np.float64)[:3].tolist()
        step = _parse_step({"type": "affine", "affine": rows}, "the matrix")
        return cls(step=step, source=source, target=target)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The 4x4 homogeneous matrix over zyx."""
        return self.step.matrix()

    def apply(self, positions_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map positions.

        Args:
            positions_um: Array of shape (n, 3), zyx in micrometres.
        """
        matrix = self.matrix
        moved: NDArray[np.float64] = positions_um @ matrix[:3, :3].T + matrix[:3, 3]
        return moved

    def inverse(self) -> "Transform":
        """Return the map back.

        Raises:
            FormatError: The transform flattens space, so that there is no way back.
        """
        matrix = self.matrix
        determinant = float(np.linalg.det(matrix[:3, :3]))
        if abs(determinant) < _SMALLEST_DETERMINANT:
            raise FormatError(
                f"the transform from {self.source!r} to {self.target!r} cannot be inverted: its "
                f"determinant is {determinant:g}; expected one that keeps three dimensions"
            )
        back: NDArray[np.float64] = np.linalg.inv(matrix).astype(np.float64)
        return Transform.from_matrix(back, source=self.target, target=self.source)

    def then(self, following: "Transform") -> "Transform":
        """Return this transform followed by another."""
        steps = Sequence(transformations=(self.step, following.step))
        return Transform(step=steps, source=self.source, target=following.target)


def write_transform(store: Store, key: str, transform: Transform) -> None:
    """Write a transform as an OME-NGFF document of two coordinate systems."""
    step = transform.step.model_dump(mode="json")
    step |= {"input": transform.source, "output": transform.target}
    systems = [{"name": name, "axes": _AXES} for name in (transform.source, transform.target)]
    ome = {
        "version": NGFF_VERSION,
        "coordinateSystems": systems,
        "coordinateTransformations": [step],
    }
    store.put(key, f"{json.dumps({'ome': ome}, indent=2)}\n".encode())


def read_transform(store: Store, key: str) -> Transform:
    """Read a transform: our documents, or a bare list of NGFF transformations.

    Raises:
        NotFoundError: There is no such file.
        FormatError: It is not JSON, or no chain of transformations that the gateway knows.
    """
    name = f"{key} in {store.url}"
    try:
        document = json.loads(store.get(key))
    except ValueError as error:
        raise FormatError(f"{name} is not JSON: {error}") from error
    return parse_transform(document, name)


def parse_transform(document: Any, name: str) -> Transform:
    """Make a transform from an NGFF document; a list of several is taken as a sequence.

    Args:
        document: Decoded JSON.
        name: What to call it in an error.

    Raises:
        FormatError: A transformation is of an unknown type, or a value is missing or wrong.
    """
    inner = document.get("ome", document) if isinstance(document, Mapping) else document
    steps = inner.get("coordinateTransformations") if isinstance(inner, Mapping) else inner
    if not isinstance(steps, list) or not steps or not isinstance(steps[0], Mapping):
        raise FormatError(
            f"{name} has no coordinateTransformations; expected a list of at least one"
        )
    _check_axes(inner, name)
    single = steps[0] if len(steps) == 1 else {"type": "sequence", "transformations": steps}
    return Transform(
        step=_parse_step(single, name),
        source=str(steps[0].get("input", "moving")),
        target=str(steps[-1].get("output", "fixed")),
    )


def _parse_step(step: Mapping[str, Any], name: str) -> Step:
    if isinstance(step.get("path"), str):
        raise FormatError(f"{name} keeps its parameters at {step['path']!r}; expected them inline")
    try:
        return _Holder.model_validate({"step": step}).step
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"][1:])
        raise FormatError(
            f"{name} is no transformation: {place or 'type'}: {first['msg']}; expected identity, "
            "translation, scale, rotation, affine or sequence over z, y, x in micrometres"
        ) from error


def _check_axes(document: Any, name: str) -> None:
    """Refuse other axes or units, rather than apply numbers that mean something else."""
    systems = document.get("coordinateSystems", ()) if isinstance(document, Mapping) else ()
    for system in systems:
        axes = [(axis.get("name"), axis.get("unit")) for axis in system.get("axes", ())]
        if axes != [(name, "micrometer") for name in "zyx"]:
            raise FormatError(
                f"the coordinate system {system.get('name')!r} of {name} has the axes {axes}; "
                "expected z, y, x in micrometer"
            )
