"""Thumbnails: a small picture of each volume and table, made once and kept in the home.

They lie in the home and not in the store: a store may be read-only, and nothing is recorded of
them. A picture is named after what it shows, so that one of an entry made anew is never taken for
it; whoever deletes the folder loses nothing.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from gateway.errors import CallError, GatewayError
from gateway.records.entries import describe_entry
from gateway.service.browse.pictures import draw_points, draw_volume
from gateway.service.gateway import Gateway
from gateway.volumes.open import entry_of, open_ref
from gateway.volumes.points import PointsTable
from gateway.volumes.ref import Ref
from gateway.volumes.volume import Volume

_FOLDER = "thumbnails"
_STYLE = 1
"""Counted up when pictures are drawn otherwise, so that older ones are made anew."""
PICTURED = ("image", "labels", "points")
"""Kinds of which a picture is made."""


def thumbnail_key(gateway: Gateway, ref: Ref) -> str:
    """Return what tells one picture of an entry from another: it changes with its content.

    Raises:
        NotFoundError: There is nothing of that name.
        CallError: Nothing can be drawn of things of its kind.
        FormatError: Its metadata is broken.
    """
    entry = entry_of(gateway.store, ref)
    if entry.kind not in PICTURED:
        raise CallError(
            f"{ref} is a {entry.kind}, of which no picture is made; there are pictures of "
            f"{', '.join(PICTURED)}"
        )
    record = describe_entry(gateway.store, entry)
    about = [_STYLE, str(ref), record.kind, record.digest, record.made_by]
    if record.digest is None:
        about.append(dict(record.facts))
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:40]


def kept_thumbnail(gateway: Gateway, key: str) -> bytes | None:
    """Return a picture that was made before; None where there is none yet."""
    with suppress(OSError):
        return _path(gateway, key).read_bytes()
    return None


def make_thumbnail(gateway: Gateway, ref: Ref, key: str) -> bytes:
    """Draw a picture of an entry and keep it; returns a PNG.

    Raises:
        CorruptionError: A chunk cannot be decoded.
        GatewayError: The entry cannot be opened.
    """
    thing = open_ref(gateway.store, ref)
    draw = next((draw for kind, draw in _DRAW.items() if isinstance(thing, kind)), None)
    if draw is None:
        raise CallError(f"no picture can be made of {ref}, a {type(thing).__name__}")
    png = draw(thing)
    _keep(_path(gateway, key), png)
    return png


def prepare_thumbnail(gateway: Gateway, ref: Ref) -> None:
    """Make the picture of an entry ahead of the first who asks; does nothing where it cannot."""
    with suppress(GatewayError):  # no run fails for want of a picture: a page tries again
        key = thumbnail_key(gateway, ref)
        if kept_thumbnail(gateway, key) is None:
            make_thumbnail(gateway, ref, key)


def _path(gateway: Gateway, key: str) -> Path:
    return gateway.home / _FOLDER / key[:2] / f"{key}.png"


def _keep(path: Path, png: bytes) -> None:
    """Write the picture whole; a home that cannot be written keeps none."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(png)
        Path(name).replace(path)


_DRAW: dict[type, Callable[[Any], bytes]] = {Volume: draw_volume, PointsTable: draw_points}
