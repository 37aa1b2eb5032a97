"""Replay: makes a thing again from the record beside it and compares the digests."""

import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import gateway as package
from gateway.errors import (
    CallError,
    CorruptionError,
    NotFoundError,
    ToolNotFoundError,
)
from gateway.records.crate import crate_key, read_crate
from gateway.records.entries import describe_entry
from gateway.records.runs import PortRecord, RunRecord, SourceFile
from gateway.run.events import Listener
from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.run.result import RunResult
from gateway.service.gateway import Gateway
from gateway.service.runs import run_options
from gateway.toolkit.call import Call
from gateway.toolkit.registry import get_tool
from gateway.toolkit.spec import ToolSpec
from gateway.volumes.checksums import checksum_file
from gateway.volumes.dataset import find_entry
from gateway.volumes.open import entry_of
from gateway.volumes.ref import Ref, parse_ref


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedOutput:
    """One output of the run: its digest then and now."""

    port: str
    ref: str
    recorded: str | None
    found: str

    @property
    def same(self) -> bool:
        """Whether the digests agree."""
        return self.recorded == self.found


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What came of running it again."""

    ref: str
    run_id: str
    tool: str
    version: str
    recorded_gateway: str
    """Version of this software that made it."""
    gateway: str
    """Version that made it again."""
    outputs: tuple[ReplayedOutput, ...]
    wall_s: float

    @property
    def same(self) -> bool:
        """Whether every output came out the same."""
        return all(output.same for output in self.outputs)

    def to_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        outputs = [{**asdict(output), "same": output.same} for output in self.outputs]
        return {**asdict(self), "outputs": outputs, "same": self.same}


def replay(
    gateway: Gateway,
    ref: str,
    options: RunOptions | None = None,
    listeners: Sequence[Listener] = (),
    cancel: threading.Event | None = None,
) -> ReplayReport:
    """Run again what made a thing, under other names, and compare the digests.

    All that is needed is read from the dataset's folder. What is made again is removed.

    Args:
        gateway: The gateway.
        ref: The thing to make again; the other outputs of its run are made and compared too.
        options: How to use the machine; None takes the gateway's settings.
        listeners: Called with every event, in this thread.
        cancel: Set it, from any thread, to stop.

    Raises:
        NotFoundError: There is no such thing, no record of how it was made, or an input is gone.
        ToolNotFoundError: The tool that made it is not installed.
        CallError: The tool is installed in another version.
        CorruptionError: The record is damaged, or an input is not what the run took.
        RunError: The run failed this time.
    """
    run = find_maker(gateway, parse_ref(ref))
    spec = _find_tool(run, ref)
    _check_inputs(gateway, run)
    started = time.perf_counter()
    result = _run_again(
        gateway,
        run,
        spec,
        options=options or run_options(gateway, tool=run.tool),
        listeners=listeners,
        cancel=cancel,
    )
    return ReplayReport(
        ref=ref,
        run_id=run.id,
        tool=run.tool,
        version=run.version,
        recorded_gateway=run.gateway,
        gateway=package.__version__,
        outputs=tuple(
            ReplayedOutput(
                port=port.port,
                ref=port.ref,
                recorded=port.digest,
                found=result.outputs[port.port].digest,
            )
            for port in run.outputs
        ),
        wall_s=time.perf_counter() - started,
    )


def find_maker(gateway: Gateway, ref: Ref) -> RunRecord:
    """Return the run that made a thing, as the crate of its dataset tells it.

    Raises:
        NotFoundError: There is no such thing, or nothing says how it was made.
        CorruptionError: The crate is damaged.
    """
    entry = entry_of(gateway.store, ref)
    crate = read_crate(gateway.store, ref.dataset)
    made_by = describe_entry(gateway.store, entry).made_by
    for run in reversed(crate.runs if crate else ()):
        if str(ref) in {port.ref for port in run.outputs} and made_by in (None, run.id):
            return run
    where = f"in {crate_key(ref.dataset)}" if crate else f"({crate_key(ref.dataset)} is missing)"
    reason = "it was registered in place" if entry.linked else f"no record {where} names it"
    raise NotFoundError(f"{ref} cannot be replayed: {reason}; only what a run made can be")


def _find_tool(run: RunRecord, ref: str) -> ToolSpec:
    made = f"{ref} was made by {run.tool} {run.version}"
    image = f", or replay it in the image {run.image}" if run.image else ""
    try:
        spec = get_tool(run.tool)
    except ToolNotFoundError as error:
        raise ToolNotFoundError(
            f"{made}, which is not installed here; install the package that brings it{image}"
        ) from error
    if spec.version != run.version:
        raise CallError(
            f"{made}; installed is {spec.version}, which may give another result; "
            f"install {run.version}{image}"
        )
    return spec


def _check_inputs(gateway: Gateway, run: RunRecord) -> None:
    for port in run.inputs:
        if port.kind != "file":
            _check_input(gateway, run, port)
    for source in run.sources:
        _check_source(run, source)


def _check_input(gateway: Gateway, run: RunRecord, port: PortRecord) -> None:
    entry = find_entry(gateway.store, parse_ref(port.ref))
    if entry is None:
        raise NotFoundError(
            f"input {port.port!r} of {run.tool}, {port.ref}, is gone from the store "
            f"{gateway.store.url}; it had the digest {port.digest}: bring it back, then replay"
        )
    found = describe_entry(gateway.store, entry).digest
    if found != port.digest:
        raise CorruptionError(
            f"input {port.port!r} of {run.tool}, {port.ref}, is not what the run took: its digest "
            f"is {found}, {port.digest} was recorded; bring the original back, then replay"
        )


def _check_source(run: RunRecord, source: SourceFile) -> None:
    path = Path(source.path)
    if not path.is_file():
        raise NotFoundError(
            f"the source file {path} that {run.tool} read is gone; bring it back, then replay"
        )
    same_size = path.stat().st_size == source.size
    if not same_size or checksum_file(path) != source.checksum:
        raise CorruptionError(
            f"the source file {path} that {run.tool} read has changed since; it had "
            f"{source.size} bytes and {source.checksum}: bring the original back, then replay"
        )


def _run_again(
    gateway: Gateway,
    run: RunRecord,
    spec: ToolSpec,
    *,
    options: RunOptions,
    listeners: Sequence[Listener],
    cancel: threading.Event | None,
) -> RunResult:
    """Execute the call with its outputs in a dataset of their own, which is removed at the end.

    A replay that is killed leaves that dataset behind; its name tells the next one where to go on.
    """
    scratch = f"replay-{run.id}"
    recorded = Call.from_json(run.call)
    with tempfile.TemporaryDirectory(prefix="gateway-replay-") as folder:
        outputs = {
            port: str(Path(folder) / Path(value).name)
            if spec.outputs[port].kind == "file"
            else f"{scratch}/{port}"
            for port, value in recorded.outputs.items()
        }
        try:
            plan = make_plan(spec, replace(recorded, outputs=outputs), gateway.store, options)
            return execute(plan, gateway.store, listeners=listeners, cancel=cancel)
        finally:
            gateway.store.delete(scratch)
