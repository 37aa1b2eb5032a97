"""Runs of tools: planned, executed, and written down however they end."""

import getpass
import json
import platform
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import gateway as package
from gateway.errors import NotFoundError, RefError
from gateway.records.crate import read_crate
from gateway.records.recorder import RunRecorder, record_run
from gateway.records.runs import PortRecord, RunRecord, SourceFile
from gateway.run.events import Listener
from gateway.run.execute import execute
from gateway.run.plan import EngineName, Plan, RunOptions, make_plan, suits_containers
from gateway.run.result import RunResult
from gateway.service.browse.thumbnails import PICTURED, prepare_thumbnail
from gateway.service.gateway import Gateway
from gateway.service.images import image_name, in_image
from gateway.service.leases.runs import lent_to_run
from gateway.toolkit.call import Call
from gateway.toolkit.registry import get_tool
from gateway.toolkit.spec import ToolSpec
from gateway.volumes.box import Shape
from gateway.volumes.dataset import entry_key
from gateway.volumes.ref import parse_ref

SOURCES_FILE = "sources.json"
"""Report of a run that read files from outside: path, size and checksum of each."""


def run_options(
    gateway: Gateway,
    *,
    engine: EngineName | None = None,
    tool: str | None = None,
    workers: int | None = None,
    block_voxels: Shape | None = None,
) -> RunOptions:
    """Return how a run uses the machine: what is given here, else the gateway's settings.

    Args:
        gateway: The gateway.
        engine: What executes it; None takes that of the settings, for a tool that suits it.
        tool: The tool; without one, processes of this machine are meant.
        workers: Processes or containers.
        block_voxels: Shape of a block.

    Raises:
        ToolNotFoundError: No tool of that id is installed.
    """
    if engine is None:
        suits = tool is not None and suits_containers(get_tool(tool))
        engine = gateway.settings.engine if suits else "local"
    return RunOptions(
        engine=engine,
        workers=workers or gateway.settings.workers,
        memory_bytes=int(gateway.settings.memory),
        block_voxels=block_voxels,
    )


def plan_tool(gateway: Gateway, call: Call, options: RunOptions) -> Plan:
    """Return what a run would do; nothing is read but metadata, and nothing is written.

    Raises:
        ToolNotFoundError: No tool of that id is installed.
        PlanError: It cannot fit in memory or on disk; says what would.
        ExistsError: An output name is taken by something else.
        CallError: The inputs do not suit the tool.
        NotFoundError: An input does not exist.
    """
    return make_plan(get_tool(call.tool), call, gateway.store, options)


def run_tool(
    gateway: Gateway,
    call: Call,
    options: RunOptions,
    listeners: Sequence[Listener] = (),
    cancel: threading.Event | None = None,
    *,
    person: str | None = None,
) -> RunResult:
    """Run a tool; running the same call again goes on where it stopped, or finds it done.

    The catalogue gets a record however the run ends; what it made is described in the crate of
    each dataset it filled.

    Args:
        gateway: The gateway.
        call: What to do.
        options: How to use the machine.
        listeners: Called with every event, in this thread.
        cancel: Set it, from any thread, to stop.
        person: Who asked for it; None takes whom the settings name.

    Raises:
        RunError: A task failed for good; names the pass and the block. Or its GPU was taken back.
        RunCancelledError: `cancel` was set, or the user pressed Ctrl-C.
        CorruptionError: The crate of an output's dataset is damaged; nothing was computed.
        NotFoundError: The image of the tool is not on the engine, or an input does not exist.
        GatewayError: As `plan_tool`.
    """
    _check_crates(gateway, call)
    spec = get_tool(call.tool)
    plan, image = in_image(gateway, spec, make_plan(spec, call, gateway.store, options))
    drafted = replace(draft_record(gateway, spec, plan, person), image=image)
    recorder = RunRecorder(gateway.catalogue, drafted)
    hear: tuple[Listener, ...] = (recorder, *listeners)
    name = drafted.person or "unknown"
    with (
        lent_to_run(gateway, plan, name, listeners, cancel) as (lent, stop),
        _ended(recorder, gateway),
    ):
        result = execute(lent, gateway.store, listeners=hear, cancel=stop)
    record = _done_record(gateway, recorder.record, result)
    record = replace(record, sources=_read_sources(gateway, record))
    record_run(gateway.store, gateway.catalogue, record)
    for port in record.outputs:
        if port.kind in PICTURED:
            prepare_thumbnail(gateway, parse_ref(port.ref))
    return result


def draft_record(
    gateway: Gateway, spec: ToolSpec, plan: Plan, person: str | None = None
) -> RunRecord:
    """Return the record of a run that is about to begin; its id comes with its first event."""
    call, settings = plan.call, gateway.settings
    return RunRecord(
        id="",
        tool=spec.id,
        version=spec.version,
        image=image_name(spec, settings.image_name),
        call=call.to_json(),
        call_digest=call.digest,
        status="running",
        started=datetime.now(UTC),
        person=person or settings.person_name or _account(),
        # the settings know the iD of one person only
        orcid=settings.person_orcid if person is None else None,
        host=platform.node(),
        engine=plan.options.engine,
        workers=plan.workers,
        gateway=package.__version__,
        inputs=tuple(
            PortRecord(
                port=port,
                ref=ref,
                kind=spec.inputs[port].kind,
                # a file outside is known by the checksums of `sources`, once it is read
                digest=None if spec.inputs[port].kind == "file" else plan.input_digests.get(port),
            )
            for port, ref in call.inputs.items()
        ),
        outputs=tuple(
            PortRecord(port=port, ref=ref, kind=spec.outputs[port].kind)
            for port, ref in call.outputs.items()
        ),
    )


def _account() -> str | None:
    """Return the name of the account this process runs under, where it has one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container, an account may be a number only
        return None


@contextmanager
def _ended(recorder: RunRecorder, gateway: Gateway) -> Iterator[None]:
    """See that a run which stops without an event of its own is not left as running."""
    try:
        yield
    except BaseException as error:
        if recorder.record.id and recorder.record.status == "running":
            reason = str(error).split("\n", 1)[0]
            ended = replace(
                recorder.record,
                status="failed",
                ended=datetime.now(UTC),
                error=f"{type(error).__name__}: {reason}",
            )
            gateway.catalogue.put_run(ended)
        raise


def _done_record(gateway: Gateway, heard: RunRecord, result: RunResult) -> RunRecord:
    """Complete what the events told, which is nothing where the outputs were there before."""
    outputs = tuple(
        PortRecord(port=port, ref=output.ref, kind=output.kind, digest=output.digest)
        for port, output in result.outputs.items()
    )
    if heard.status == "done":
        return replace(heard, outputs=outputs)
    earlier = _earlier_record(gateway, result.run_id) or heard
    if earlier.status == "done":
        return earlier
    ended = earlier.ended or datetime.now(UTC)
    return replace(
        earlier, id=result.run_id, status="done", ended=ended, error=None, outputs=outputs
    )


def _read_sources(gateway: Gateway, record: RunRecord) -> tuple[SourceFile, ...]:
    """Return the files from outside that the run says it read."""
    refs = (parse_ref(port.ref) for port in record.outputs if port.kind != "file")
    first = next(refs, None)
    if first is None:
        return ()
    try:
        content = gateway.store.get(f"{entry_key(first, 'report')}/{SOURCES_FILE}")
    except NotFoundError:
        return ()
    return tuple(SourceFile(**item) for item in json.loads(content))


def _earlier_record(gateway: Gateway, run_id: str) -> RunRecord | None:
    try:
        return gateway.catalogue.run(run_id)
    except NotFoundError:
        return None


def _check_crates(gateway: Gateway, call: Call) -> None:
    """Refuse to begin where the record of what is made could not be kept."""
    for value in call.outputs.values():
        try:
            dataset = parse_ref(value).dataset
        except RefError:
            continue  # a path, of a port of kind file
        read_crate(gateway.store, dataset)
