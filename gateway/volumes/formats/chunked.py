"""Chunked arrays that TensorStore opens, as the stored array of a source."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts
from numpy.typing import NDArray

from gateway.errors import FormatError

_CACHE_BYTES = 0


@dataclass(frozen=True, slots=True)
class ChunkedArray:
    """An opened TensorStore whose first voxel is index 0 on every axis."""

    path: Path
    store: Any
    offset: tuple[int, ...]
    """Index of the first voxel as the file counts."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels per stored axis."""
        return tuple(self.store.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """As stored."""
        found: np.dtype[Any] = np.dtype(self.store.dtype.numpy_dtype)
        return found

    @property
    def chunk(self) -> tuple[int, ...]:
        """Shape of the unit of reading."""
        chunk = self.store.chunk_layout.read_chunk.shape or (1,) * len(self.shape)
        return tuple(c or 1 for c in chunk)

    def read(self, start: Sequence[int], stop: Sequence[int]) -> NDArray[Any]:
        """Read `start <= index < stop`; a broken chunk is a `FormatError` that says where."""
        index = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
        try:
            voxels: NDArray[Any] = self.store[index].read().result()
        except Exception as error:
            raise FormatError(
                f"{self.path} cannot be read at {list(start)} to {list(stop)}: {_reason(error)}"
            ) from error
        return voxels


def open_chunked(path: Path, driver: str, **extra: object) -> ChunkedArray:
    """Open the array at `path` with a TensorStore driver.

    Raises:
        FormatError: TensorStore cannot; says why.
    """
    spec = {"driver": driver, "kvstore": {"driver": "file", "path": f"{path}/"}, **extra}
    context = ts.Context({"cache_pool": {"total_bytes_limit": _CACHE_BYTES}})
    try:
        opened = ts.open(spec, context=context, open=True, read=True).result()
    except Exception as error:
        raise FormatError(f"{path} cannot be opened as {driver}: {_reason(error)}") from error
    offset = tuple(int(n) for n in opened.domain.inclusive_min)
    moved = opened[ts.d[:].translate_to[0]]
    return ChunkedArray(path, moved, offset)


def read_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object.

    Raises:
        FormatError: It is not there, no JSON, or no object.
    """
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise FormatError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(found, dict):
        raise FormatError(f"{path} holds {type(found).__name__}; expected a JSON object")
    return found


def _reason(error: Exception) -> str:
    return str(error).split(" [", maxsplit=1)[0].strip() or type(error).__name__
