"""Plans and results of runs as lines for people."""

from collections.abc import Iterable

from gateway.cli.answer import columns
from gateway.run.plan import Plan
from gateway.run.result import RunResult

_THOUSAND = 1000


def plan_lines(plan: Plan) -> Iterable[str]:
    """Yield a table of the passes, and what the whole run needs."""
    rows = [("pass", "tasks", "blocks", "block", "read", "written")]
    rows += [
        (
            step.name,
            f"{step.tasks}" + (f" ({step.done} done)" if step.done else ""),
            str(step.blocks),
            "x".join(map(str, step.block)) if step.kind == "blocks" else "",
            _size(step.bytes_read),
            _size(step.bytes_written),
        )
        for step in plan.passes
    ]
    yield from columns(rows)
    yield ""
    yield (
        f"{plan.tasks} tasks on {plan.workers} worker(s), {_size(plan.worker_bytes)} of memory "
        f"each; reads {_size(plan.bytes_read)}, writes {_size(plan.bytes_written)} before "
        "compression"
    )
    if plan.gpus:
        yield f"It holds {plan.gpus} GPU(s) while it runs, and waits in line until they are free."
    if plan.published:
        yield "The outputs exist already, made by this very call: nothing would be done."
    elif plan.resumes:
        yield "An earlier run of this call left work behind; it would go on from there."


def result_lines(result: RunResult) -> Iterable[str]:
    """Yield one line per output, and the run."""
    yield from columns(
        [
            (port, str(output.ref), output.kind, output.digest or "")
            for port, output in result.outputs.items()
        ]
    )
    done = "was done before" if result.already_done else f"{result.wall_s:.1f} s"
    yield f"run {result.run_id}, {done}"


def _size(count: float) -> str:
    if count < _THOUSAND:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= _THOUSAND
        if count < _THOUSAND:
            return f"{count:.1f} {unit}"
    return f"{count / _THOUSAND:.1f} TB"
