"""Nominal places of tiles: from a CSV file, from row and column names, or from the stage."""

import csv
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from natsort import natsorted

from gateway.errors import FormatError, NotFoundError, StoreError
from gateway.volumes.box import Shape, Vector

Order = Literal["raster", "snake"]
_AXES = ("z", "y", "x")
_LISTED = 6
_ROW_COLUMN = (
    re.compile(
        r"(?:^|[_\-. ])r(?:ow)?[_\-]?(?P<row>\d+)[_\-]?c(?:ol(?:umn)?)?[_\-]?(?P<column>\d+)",
        re.IGNORECASE,
    ),
    re.compile(r"(?:^|[_\-. ])y[_\-]?(?P<row>\d+)[_\-]?x[_\-]?(?P<column>\d+)", re.IGNORECASE),
    re.compile(r"(?:^|[_\-. ])x[_\-]?(?P<column>\d+)[_\-]?y[_\-]?(?P<row>\d+)", re.IGNORECASE),
    re.compile(r"\[(?P<row>\d+) ?x ?(?P<column>\d+)\]", re.IGNORECASE),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one tile should lie."""

    file: str
    nominal_voxels: Vector | None = None
    """Zyx; None where the file gives micrometres."""
    nominal_um: Vector | None = None
    extra: Mapping[str, float | str] = field(default_factory=dict)

    def voxels(self, voxel_um: Vector) -> Vector:
        """Return the place in voxels of that size."""
        if self.nominal_voxels is not None:
            return self.nominal_voxels
        z, y, x = (p / v for p, v in zip(self.nominal_um or (0, 0, 0), voxel_um, strict=True))
        return (z, y, x)


def read_positions(path: Path) -> tuple[Place, ...]:
    """Read `file,nominal_z,nominal_y,nominal_x` (voxels) or `…,nominal_z_um,…` from a CSV file.

    `nominal_z` may be left out (0). Other columns are kept, as numbers where they are numbers.

    Raises:
        NotFoundError: There is no such file.
        FormatError: A column is missing or unknown, a number is none, or a file named twice;
            names the row.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as handle:
            reader = csv.DictReader(handle, skipinitialspace=True)
            rows = list(reader)
            columns = [str(c).strip() for c in reader.fieldnames or ()]
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no positions file {path}") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(f"{path} is no CSV file: {error}") from error
    unit = _unit(path, columns)
    if not rows:
        raise FormatError(f"{path} has a header but no rows; expected one row per tile")
    places = [_parse_row(path, number, row, unit) for number, row in enumerate(rows, start=2)]
    _refuse_doubles(path, places)
    return tuple(places)


def _unit(path: Path, columns: Sequence[str]) -> str:
    """Return `_um` or nothing: how the position columns end."""
    for unit in ("", "_um"):
        wanted = [f"nominal_{a}{unit}" for a in _AXES]
        if "file" in columns and set(wanted[1:]) <= set(columns):
            return unit
    raise FormatError(
        f"{path} has columns {', '.join(columns) or '(none)'}; expected "
        "file,nominal_z,nominal_y,nominal_x in voxels or "
        "file,nominal_z_um,nominal_y_um,nominal_x_um (z may be left out)"
    )


def _parse_row(path: Path, number: int, row: Mapping[str | None, object], unit: str) -> Place:
    cells = {str(k).strip(): str(v or "").strip() for k, v in row.items() if k is not None}
    if None in row:
        raise FormatError(f"{path}, row {number} has more cells than the header has columns")
    name = cells.pop("file")
    if not name or "/" in name or "\\" in name:
        raise FormatError(f"{path}, row {number}: file is {name!r}; expected a bare file name")
    at = []
    for axis in _AXES:
        text = cells.pop(f"nominal_{axis}{unit}", "0")
        value = _number(text)
        if value is None:
            raise FormatError(
                f"{path}, row {number} ({name}): nominal_{axis}{unit} is {text!r}, not a number"
            )
        at.append(value)
    place: Vector = (at[0], at[1], at[2])
    extra: dict[str, float | str] = {}
    for key, text in cells.items():
        value = _number(text)
        extra[key] = text if value is None else value
    return Place(
        file=name,
        nominal_voxels=None if unit else place,
        nominal_um=place if unit else None,
        extra=extra,
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _refuse_doubles(path: Path, places: Sequence[Place]) -> None:
    names = Counter(p.file for p in places)
    doubled = [name for name, n in names.items() if n > 1]
    if doubled:
        raise FormatError(f"{path} names {', '.join(doubled[:_LISTED])} more than once")
    spots: dict[Vector | None, str] = {}
    for place in places:
        spot = place.nominal_voxels or place.nominal_um
        if spot in spots:
            raise FormatError(
                f"{path} puts {spots[spot]} and {place.file} at the same place {spot}; "
                "each tile needs its own"
            )
        spots[spot] = place.file


def match_files(places: Sequence[Place], files: Sequence[Path], source: Path) -> list[Path]:
    """Return the file of each place.

    Raises:
        FormatError: A file is named but missing, or there but not named; lists both.
    """
    known = {f.name: f for f in files}
    missing = [p.file for p in places if p.file not in known]
    extra = natsorted(set(known) - {p.file for p in places})
    if missing or extra:
        parts = []
        if missing:
            parts.append(f"{_some(missing)} named but not in the folder")
        if extra:
            parts.append(f"{_some(extra)} in the folder but not named")
        raise FormatError(f"{source}: {'; '.join(parts)}; every tile needs one row and one file")
    return [known[p.file] for p in places]


def places_from_names(
    files: Sequence[Path],
    shape: Shape,
    overlap: float,
    *,
    order: Order = "raster",
    grid: tuple[int, int] | None = None,
) -> tuple[Place, ...]:
    """Place tiles by the row and column in their names, or by their order in a grid.

    Args:
        files: The tiles.
        shape: Voxels of each tile, zyx.
        overlap: Share of a tile that the next one covers, 0 to below 1.
        order: `snake` counts the columns of every second row backwards.
        grid: Rows and columns, where names only count the tiles; they are then taken row by row.

    Raises:
        FormatError: Names do not tell a full grid, or the overlap is out of bounds.
    """
    if not 0 <= overlap < 1:
        raise FormatError(
            f"overlap {overlap} is out of bounds; expected 0 <= overlap < 1, e.g. 0.1"
        )
    cells = _cells_by_order(files, grid) if grid is not None else _cells_by_name(files)
    columns = 1 + max(c for _, c in cells)
    places = []
    for file, (row, column) in zip(files, cells, strict=True):
        along = columns - 1 - column if order == "snake" and row % 2 else column
        at = (0.0, row * shape[1] * (1 - overlap), along * shape[2] * (1 - overlap))
        extra = {"row": float(row), "column": float(along)}
        places.append(Place(file=file.name, nominal_voxels=at, extra=extra))
    return tuple(places)


def tell_row_column(name: str) -> tuple[int, int] | None:
    """Return the row and column in a file name, such as `tile_r01_c02`, or None."""
    for pattern in _ROW_COLUMN:
        found = pattern.search(name)
        if found:
            return int(found["row"]), int(found["column"])
    return None


def _cells_by_name(files: Sequence[Path]) -> list[tuple[int, int]]:
    found = [(f, tell_row_column(f.stem)) for f in files]
    without = [f.name for f, cell in found if cell is None]
    if without:
        raise FormatError(
            f"{_some(without)} tell no row and column (such as tile_r01_c02.tif); give "
            "--positions FILE.csv, or --grid ROWS,COLUMNS if the files count the tiles in order"
        )
    cells = [cell for _, cell in found if cell is not None]
    doubled = [f"row {r} column {c}" for (r, c), n in Counter(cells).items() if n > 1]
    if doubled:
        raise FormatError(f"more than one tile at {_some(doubled)}; each needs its own place")
    row, column = min(r for r, _ in cells), min(c for _, c in cells)
    return [(r - row, c - column) for r, c in cells]


def _cells_by_order(files: Sequence[Path], grid: tuple[int, int]) -> list[tuple[int, int]]:
    rows, columns = grid
    if rows < 1 or columns < 1 or rows * columns != len(files):
        raise FormatError(
            f"a grid of {rows} rows and {columns} columns has {rows * columns} tiles, but there "
            f"are {len(files)} files"
        )
    rank = {f: i for i, f in enumerate(natsorted(files, key=lambda f: f.name))}
    return [divmod(rank[f], columns) for f in files]


def _some(items: Sequence[str]) -> str:
    more = f" and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more
