"""Reads a volref for display; what it says is a claim, which the gateway checks when it is used."""

import json
import re
from typing import Any
from urllib.parse import quote

MARK = "brain-gateway/volref"
LARGEST_BYTES = 16_384
KINDS = ("image", "labels", "points", "transform", "tiles")
_REF = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9_\-]*(\.[A-Za-z0-9_\-]+)*/[A-Za-z0-9][A-Za-z0-9_\-]*(\.[A-Za-z0-9_\-]+)*"
)
_PICTURED = ("image", "labels")


def parse(text: str) -> dict[str, Any] | None:
    """Return the document of a volref, or None where the text is none."""
    if len(text) > LARGEST_BYTES:
        return None
    try:
        document = json.loads(text)
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("format") != MARK:
        return None
    ref, kind = document.get("ref"), document.get("kind")
    if not isinstance(ref, str) or not _REF.fullmatch(ref) or kind not in KINDS:
        return None
    return document


def facts_of(document: dict[str, Any]) -> dict[str, str]:
    """Return what people want to see of a volref, as short texts."""
    facts = document.get("facts")
    facts = facts if isinstance(facts, dict) else {}
    found = {
        "ref": document["ref"],
        "kind": document["kind"],
        "digest": _short(document.get("digest")),
        "shape": _times(facts.get("shape")),
        "voxel_um": _times(facts.get("voxel_um")),
        "channels": _names(facts.get("channels")),
        "columns": _names(facts.get("columns")),
        "rows": _short(facts.get("rows")),
    }
    if isinstance(facts.get("tiles"), list | int):
        tiles = facts["tiles"]
        found["tiles"] = str(len(tiles) if isinstance(tiles, list) else tiles)
    return {name: text for name, text in found.items() if text}


def one_line(facts: dict[str, str]) -> str:
    """Return a volref in one line."""
    kind = facts.get("kind", "volume")
    for name, unit in (("shape", "voxels"), ("rows", "rows"), ("tiles", "tiles")):
        if name in facts:
            return f"{kind}, {facts[name]} {unit}"
    return kind


def thumbnail(base: str, facts: dict[str, str]) -> str | None:
    """Return the address of the picture of a volume; the gateway shows it to who may see it."""
    if facts.get("kind") not in _PICTURED or not base:
        return None
    dataset, _, name = facts["ref"].partition("/")
    return f"{base.rstrip('/')}/api/v1/entries/{quote(dataset)}/{quote(name)}/thumbnail.png"


def _times(values: object) -> str:
    if not isinstance(values, list) or not all(isinstance(v, int | float) for v in values):
        return ""
    return " x ".join(f"{value:g}" for value in values)


def _names(values: object) -> str:
    if not isinstance(values, list):
        return ""
    named = [v.get("name") if isinstance(v, dict) else v for v in values]
    return ", ".join(str(name)[:60] for name in named[:20])


def _short(value: object) -> str:
    return str(value)[:100] if isinstance(value, str | int) else ""
