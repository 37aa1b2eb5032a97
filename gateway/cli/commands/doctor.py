"""`gateway doctor`: check this machine."""

import click

from gateway.cli.answer import answer, columns, note
from gateway.cli.group import DONE, FAILED
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.doctor import Check, examine, try_all

_SIGNS = {"ok": "ok", "note": "note", "missing": "MISSING"}


@click.command("doctor")
@click.option(
    "--warm",
    is_flag=True,
    help="Compile the numerical kernels first, by leading a tiny brain all the way.",
)
@shared_options
@pass_shared
def command(shared: Shared, /, *, warm: bool) -> int:
    """Check this machine and say what is missing.

    Notes are worth knowing; only what is MISSING makes the command fail.
    """
    if warm:
        note("compiling the kernels (once; up to a minute)")
    tried = [try_all()] if warm else []
    checks = [*examine(shared.home), *tried]
    fit = all(check.state != "missing" for check in checks)
    data = {"fit": fit, "checks": [_as_json(check) for check in checks]}
    lines = columns([(_SIGNS[check.state], check.name, check.detail) for check in checks])
    lines += [f"try: {check.advice}" for check in checks if check.advice]
    lines.append("This machine is fit for work." if fit else "Something needed is missing.")
    answer(data, lines, as_json=shared.json)
    return DONE if fit else FAILED


def _as_json(check: Check) -> dict[str, str]:
    return {
        "name": check.name,
        "state": check.state,
        "detail": check.detail,
        "advice": check.advice,
    }
