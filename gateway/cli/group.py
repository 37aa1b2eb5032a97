"""The command group: loads a command's module when it is called, and turns errors into codes.

Help of the whole group is printed from the table alone, so that it appears at once.
"""

import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

from gateway.cli.answer import print_json
from gateway.errors import (
    CallError,
    GatewayError,
    RefError,
    RunCancelledError,
    SettingsError,
    ToolNotFoundError,
)

DONE, FAILED, BAD_CALL, CANCELLED = 0, 1, 2, 130
_BAD_CALLS = (CallError, RefError, SettingsError, ToolNotFoundError, click.UsageError)
_CANCELS = (RunCancelledError, KeyboardInterrupt, click.Abort)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives and its line in the list of commands."""

    module: str
    summary: str


COMMANDS: Mapping[str, Entry] = {
    name: Entry(f"gateway.cli.commands.{module}", summary)
    for name, module, summary in (
        ("demo", "demo", "Stitch, detect, measure and draw a sample brain, and report it."),
        ("init", "init", "Make a gateway home: store, catalogue and settings."),
        ("doctor", "doctor", "Check this machine and say what is missing."),
        ("ingest", "ingest", "Bring a stack, a folder or a grid of tiles into the store."),
        ("tools", "tools", "List the tools there are."),
        ("run", "run", "Run a tool on things in the store."),
        ("serve", "serve", "Serve the catalogue, the viewer, tools and runs in the browser."),
        ("up", "up", "Start JupyterHub with the gateway behind it, under one sign-in."),
        ("people", "people", "Add, change and let in people; put them into groups."),
        (
            "share",
            "share",
            "Say who may see a dataset: by role, or by a link that anybody can hold.",
        ),
        ("token", "token", "Make, list and end tokens with which programs act for a person."),
        ("ls", "ls", "List datasets, or what one dataset holds."),
        ("show", "show", "Show what a volume, table or grid of tiles is."),
        ("export", "export", "Write a volume or table to a file other programs read."),
        ("verify", "verify", "Check every byte of a dataset against its digests."),
        ("replay", "replay", "Run again what made a thing and compare the digests."),
        ("clean", "clean", "Remove what runs that nobody will resume left behind."),
        ("leases", "leases", "See who holds which GPU, hold one for a command, and take one back."),
        ("galaxy", "galaxy", "Start a Galaxy with all tools, and run workflows in one."),
        ("kernels", "kernels", "Offer the images of tools, or a cluster, as kernels in Jupyter."),
        ("catalog", "catalog", "Look after the catalogue."),
    )
}


class GatewayGroup(click.Group):
    """A click group that imports a command only when it is used."""

    def __init__(self, *args: Any, commands_table: Mapping[str, Entry], **kwargs: Any) -> None:
        """Take the table of commands beside click's own arguments."""
        super().__init__(*args, **kwargs)
        self._table = commands_table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, in the order a newcomer meets them."""
        del ctx
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of `cmd_name` and return its command."""
        del ctx
        if cmd_name not in self._table:
            return None
        command = importlib.import_module(self._table[cmd_name].module).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._table[cmd_name].module}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table, importing none."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self._table.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - click's own signature
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002 - click's own signature
        **extra: Any,
    ) -> Any:
        """Run a command line; every outcome becomes one of the documented exit codes."""
        words = list(sys.argv[1:] if args is None else args)
        code = DONE
        try:
            result = super().main(
                args=words,
                prog_name=prog_name,
                complete_var=complete_var,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
            code = result if isinstance(result, int) else DONE
        except BaseException as error:  # noqa: BLE001 - the process boundary
            code = exit_code(error)
            tell(error, code, as_json="--json" in words, debug="--debug" in words)
        if standalone_mode:
            sys.exit(code)
        return code


def exit_code(error: BaseException) -> int:
    """Return the documented exit code of an outcome."""
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILED
    if isinstance(error, _CANCELS):
        return CANCELLED
    return BAD_CALL if isinstance(error, _BAD_CALLS) else FAILED


def tell(error: BaseException, code: int, *, as_json: bool, debug: bool) -> None:
    """Say what went wrong on stderr, and as one JSON object on stdout where that was asked."""
    if isinstance(error, click.exceptions.Exit | SystemExit):
        return
    if isinstance(error, BrokenPipeError):
        # whoever read us has had enough, as `head` has; Python must not try to flush again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    message = _message(error)
    if debug:
        traceback.print_exception(error)
    if as_json:
        kind = type(error).__name__
        print_json({"error": {"type": kind, "message": message, "exit_code": code}})
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        click.echo(message, err=True)
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(error.ctx.get_usage(), err=True)
    click.echo(f"gateway: {message}", err=True)
    if not isinstance(error, GatewayError | click.ClickException | KeyboardInterrupt | click.Abort):
        click.echo("gateway: this is a fault of ours; --debug shows where it happened", err=True)


def _message(error: BaseException) -> str:
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "cancelled; the same command again continues where this one stopped"
    if isinstance(error, GatewayError):
        return str(error)
    return f"{type(error).__name__}: {error}"
