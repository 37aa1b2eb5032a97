"""Addresses of bytes: `/data/DATASET/ENTRY.ome.zarr/KEY`, parsed and never joined as text."""

import re
from dataclasses import dataclass
from functools import lru_cache

from gateway.errors import NotFoundError, RefError
from gateway.service.view.served import SUFFIXES, ServedKind
from gateway.volumes.keys import parse_key
from gateway.volumes.ref import Ref, parse_ref

_PARTS = 4
_ENCODED = (b"%2f", b"%5c")
_USUAL = re.compile(r"[A-Za-z0-9_\-][A-Za-z0-9_.\-]*(?:/[A-Za-z0-9_\-][A-Za-z0-9_.\-]*)*\Z")
"""Keys of nearly every request: nothing in them that `parse_key` would refuse."""
_LONGEST_USUAL = 255
_LONGEST_KEPT = 400


@dataclass(frozen=True, slots=True)
class Address:
    """What a path names."""

    ref: Ref
    kind: ServedKind
    key: str


def parse_address(path: str, raw: bytes) -> Address:
    """Parse the path of a request, or remember how it was parsed.

    Args:
        path: The decoded path, below the root of the service or the share link.
        raw: The path as it was sent.

    Raises:
        RefError: A part is malformed or would lead elsewhere.
        NotFoundError: Such a path names nothing.
    """
    short = len(raw) <= _LONGEST_KEPT and len(path) <= _LONGEST_KEPT
    return _parsed(path, raw) if short else _parse(path, raw)


def _parse(path: str, raw: bytes) -> Address:
    if b"%" in raw and any(code in raw.lower() for code in _ENCODED):
        raise RefError(f"the path {path[:200]!r} hides a separator; write '/' as it is")
    parts = path.split("/", _PARTS)
    # programs that are given an address with a slash at its end put another before the key
    key = parts[_PARTS].lstrip("/") if len(parts) > _PARTS else ""
    if not key:
        raise NotFoundError(
            "this names no file; expected /data/DATASET/ENTRY.ome.zarr/KEY, e.g. "
            "/data/mouse1/raw.ome.zarr/zarr.json"
        )
    ref, kind = _thing(parts[2], parts[3])
    if len(key) > _LONGEST_USUAL or not _USUAL.match(key):
        parse_key(key)
    return Address(ref, kind, key)


_parsed = lru_cache(maxsize=4096)(_parse)
"""The chunks of one volume are asked for again and again, and the spans of one shard."""


@lru_cache(maxsize=4096)
def _thing(dataset: str, folder: str) -> tuple[Ref, ServedKind]:
    for kind, suffix in SUFFIXES.items():
        if folder.endswith(suffix):
            return parse_ref(f"{dataset}/{folder.removesuffix(suffix)}"), kind
    expected = ", ".join(SUFFIXES.values())
    raise NotFoundError(f"{folder[:200]!r} names nothing that is served; expected NAME{expected}")
