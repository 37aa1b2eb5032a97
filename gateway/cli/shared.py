"""The options that every command has: `--home`, `--json`, `--debug`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@dataclass(slots=True)
class Shared:
    """What the options of the group and of the command say together."""

    home: Path | None = None
    json: bool = False
    debug: bool = False


pass_shared = click.make_pass_decorator(Shared, ensure=True)


def shared_options(function: FunctionT) -> FunctionT:
    """Add `--home`, `--json` and `--debug`, before or after the name of the command."""
    for option in (_HOME, _JSON, _DEBUG):
        function = option(function)
    return function


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    shared = ctx.ensure_object(Shared)
    if value:
        setattr(shared, str(param.name), value)


_DEBUG = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Show where an error happened.",
)
_JSON = click.option(
    "--json",
    is_flag=True,
    expose_value=False,
    callback=_remember,
    help="Answer with one JSON object on stdout.",
)
_HOME = click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    expose_value=False,
    callback=_remember,
    help="The gateway home to work in; without it, the one GATEWAY_HOME names.",
)
