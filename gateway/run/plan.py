"""Plans: what a run would do, as data, made from metadata alone and refused if it cannot fit."""

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

from blake3 import blake3

from gateway.errors import CallError, ExistsError, PlanError, StoreError
from gateway.run.estimate import (
    PassPlan,
    Pinned,
    check_disk,
    fit_workers,
    plan_step,
)
from gateway.run.inputs import Made, Prepared, prepare, read_made
from gateway.run.staging import Staging
from gateway.toolkit.call import Call
from gateway.toolkit.passes import Blocks, Items
from gateway.toolkit.spec import ToolSpec
from gateway.volumes.box import Shape
from gateway.volumes.dataset import find_entry
from gateway.volumes.ref import Ref, parse_ref
from gateway.volumes.store import Store

EngineName = Literal["local", "docker"]
_FORMAT = 1
"""Of the staging folder; another format begins anew."""
_SMALL_VOXELS = 32_000_000
"""Voxels of all passes below which one process does it: two workers take two seconds and three of
CPU time to load, in which one smooths about as many voxels."""
_SMALL_ITEM_VOXELS, _SMALL_ITEM_BYTES = 16_000_000, 1_000_000_000
"""The same for tools of items (stitch), whose items are work beside that on the voxels."""
_LAYOUT_BYTES = 512_000_000
"""Shards do not get smaller for less memory than this: a worker itself needs half of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a run uses the machine; never what comes out of it."""

    engine: EngineName = "local"
    workers: int | None = None
    """None takes one per core, or one alone for small work."""
    memory_bytes: int = 2_000_000_000
    """Of all processes of the run together."""
    block_voxels: Shape | None = None
    """None takes the largest that fits in memory."""
    image: str = ""
    """What the workers of engine `docker` run in."""
    docker_host: str = ""
    """Where its engine is; '' leaves that to the environment."""
    docker_network: str = ""
    """Network of workers that need one, since the store is no folder; '' takes the usual one."""
    devices: tuple[str, ...] = ()
    """CDI names of the GPUs that are lent to the run: its workers see them and no others."""
    lease: str = ""
    """The lease they are lent by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything a run will do."""

    run: Ref
    """Dataset and key of the staging folder."""
    call: Call
    store: str
    input_digests: Mapping[str, str | None]
    options: RunOptions
    layout_bytes: int
    """Memory that the layout of the outputs was chosen for; kept when a run goes on."""
    workers: int
    passes: tuple[PassPlan, ...]
    published: bool
    """The outputs exist already, made by this very call."""
    resumes: bool
    """An earlier run of this call left work behind that this one goes on from."""
    gpus: int = 0
    """GPUs that are held while it runs."""

    @property
    def bytes_read(self) -> int:
        """Bytes to decode, halo included."""
        return sum(item.bytes_read for item in self.passes)

    @property
    def bytes_written(self) -> int:
        """Bytes to encode, all levels, before compression."""
        return sum(item.bytes_written for item in self.passes)

    @property
    def worker_bytes(self) -> int:
        """The memory one worker needs at most."""
        return max((item.worker_bytes for item in self.passes), default=0)

    @property
    def tasks(self) -> int:
        """Tasks of all passes, done ones included."""
        return sum(item.tasks for item in self.passes)

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values, sums included."""
        return {
            "format": _FORMAT,
            "run": str(self.run),
            "store": self.store,
            "call": self.call.to_json(),
            "input_digests": dict(self.input_digests),
            "options": asdict(self.options),
            "layout_bytes": self.layout_bytes,
            "workers": self.workers,
            "passes": [asdict(item) for item in self.passes],
            "published": self.published,
            "resumes": self.resumes,
            "gpus": self.gpus,
            "tasks": self.tasks,
            "blocks": sum(item.blocks for item in self.passes),
            "bytes_read": self.bytes_read,
            "bytes_written": self.bytes_written,
            "worker_bytes": self.worker_bytes,
            "memory_bytes": self.worker_bytes * self.workers,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave."""
        options = dict(document["options"])
        if options["block_voxels"] is not None:
            options["block_voxels"] = tuple(options["block_voxels"])
        options["devices"] = tuple(options.get("devices", ()))
        return cls(
            run=parse_ref(document["run"]),
            call=Call.from_json(document["call"]),
            store=document["store"],
            input_digests=document["input_digests"],
            options=RunOptions(**options),
            layout_bytes=document["layout_bytes"],
            workers=document["workers"],
            passes=tuple(PassPlan.from_json(item) for item in document["passes"]),
            published=document["published"],
            resumes=document["resumes"],
            gpus=document.get("gpus", 0),
        )


def make_plan(spec: ToolSpec, call: Call, store: Store, options: RunOptions) -> Plan:
    """Plan a run from metadata alone.

    Args:
        spec: The tool.
        call: What to do.
        store: Where inputs lie and outputs go.
        options: Workers, memory, block.

    Raises:
        PlanError: It cannot fit in memory or on disk; says what would.
        ExistsError: An output name is taken by something else.
        CallError: The inputs do not suit the tool.
        NotFoundError: An input does not exist.
        StoreError: The store cannot be written.
    """
    _check_options(options)
    _check_ports(spec, options)
    prepared = prepare(spec, call, store)
    run = run_ref(spec, call, prepared.digests)
    published = is_published(spec, call, store, run)
    if not published and not store.writable:
        raise StoreError(f"store {store.url} is read-only; choose one that you may write")
    staging = Staging(store, run)
    staged = staging.read_plan()
    if staged is not None and staged.get("format") != _FORMAT:
        staged = None
    pinned = Pinned.of(staged)
    layout_bytes = max(options.memory_bytes, _LAYOUT_BYTES)
    if staged is not None:
        layout_bytes = staged["layout_bytes"]
    wanted = options.workers or _default_workers(prepared)
    block = options.block_voxels
    passes: list[PassPlan] = []
    for step in prepared.steps:
        passes += plan_step(
            step, prepared, workers=wanted, layout_bytes=layout_bytes, block=block, pinned=pinned
        )
    workers, fitted = fit_workers(tuple(passes), wanted, options.memory_bytes, block)
    done = tuple(replace(item, done=len(staging.done_tasks(item.name))) for item in fitted)
    plan = Plan(
        run=run,
        call=call,
        store=store.url,
        input_digests=prepared.digests,
        options=options,
        layout_bytes=layout_bytes,
        workers=workers,
        passes=done,
        published=published,
        resumes=staged is not None,
        gpus=int(spec.resources.gpu),
    )
    if not published and staging.read_result() is None:
        check_disk(done, store)
    return plan


def run_ref(spec: ToolSpec, call: Call, digests: Mapping[str, str | None]) -> Ref:
    """Return dataset and key of the staging folder: one for each call on the same content.

    Raises:
        CallError: The call names nothing in the store.
    """
    inputs = "".join(f"{name}={digest}\n" for name, digest in sorted(digests.items()))
    key = blake3(f"{_FORMAT}\n{call.canonical()}\n{inputs}".encode()).hexdigest()[:16]
    inside = [ref for port, ref in call.inputs.items() if spec.inputs[port].kind != "file"]
    refs = [*output_refs(spec, call).values(), *map(parse_ref, inside)]
    if not refs:
        raise CallError(f"{call.tool}: the call names no dataset; give an input as DATASET/NAME")
    return Ref(refs[0].dataset, key)


def output_refs(spec: ToolSpec, call: Call) -> dict[str, Ref]:
    """Return the outputs that lie in the store, by port."""
    return {
        port: parse_ref(value)
        for port, value in call.outputs.items()
        if spec.outputs[port].kind != "file"
    }


def is_published(spec: ToolSpec, call: Call, store: Store, run: Ref) -> bool:
    """Tell whether all outputs exist, made by this very call.

    Raises:
        ExistsError: A name is taken by something else.
    """
    refs = output_refs(spec, call)
    found = find_outputs(refs, store)
    for port, made in found.items():
        if made.made_by is None or not made.made_by.startswith(run.name):
            raise ExistsError(
                f"output {port!r}: {refs[port]} already exists ({made.kind}, made by "
                f"{made.made_by or 'another program'}); what exists is immutable, choose another "
                "name"
            )
    if Staging(store, run).read_result() is not None:
        return False  # stopped while publishing: to be continued
    for port, value in call.outputs.items():
        if port not in refs and Path(value).exists():
            raise ExistsError(f"output {port!r}: {value} already exists; choose another name")
    gone = [port for port in refs if port not in found]
    if found and gone:
        raise ExistsError(
            f"output {next(iter(found))!r} exists, made by this call, but {gone[0]!r} "
            f"({call.outputs[gone[0]]}) is gone; delete the first too, or choose other names"
        )
    return bool(found) and len(refs) == len(call.outputs)


def find_outputs(refs: Mapping[str, Ref], store: Store) -> dict[str, Made]:
    """Return what the names of outputs hold already, by port."""
    entries = {port: find_entry(store, ref) for port, ref in refs.items()}
    return {port: read_made(store, entry) for port, entry in entries.items() if entry is not None}


def _default_workers(prepared: Prepared) -> int:
    """Return one per core, or one alone for work that is done before others have started."""
    grids = [step.over.grid for step in prepared.steps if isinstance(step.over, Blocks)]
    items = [step.over for step in prepared.steps if isinstance(step.over, Items)]
    voxels = sum(math.prod(grid.array_shape) for grid in grids)
    touched = sum(item.count * item.bytes_each for item in items)
    most = _SMALL_VOXELS if not items else _SMALL_ITEM_VOXELS
    small = voxels < most and touched < _SMALL_ITEM_BYTES
    return 1 if small else len(os.sched_getaffinity(0))


def suits_containers(spec: ToolSpec) -> bool:
    """Whether a tool keeps to the store, which is all that a container sees."""
    return all(port.kind != "file" for port in (*spec.inputs.values(), *spec.outputs.values()))


def _check_ports(spec: ToolSpec, options: RunOptions) -> None:
    if options.engine == "docker" and not suits_containers(spec):
        raise PlanError(
            f"{spec.id} reads or writes files outside the store, which engine 'docker' does not "
            "show to a tool; run it with --engine local"
        )


def _check_options(options: RunOptions) -> None:
    if options.workers is not None and options.workers < 1:
        raise PlanError(f"workers is {options.workers}; expected 1 or more")
    if options.block_voxels is not None and min(options.block_voxels) < 1:
        raise PlanError(f"block {options.block_voxels} has an empty axis; each is 1 or more")
    if options.memory_bytes < 1:
        raise PlanError(f"memory is {options.memory_bytes} bytes; expected more than none")
