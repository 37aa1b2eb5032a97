"""What a job would do, before it does it: its plan, and how long it will take.

The pilot computes a tool's code on real data, so it has a process of its own, with a limit of
time: `python -m gateway.service.jobs.planning HOME` reads a call on standard input.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gateway.errors import GatewayError, LimitError
from gateway.run.pilot import measure
from gateway.run.plan import Plan, RunOptions
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.jobs.job import new_job
from gateway.service.jobs.rights import check_call, is_new
from gateway.service.runs import plan_tool
from gateway.toolkit.call import Call
from gateway.volumes.ref import parse_ref

_PATIENCE_S = 60
_PILOTS = threading.BoundedSemaphore(2)
"""Pilots at a time in one process of the web service."""


def plan_call(
    gateway: Gateway,
    actor: Actor,
    call: Call,
    options: Mapping[str, Any] | None = None,
    *,
    pilot: bool = True,
) -> dict[str, Any]:
    """Return what a job would do, as JSON values; nothing is written, no dataset is claimed.

    Args:
        gateway: The gateway.
        actor: Who asks.
        call: What to do.
        options: `workers` and `block_voxels`, where the person chooses them.
        pilot: Whether to compute a block, to tell how long it will take.

    Raises:
        GatewayError: As `gateway.service.jobs.requests.ask`.
    """
    checked = check_call(gateway, actor, call, claim=False)
    how = new_job(actor.name, checked, options or {}).run_options(gateway)
    plan = plan_tool(gateway, checked, how)
    document = plan.to_json()
    del document["store"]  # its place on the server is nobody's business
    names = {parse_ref(ref).dataset for ref in checked.outputs.values()}
    document["new_datasets"] = sorted(name for name in names if is_new(gateway, name))
    document["free_bytes"] = gateway.store.free_bytes()
    document["memory_limit"] = how.memory_bytes
    document["estimate"] = _estimate(gateway, plan) if pilot and not plan.published else None
    return document


def _estimate(gateway: Gateway, plan: Plan) -> dict[str, Any]:
    """Return the estimate, or why there is none."""
    if plan.gpus:
        return {"problem": "no block is tried out on a GPU before the run has one"}
    asked = {"call": plan.call.to_json(), "options": asdict(plan.options)}
    if not _PILOTS.acquire(timeout=_PATIENCE_S):
        raise LimitError("too many plans are being measured at this moment; try again")
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter, and a home of our own
            [sys.executable, "-m", "gateway.service.jobs.planning", str(gateway.home)],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            cwd=gateway.home,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"problem": f"one block took longer than {_PATIENCE_S} seconds"}
    finally:
        _PILOTS.release()
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return {"problem": "the pilot block failed: " + (done.stderr.strip() or "it was killed")}
    return dict(answer)


def main() -> int:
    """Measure the call on standard input; print the estimate as JSON."""
    asked = json.loads(sys.stdin.read())
    options = asked["options"]
    if options["block_voxels"]:
        options["block_voxels"] = tuple(options["block_voxels"])
    gateway = open_gateway(Path(sys.argv[1]))
    with gateway.catalogue:
        try:
            plan = plan_tool(gateway, Call.from_json(asked["call"]), RunOptions(**options))
            answer = asdict(measure(plan, gateway.store))
        except GatewayError as error:
            answer = {"problem": str(error)}
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
