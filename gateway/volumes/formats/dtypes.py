"""Which dtypes come in, which are converted without loss, and which are refused and why."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from gateway.errors import FormatError
from gateway.volumes.model import IMAGE_DTYPES, LABEL_DTYPES, VolumeKind

_EXACT_IMAGES = {"bool": "uint8", "int8": "int16", "float16": "float32"}
_LABELS = {
    "bool": "uint32", "uint8": "uint32", "uint16": "uint32", "int8": "uint32", "int16": "uint32",
    "int32": "uint32", "int64": "uint64",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Conversion:
    """From the dtype of a file to a dtype of the gateway, checked value by value where needed."""

    stored: str
    kind: VolumeKind
    dtype: str

    def apply(
        self, voxels: NDArray[Any], where: str, start: tuple[int, ...] = (0, 0, 0)
    ) -> NDArray[Any]:
        """Return `voxels` C-contiguous in native byte order and the target dtype.

        Raises:
            FormatError: A value would change: NaN or a fraction where integers belong, or a
                number out of range. Names `where`, and the voxel, counted from `start`.
        """
        target = np.dtype(self.dtype)
        if not np.can_cast(voxels.dtype, target, "safe"):
            _check_fits(voxels, target, where, start)
        return np.ascontiguousarray(voxels, dtype=target)


def choose_conversion(
    path: Path | str, dtype: DTypeLike, kind: VolumeKind | None, as_dtype: str | None
) -> Conversion:
    """Decide kind and dtype for a file.

    Raises:
        FormatError: The dtype has no exact counterpart and `as_dtype` does not say what to do.
    """
    found = np.dtype(dtype)
    stored = found.newbyteorder("=").name if found.kind in "biuf" else str(found)
    if found.kind not in "biuf":
        raise FormatError(f"{path} holds {stored} values; expected integers or floats")
    if kind is None:
        kind = "labels" if stored in LABEL_DTYPES and as_dtype not in IMAGE_DTYPES else "image"
    allowed = IMAGE_DTYPES if kind == "image" else LABEL_DTYPES
    if as_dtype is not None:
        if as_dtype not in allowed:
            raise FormatError(
                f"--dtype {as_dtype} is no dtype of {kind}; expected one of {', '.join(allowed)}"
            )
        return Conversion(stored, kind, as_dtype)
    exact = stored if stored in allowed else _known(kind).get(stored)
    if exact is None:
        raise FormatError(_refusal(path, stored, kind, allowed))
    return Conversion(stored, kind, exact)


def _known(kind: VolumeKind) -> dict[str, str]:
    return _EXACT_IMAGES if kind == "image" else _LABELS


def _refusal(path: Path | str, stored: str, kind: VolumeKind, allowed: tuple[str, ...]) -> str:
    way_out = f"choose one with --dtype ({', '.join(allowed)}), which checks every value"
    if kind == "image" and stored.startswith(("int", "uint")):
        way_out += ", or say --kind labels if these are object numbers"
    return (
        f"{path} holds {stored} values, which may not fit any dtype of {kind} without loss; "
        f"{way_out}"
    )


def _check_fits(
    voxels: NDArray[Any], target: np.dtype[Any], where: str, start: tuple[int, ...]
) -> None:
    if not voxels.size:
        return
    if target.kind == "f":
        finite = voxels[np.isfinite(voxels)] if voxels.dtype.kind == "f" else voxels
        if finite.size and np.abs(finite).max() > np.finfo(target).max:
            raise FormatError(f"{where}: {np.abs(finite).max()} is beyond the range of {target}")
        if voxels.dtype.kind != "f" and np.any(voxels.astype(target).astype("f8") != voxels):
            raise FormatError(f"{where}: integers too large for {target} to hold exactly")
        return
    if voxels.dtype.kind == "f":
        bad = ~np.isfinite(voxels)
        if bad.any():
            at = tuple(int(i) for i in np.argwhere(bad)[0])
            voxel = tuple(a + b for a, b in zip(at, start, strict=True))
            raise FormatError(
                f"{where}: {voxels[at]} at voxel {voxel}, where {target} integers belong; "
                "mend the file, or keep the values with --dtype float32"
            )
        if np.any(voxels != np.rint(voxels)):
            raise FormatError(
                f"{where}: fractions where {target} integers belong; use --dtype float32"
            )
    bounds = np.iinfo(target)
    low, high = voxels.min(), voxels.max()
    if int(low) < bounds.min or int(high) > bounds.max:
        raise FormatError(
            f"{where}: values {low} to {high} do not fit {target} ({bounds.min} to {bounds.max})"
        )
