"""The report of a stitched grid for people: summary, tiles and pairs as JSON, CSV and HTML."""

import csv
import html
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PAIR_COLUMNS = (
    "first", "second", "shift_z", "shift_y", "shift_x", "stage_z", "stage_y", "stage_x",
    "confidence", "correlation", "score", "residual_voxels", "used", "confirmed",
)  # fmt: skip
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}"
    "td,th{padding:.15rem .6rem;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}tr.bad{background:#fde8e4}"
    "img{max-width:100%}div{overflow-x:auto}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridReport:
    """A solved grid with the names of its tiles."""

    files: Sequence[str]
    nominal: NDArray[np.float64]
    """Stage positions in voxels, `(tiles, 3)`."""
    solved: Mapping[str, NDArray[Any]]
    """What `solve_grid` returned."""

    def pairs(self) -> Iterator[dict[str, Any]]:
        """Give one row per pair."""
        solved = self.solved
        for row, (first, second) in enumerate(solved["tiles"].tolist()):
            shift = np.round(solved["shift"][row], 3).tolist()
            stage = np.round(self.nominal[second] - self.nominal[first], 3).tolist()
            residual = float(np.linalg.norm(solved["residual"][row]))
            values = (
                self.files[first],
                self.files[second],
                *(None if np.isnan(s) else s for s in shift),
                *stage,
                *(round(float(solved[n][row]), 3) for n in ("confidence", "correlation", "score")),
                round(residual, 3) if np.isfinite(residual) else None,
                bool(solved["candidate"][row] >= 0),
                bool(solved["in_cycle"][row]),
            )
            yield dict(zip(_PAIR_COLUMNS, values, strict=True))

    def tiles(self) -> Iterator[dict[str, Any]]:
        """Give one row per tile."""
        solved = self.solved
        used = solved["candidate"] >= 0
        for index, file in enumerate(self.files):
            mine = used & (solved["tiles"] == index).any(axis=1)
            position = solved["position"][index]
            moved = float(np.linalg.norm(position - self.nominal[index]))
            square = (solved["residual"][mine] ** 2).sum(axis=1)
            yield {
                "file": file,
                "z": float(position[0]),
                "y": float(position[1]),
                "x": float(position[2]),
                "stage_error_voxels": round(moved, 3),
                "gain": round(float(solved["gain"][0, index]), 4),
                "pairs": int(np.count_nonzero(mine)),
                "confidence": float(solved["confidence"][mine].max(initial=0.0)),
                "residual": float(np.sqrt(square.mean())) if mine.any() else float("nan"),
                "by_neighbours": not bool(solved["measured"][index]),
            }


def summarise(report: GridReport) -> dict[str, Any]:
    """Return the figures that say at a glance whether to look closer."""
    pairs, tiles = list(report.pairs()), list(report.tiles())
    used = [p for p in pairs if p["used"]]
    moved = report.solved["position"] - report.nominal
    moved = moved - moved.mean(axis=0)
    return {
        "tiles": len(tiles),
        "pairs": len(pairs),
        "pairs_used": len(used),
        "pairs_unconfirmed": sum(not p["confirmed"] for p in used),
        "tiles_placed_by_neighbours": [t["file"] for t in tiles if t["by_neighbours"]],
        "stage_error_rms_voxels": round(float(np.sqrt((moved**2).sum(axis=1).mean())), 3),
        "residual_rms_voxels": _rms([p["residual_voxels"] for p in used]),
        "gain": [round(float(g), 4) for g in report.solved["gain"][0]],
        "vignette": [round(float(v), 5) for v in report.solved["vignette"][0]],
    }


def write_json(report: GridReport) -> bytes:
    """Return summary, tiles and pairs as JSON."""
    tiles = [
        {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in t.items()}
        for t in report.tiles()
    ]
    document = {"summary": summarise(report), "tiles": tiles, "pairs": list(report.pairs())}
    return f"{json.dumps(document, indent=1, allow_nan=False)}\n".encode()


def write_csv(report: GridReport) -> bytes:
    """Return one line per pair as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _PAIR_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(report.pairs())
    return text.getvalue().encode()


def write_html(report: GridReport) -> bytes:
    """Return a page for people: summary, seams (`seams.png` beside it), tiles and pairs."""
    summary = summarise(report)
    lost = summary["tiles_placed_by_neighbours"]
    words = (
        f"{summary['tiles']} tiles, {summary['pairs_used']} of {summary['pairs']} pairs used, "
        f"{summary['pairs_unconfirmed']} of them unconfirmed by any other. The stage was off by "
        f"{summary['stage_error_rms_voxels']} voxels (rms); used pairs disagree by "
        f"{summary['residual_rms_voxels']} voxels (rms)."
    )
    names = ", ".join(map(html.escape, lost))
    warning = f"<p><strong>Placed by their neighbours: {names}.</strong></p>" if lost else ""
    tiles = _table(list(report.tiles()), lambda row: bool(row["by_neighbours"]))
    pairs = _table(list(report.pairs()), lambda row: not row["used"])
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Stitching</title>'
        f"<style>{_STYLE}</style><h1>Stitching</h1><p>{words}</p>{warning}<h2>Seams</h2>"
        "<p>Left by the stage, right as stitched: one tile magenta, the other green, grey where "
        'they agree.</p><img src="seams.png" alt="Seams before and after stitching">'
        f"<h2>Tiles</h2><div>{tiles}</div><h2>Pairs</h2><div>{pairs}</div></html>\n"
    )
    return page.encode()


def _rms(values: Sequence[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return round(float(np.sqrt(np.mean(np.square(known)))), 4) if known else None


def _table(rows: list[dict[str, Any]], is_bad: Callable[[dict[str, Any]], bool]) -> str:
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in rows[0])
    body = "".join(
        f"<tr{' class=bad' if is_bad(row) else ''}>"
        + "".join(f"<td>{_cell(value)}</td>" for value in row.values())
        + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else html.escape(str(value))
