"""`gateway run TOOL`: run a tool on things in the store."""

from pathlib import Path
from typing import Any, get_args

import click

from gateway.cli.answer import answer
from gateway.cli.cancelling import cancel_on_signal
from gateway.cli.opening import opened
from gateway.cli.outcome import plan_lines, result_lines
from gateway.cli.progress import show_events
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.cli.values import Named, Voxels, as_mapping
from gateway.run.plan import EngineName
from gateway.service.calls import call_from_file, call_from_words
from gateway.service.runs import plan_tool, run_options, run_tool
from gateway.service.toolbox import describe_tool, tool_help
from gateway.toolkit.call import Call
from gateway.volumes.box import Shape

Words = tuple[tuple[str, str], ...]


@click.command("run", add_help_option=False)
@click.argument("tool", required=False)
@click.option(
    "--in",
    "inputs",
    type=Named("PORT", "REF"),
    multiple=True,
    help="What the tool takes at a port. Repeat for more ports.",
)
@click.option(
    "--out",
    "outputs",
    type=Named("PORT", "REF"),
    multiple=True,
    help="What to call what the tool gives at a port. Repeat for more ports.",
)
@click.option(
    "--set",
    "settings",
    type=Named("NAME", "VALUE"),
    multiple=True,
    help="A setting of the tool; METHOD.NAME=VALUE inside a choice. Repeat for more.",
)
@click.option(
    "--call",
    "call_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A JSON file with tool, inputs, outputs and params, instead of the words above.",
)
@click.option(
    "--engine",
    type=click.Choice(get_args(EngineName)),
    help="What executes the tasks: processes of this machine, or containers of the tool's image. "
    "The setting `engine` if not given.",
)
@click.option("--workers", type=click.IntRange(1, 4096), help="Processes; one per core if not set.")
@click.option(
    "--block-voxels",
    type=Voxels(),
    help="Shape of a block, any shape; it never changes the result.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be done and do nothing.")
@click.option("--events", is_flag=True, help="Progress as JSON lines on stderr.")
@click.option(
    "-h", "--help", "wants_help", is_flag=True, help="Show help, of TOOL where it is named."
)
@shared_options
@pass_shared
@click.pass_context
def command(
    ctx: click.Context,
    shared: Shared,
    /,
    *,
    tool: str | None,
    inputs: Words,
    outputs: Words,
    settings: Words,
    call_file: Path | None,
    wants_help: bool,
    **how: Any,
) -> None:
    """Run a tool on things in the store.

    `gateway run TOOL --help` says what TOOL takes and gives. A run that was stopped goes on when
    the same command is given again.
    """
    if wants_help:
        _show_help(ctx, tool, as_json=shared.json)
        return
    words = {"--in": inputs, "--out": outputs, "--set": settings}
    call = _read_call(tool, call_file, words)
    _execute(shared, call, **how)


def _show_help(ctx: click.Context, tool: str | None, *, as_json: bool) -> None:
    if tool is None:
        click.echo(ctx.get_help())
        return
    answer(describe_tool(tool), tool_help(tool), as_json=as_json)


def _read_call(tool: str | None, call_file: Path | None, words: dict[str, Words]) -> Call:
    if call_file is not None:
        given = [option for option, pairs in words.items() if pairs]
        if tool is not None or given:
            surplus = ", ".join([*([tool] if tool else []), *given])
            raise click.UsageError(f"--call holds the whole call; leave out {surplus}")
        return call_from_file(call_file)
    if tool is None:
        raise click.UsageError("name a TOOL (see `gateway tools`), or give --call FILE")
    return call_from_words(tool, *(as_mapping(pairs, option) for option, pairs in words.items()))


def _execute(
    shared: Shared,
    call: Call,
    *,
    engine: EngineName | None,
    workers: int | None,
    block_voxels: Shape | None,
    dry_run: bool,
    events: bool,
) -> None:
    with opened(shared) as gateway:
        options = run_options(
            gateway, engine=engine, tool=call.tool, workers=workers, block_voxels=block_voxels
        )
        if dry_run:
            plan = plan_tool(gateway, call, options)
            answer(plan.to_json(), plan_lines(plan), as_json=shared.json)
            return
        with cancel_on_signal() as cancel, show_events(as_json=events) as listener:
            result = run_tool(gateway, call, options, listeners=(listener,), cancel=cancel)
    answer(result.to_json(), result_lines(result), as_json=shared.json)
