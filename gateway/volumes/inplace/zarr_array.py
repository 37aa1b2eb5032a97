"""A bare Zarr v2 or v3 array in place."""

from collections.abc import Sequence
from typing import Any

from gateway.volumes.inplace.described import Described, StoredLevel, read_document
from gateway.volumes.store import Store


def describe(store: Store) -> Described | None:
    """Describe the array at the root of a store; None where there is none."""
    array = read_document(store, "zarr.json")
    if array is not None:
        if array.get("node_type") != "array":
            return None
        return _described("zarr3", array.get("dimension_names") or ())
    if read_document(store, ".zarray") is None:
        return None
    attributes = read_document(store, ".zattrs") or {}
    return _described("zarr", attributes.get("_ARRAY_DIMENSIONS") or ())


def _described(driver: str, names: Sequence[Any]) -> Described:
    axes = "".join(str(name).lower()[:1] for name in names)
    plain = len(set(axes)) == len(axes) and set(axes) <= set("tczyx")
    return Described(
        format="zarr",
        levels=(StoredLevel(driver=driver, path=""),),
        axes=axes if axes and plain else None,
    )
