"""Arrays in place, opened through TensorStore in the axes and dtype of a volume."""

from dataclasses import dataclass
from typing import Any, Literal

import tensorstore as ts
from pydantic import BaseModel, ConfigDict

from gateway.errors import CorruptionError
from gateway.volumes.store import Store, open_store
from gateway.volumes.tensors import explain_error

Driver = Literal["zarr", "zarr3", "n5", "neuroglancer_precomputed"]


class LinkedArray(BaseModel):
    """One level as TensorStore opens it, and how its axes become those of a volume."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    driver: Driver
    path: str
    """Key in the store of the link; '' is its root."""
    options: dict[str, int] = {}
    """Further members of the TensorStore spec."""
    axes: str
    """One of `tczyx` per stored axis, or `1` for one of length one that means nothing."""
    shape: tuple[int, ...]
    """As stored."""


@dataclass(frozen=True, slots=True)
class LinkedLevels:
    """Opens the levels of a link; small enough to be sent to a worker."""

    url: str
    arrays: tuple[LinkedArray, ...]
    axes: str
    dtype: str

    def __call__(self, level: int, context: ts.Context) -> Any:
        """Open a level as a TensorStore in the axes and dtype of its volume.

        Raises:
            NotFoundError: The array is gone.
            CorruptionError: It is not the array that was registered.
        """
        linked = self.arrays[level]
        store = open_store(self.url)
        array = open_stored(store, linked.driver, linked.path, linked.options, context)
        if tuple(array.shape) != linked.shape:
            raise CorruptionError(
                f"level {level} at {self.url} has shape {tuple(array.shape)}, but had "
                f"{linked.shape} when it was registered; register it again under a new name"
            )
        return ts.cast(_arrange(array, linked.axes, self.axes), self.dtype)


def open_stored(
    store: Store, driver: str, path: str, options: dict[str, int], context: ts.Context
) -> Any:
    """Open an array as it is stored, its first voxel at index 0; reads metadata only.

    Raises:
        NotFoundError: There is no array.
        CorruptionError: Its metadata are broken, or of a kind TensorStore cannot read.
        StoreError: The storage failed.
    """
    spec = {"driver": driver, "kvstore": store.kvstore(path), **options}
    try:
        array = ts.open(spec, context=context, open=True, read=True).result()
    except Exception as error:
        raise explain_error(error, f"{driver} array {path!r} in {store.url}") from error
    return array[ts.d[:].translate_to[0]]


def _arrange(array: Any, stored: str, wanted: str) -> Any:
    """Drop what the volume has no axis for, put the rest in order, add what is missing."""
    for place in reversed(range(len(stored))):
        if stored[place] not in wanted:
            array = array[ts.d[place][0]]
    letters = [axis for axis in stored if axis in wanted]
    kept = [axis for axis in wanted if axis in letters]
    array = array[ts.d[[letters.index(axis) for axis in kept]].transpose[:]]
    return array[tuple(slice(None) if axis in kept else ts.newaxis for axis in wanted)]
