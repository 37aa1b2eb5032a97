"""Packs the arrays that the blocks of a task gave into one `.npz`, and back, without pickle."""

import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.errors import CorruptionError, RunError
from gateway.toolkit.passes import Arrays

_SHAPES = "#shapes"
_COUNT = "#count"
_MISSING = -1


def to_bytes(arrays: Arrays) -> bytes:
    """Return named arrays as the bytes of an `.npz`.

    Raises:
        RunError: An array holds Python objects.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise RunError(f"array {name!r} holds Python objects; give numbers, bool or text")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()


def from_bytes(data: bytes, name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays that `to_bytes` was given.

    Raises:
        CorruptionError: The bytes are no whole `.npz`.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise CorruptionError(
            f"{name} is broken: {error}; delete it and run the same command again"
        ) from error


def pack_blocks(blocks: Sequence[Arrays]) -> dict[str, NDArray[Any]]:
    """Join what the blocks of a task gave, so that `unpack_blocks` tells them apart again.

    Raises:
        RunError: An array has another number of axes or another dtype in some block.
    """
    names = list(dict.fromkeys(name for block in blocks for name in block))
    packed: dict[str, NDArray[Any]] = {_COUNT: np.asarray(len(blocks))}
    for name in names:
        given = [np.asarray(block[name]) for block in blocks if name in block]
        axes = {array.ndim for array in given}
        dtypes = {array.dtype for array in given}
        text = all(dtype.kind == "U" for dtype in dtypes)
        if len(axes) > 1 or (len(dtypes) > 1 and not text):
            raise RunError(
                f"array {name!r} differs between blocks: axes {sorted(axes)}, dtypes "
                f"{sorted(map(str, dtypes))}; give the same in every block, the empty one too"
            )
        shapes = np.full((len(blocks), given[0].ndim + 1), _MISSING, np.int64)
        for row, block in enumerate(blocks):
            if name in block:
                shapes[row] = (np.asarray(block[name]).size, *np.shape(block[name]))
        packed[name] = np.concatenate([array.ravel() for array in given])
        packed[name + _SHAPES] = shapes
    return packed


def unpack_blocks(packed: Mapping[str, NDArray[Any]]) -> Iterator[dict[str, NDArray[Any]]]:
    """Yield what each block gave, in the order of the blocks."""
    names = [name for name in packed if not name.endswith(_SHAPES) and name != _COUNT]
    places = dict.fromkeys(names, 0)
    for row in range(int(packed[_COUNT])):
        block: dict[str, NDArray[Any]] = {}
        for name in names:
            size, *shape = packed[name + _SHAPES][row].tolist()
            if size == _MISSING:
                continue
            start = places[name]
            block[name] = packed[name][start : start + size].reshape(shape)
            places[name] = start + size
        yield block


def concatenate(blocks: Iterable[Arrays]) -> dict[str, NDArray[Any]]:
    """Join each array of all blocks along its first axis: the merge of a pass that names none."""
    columns: dict[str, list[NDArray[Any]]] = {}
    for block in blocks:
        for name, array in block.items():
            columns.setdefault(name, []).append(np.atleast_1d(array))
    return {name: np.concatenate(parts) for name, parts in columns.items()}
