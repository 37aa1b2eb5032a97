"""What a page says of a volume, table or tile grid, in words."""

from collections.abc import Iterator
from typing import Any

from gateway.service.browse.overview import SeenEntry
from gateway.web.pages.wording import figure, size, times

_ZYX = 3


def facts_of(entry: SeenEntry) -> list[tuple[str, str]]:
    """Return names and values of what is known of an entry, the most wanted first."""
    return [(name, text) for name, text in _facts(entry) if text]


def line_of(entry: SeenEntry) -> str:
    """Return the most wanted facts in one line."""
    wanted = ("Size", "Rows", "Tiles", "Voxel", "Channels", "Data")
    known = dict(facts_of(entry))
    return " · ".join(known[name] for name in wanted if name in known)


def _facts(entry: SeenEntry) -> Iterator[tuple[str, str]]:
    facts: dict[str, Any] = entry.facts
    shape = facts.get("shape")
    if shape:
        yield "Size", f"{times(shape[-_ZYX:])} voxels"
        lead = len(shape) - _ZYX
        if lead > 1:
            yield "Times", figure(shape[0])
        channels = facts.get("channels") or []
        named = [name for name in channels if not name.isdigit()]
        many = f"{len(channels)} channels" if len(channels) > 1 else ""
        yield "Channels", ", ".join(named) or many
    if entry.kind == "points":
        yield "Rows", f"{figure(facts.get('count', 0))} rows"
        yield "Columns", ", ".join(facts.get("columns", ()))
    if entry.kind == "tiles":
        yield "Tiles", f"{figure(facts.get('count', 0))} tiles"
    if facts.get("voxel_um"):
        yield "Voxel", f"{times(facts['voxel_um'])} µm"
    if facts.get("levels"):
        yield "Levels", str(len(facts["levels"]))
    yield "Data", " ".join(part for part in (facts.get("dtype", ""), size(entry.bytes)) if part)
    yield "Place", "registered where it lies" if facts.get("linked") else ""
