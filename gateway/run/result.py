"""What a run came to."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gateway.run.plan import Plan, find_outputs, output_refs
from gateway.run.publish import Output
from gateway.toolkit.spec import ToolSpec
from gateway.volumes.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What an execution of a plan came to."""

    run_id: str
    """The key of the call and eight random digits; kept when a run goes on."""
    tool: str
    version: str
    call_digest: str
    inputs: Mapping[str, str | None]
    """Input port to digest."""
    outputs: Mapping[str, Output]
    started: str
    """Of this execution, ISO 8601 in UTC."""
    wall_s: float
    workers: int
    resumed: bool
    """An earlier execution of the same call had done a part."""
    already_done: bool
    """All outputs were there before; nothing was computed."""

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        return asdict(self)


def already_done(spec: ToolSpec, plan: Plan, store: Store) -> RunResult:
    """Return the result of a run whose outputs were all there before."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    found = find_outputs(output_refs(spec, plan.call), store)
    outputs = {
        port: Output(
            ref=plan.call.outputs[port], kind=spec.outputs[port].kind, digest=made.digest or ""
        )
        for port, made in found.items()
    }
    run_id = next((made.made_by for made in found.values() if made.made_by), plan.run.name)
    done = make_result(plan, run_id, outputs, started, 0.0, resumed=False)
    return replace(done, already_done=True)


def make_result(
    plan: Plan,
    run_id: str,
    outputs: Mapping[str, Output],
    started: str,
    wall_s: float,
    *,
    resumed: bool,
) -> RunResult:
    """Return the result of an execution that ended well."""
    return RunResult(
        run_id=run_id,
        tool=plan.call.tool,
        version=plan.call.version,
        call_digest=plan.call.digest,
        inputs=plan.input_digests,
        outputs=outputs,
        started=started,
        wall_s=wall_s,
        workers=plan.workers,
        resumed=resumed,
        already_done=False,
    )
