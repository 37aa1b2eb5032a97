"""How a command answers: one JSON object on stdout, or lines for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click


def print_json(answer: Mapping[str, Any]) -> None:
    """Write one JSON object to stdout."""
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False, default=str))


def answer(data: Mapping[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    """Write `data` as JSON where `--json` was given, else `lines`."""
    if as_json:
        print_json(data)
        return
    for line in lines:
        click.echo(line)


def note(message: str) -> None:
    """Write a message for people to stderr, where it disturbs no machine."""
    click.echo(message, err=True)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns, two spaces apart."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def pairs(rows: Mapping[str, object]) -> list[str]:
    """Return names and values as aligned lines."""
    return columns([(f"{name}:", str(value)) for name, value in rows.items()])
