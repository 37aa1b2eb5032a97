"""The metadata of a thing in words."""

from collections.abc import Mapping
from typing import Any


def size_words(facts: Mapping[str, Any]) -> str:
    """Return how much a thing holds: `czyx 1x48x500x744 uint16, 3x1.5x1.5 um`, or `3501 rows`."""
    if "levels" in facts:
        shape = "x".join(map(str, facts["shape"]))
        linked = ", linked" if facts.get("linked") else ""
        return f"{facts['axes']} {shape} {facts['dtype']}, {_um(facts['voxel_um'])}{linked}"
    if "columns" in facts:
        return f"{facts['count']} rows"
    if "count" in facts:
        return f"{facts['count']} tiles {facts['dtype']}, {_um(facts['voxel_um'])}"
    return ""


def fact_rows(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return facts by name as a person reads them, levels one by one."""
    rows: dict[str, str] = {}
    for name, value in facts.items():
        if name == "levels":
            for number, level in enumerate(value):
                shape = "x".join(map(str, level["shape"]))
                rows[f"level {number}"] = f"{shape}, {_um(level['voxel_um'])}"
        elif name == "voxel_um":
            rows[name] = _um(value)
        elif isinstance(value, list | tuple):
            joint = "x" if name == "shape" else ", "
            rows[name] = joint.join(map(str, value))
        else:
            rows[name] = str(value)
    return rows


def _um(lengths: list[float]) -> str:
    return "x".join(f"{length:g}" for length in lengths) + " um"
