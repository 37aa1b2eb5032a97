"""What words on the command line mean: lengths, shapes, boxes, ports and settings."""

import re
from collections.abc import Iterable
from typing import Any

import click

from gateway.volumes.box import Box, Shape, Vector


class Lengths(click.ParamType[Vector]):
    """`Z,Y,X` as three positive numbers."""

    name = "Z,Y,X"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Vector:
        """Parse three positive numbers."""
        if isinstance(value, tuple):
            return value
        try:
            z, y, x = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not three numbers Z,Y,X, e.g. 5,2,2", param, ctx)
        if not all(0 < length < float("inf") for length in (z, y, x)):
            self.fail(f"{value!r} has a length that is not above 0", param, ctx)
        return (z, y, x)


class Voxels(click.ParamType[Shape]):
    """`Z,Y,X` as three positive whole numbers."""

    name = "Z,Y,X"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Shape:
        """Parse three positive whole numbers."""
        if isinstance(value, tuple):
            return value
        try:
            z, y, x = (int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not three whole numbers Z,Y,X, e.g. 64,64,64", param, ctx)
        if min(z, y, x) < 1:
            self.fail(f"{value!r} has a side below 1 voxel", param, ctx)
        return (z, y, x)


class BoxOfVoxels(click.ParamType[Box]):
    """`Z0:Z1,Y0:Y1,X0:X1` as a half-open box."""

    name = "Z0:Z1,Y0:Y1,X0:X1"
    _PATTERN = re.compile(r"(\d+):(\d+),(\d+):(\d+),(\d+):(\d+)\Z")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Box:
        """Parse a box that holds at least one voxel."""
        if isinstance(value, Box):
            return value
        match = self._PATTERN.match(str(value).replace(" ", ""))
        if match is None:
            self.fail(f"{value!r} is not Z0:Z1,Y0:Y1,X0:X1, e.g. 0:32,0:256,0:256", param, ctx)
        z0, z1, y0, y1, x0, x1 = map(int, match.groups())
        box = Box((z0, y0, x0), (z1, y1, x1))
        if not box.voxels:
            self.fail(f"{value!r} holds no voxel: each stop must be above its start", param, ctx)
        return box


class GridOfTiles(click.ParamType[tuple[int, int]]):
    """`ROWS,COLUMNS` as two positive whole numbers."""

    name = "ROWS,COLUMNS"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Parse two positive whole numbers."""
        if isinstance(value, tuple):
            return value
        try:
            rows, across = (int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not two whole numbers ROWS,COLUMNS, e.g. 2,3", param, ctx)
        if min(rows, across) < 1:
            self.fail(f"{value!r} has no row or no column", param, ctx)
        return (rows, across)


class Words(click.ParamType[tuple[str, ...]]):
    """`A,B,…` as words."""

    name = "A,B,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split at commas; no word may be empty."""
        if isinstance(value, tuple):
            return value
        words = tuple(word.strip() for word in str(value).split(","))
        if not all(words):
            self.fail(f"{value!r} has an empty name", param, ctx)
        return words


class Named(click.ParamType[tuple[str, str]]):
    """`NAME=VALUE` as a pair of words."""

    def __init__(self, left: str, right: str) -> None:
        """Take the words that help shows for both sides."""
        self.name = f"{left}={right}"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Split at the first `=`."""
        if isinstance(value, tuple):
            return value
        left, equals, right = str(value).partition("=")
        if not (left and equals and right):
            self.fail(f"{value!r} is not {self.name}", param, ctx)
        return (left, right)


def as_mapping(words: Iterable[tuple[str, str]], option: str) -> dict[str, str]:
    """Return pairs as a mapping.

    Raises:
        click.UsageError: A name is given twice.
    """
    mapping: dict[str, str] = {}
    for name, value in words:
        if name in mapping:
            raise click.UsageError(
                f"{option} gives {name!r} twice: {mapping[name]!r} and {value!r}; keep one"
            )
        mapping[name] = value
    return mapping
