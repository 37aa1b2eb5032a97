"""Annotation layers at rest: a folder of a dataset with a manifest, a snapshot, and the edits.

`<name>.layer/layer.json` names the files that hold together; it is written last and whole, so that
a reader sees the layer of before or of after, never between.
"""

import json
from typing import Any

from gateway.errors import FormatError, NotFoundError
from gateway.volumes.keys import join_key
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import Store

SUFFIX = ".layer"
MANIFEST = "layer.json"
FORMAT = "gateway-layer-1"


def layer_key(dataset: str, name: str, *parts: str) -> str:
    """Return the key of a layer's folder, or of a file in it."""
    ref = parse_ref(f"{dataset}/{name}")
    return join_key(ref.dataset, f"{ref.name}{SUFFIX}", *parts)


def has_layer_files(store: Store, dataset: str, name: str) -> bool:
    """Whether a layer lies in the folder of a dataset."""
    return store.exists(layer_key(dataset, name, MANIFEST))


def list_layer_files(store: Store, dataset: str) -> list[str]:
    """Return the names of the layers that lie in the folder of a dataset."""
    folders = [name for name in store.list(dataset).folders if name.endswith(SUFFIX)]
    names = [name.removesuffix(SUFFIX) for name in folders]
    return [name for name in names if has_layer_files(store, dataset, name)]


def delete_layer_files(store: Store, dataset: str, name: str) -> None:
    """Remove a layer from the folder; the manifest first, so that no half of it is found."""
    if has_layer_files(store, dataset, name):
        store.delete(layer_key(dataset, name, MANIFEST))
    if store.exists(layer_key(dataset, name)):
        store.delete(layer_key(dataset, name))


def read_manifest(store: Store, dataset: str, name: str) -> dict[str, Any] | None:
    """Return what the manifest of a layer says, or None where there is none.

    Raises:
        FormatError: It is damaged, or of a later format.
    """
    key = layer_key(dataset, name, MANIFEST)
    try:
        content = store.get(key)
    except NotFoundError:
        return None
    try:
        told = json.loads(content)
        found = told["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise FormatError(
            f"{key} in {store.url} is damaged; restore it, or delete the folder if its layer is in "
            "the database: it is then written again"
        ) from error
    if found != FORMAT:
        raise FormatError(f"{key} in {store.url} is of format {found!r}; expected {FORMAT!r}")
    manifest: dict[str, Any] = told
    return manifest


def write_manifest(store: Store, dataset: str, name: str, manifest: dict[str, Any]) -> None:
    """Write the manifest of a layer: from now on its files are the layer."""
    text = json.dumps({"format": FORMAT, **manifest}, indent=2, ensure_ascii=False)
    store.put(layer_key(dataset, name, MANIFEST), f"{text}\n".encode())
