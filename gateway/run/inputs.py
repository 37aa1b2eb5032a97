"""Opens what a call names and unfolds its tool: the same in the planner and in every worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from gateway.errors import CallError, NotFoundError, ToolDefinitionError
from gateway.toolkit.call import Call
from gateway.toolkit.passes import Pass, Passes
from gateway.toolkit.spec import ToolSpec
from gateway.toolkit.unfold import unfold_tool
from gateway.volumes.checksums import stamp_files
from gateway.volumes.dataset import Entry, EntryKind, find_entry
from gateway.volumes.keys import parse_key
from gateway.volumes.open import open_ref
from gateway.volumes.points import open_points
from gateway.volumes.ref import Ref, parse_ref
from gateway.volumes.store import Store
from gateway.volumes.tensors import IoLimits
from gateway.volumes.tiles import open_tiles
from gateway.volumes.volume import open_volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A call with its inputs opened and its passes known."""

    spec: ToolSpec
    call: Call
    params: BaseModel
    handles: Mapping[str, Any]
    digests: Mapping[str, str | None]
    """Input port to digest; None where the data was registered in place without one."""
    made: Passes[Any]
    steps: tuple[Pass, ...]
    """The passes that the wanted outputs need."""

    def step(self, name: str) -> Pass:
        """Return the pass of a name."""
        return next(step for step in self.steps if step.name == name)

    def writes(self, step: Pass) -> str | None:
        """Return the output port a pass fills, where the call wants it."""
        return step.writes if step.writes in self.call.outputs else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What is kept beside data of the run that made it."""

    kind: EntryKind
    digest: str | None
    made_by: str | None
    """Id of the run; None where no run made it."""


def prepare(
    spec: ToolSpec, call: Call, store: Store, *, key: str = "", limits: IoLimits | None = None
) -> Prepared:
    """Open the inputs of a call and unfold its tool.

    Args:
        spec: The tool.
        call: The call.
        store: Where the inputs lie.
        key: Of the run; names its unfinished files.
        limits: Threads and requests of reads.

    Raises:
        CallError: The call was made for another version, or the inputs do not suit the tool.
        NotFoundError: An input does not exist.
        ToolDefinitionError: The passes of the tool are inconsistent.
    """
    if call.version != spec.version:
        raise CallError(
            f"the call is for {call.tool} {call.version}, installed is {spec.version}; "
            "install that version, or make the call anew"
        )
    params = spec.params.model_validate(dict(call.params))
    handles = {
        port: Path(ref).absolute()
        if spec.inputs[port].kind == "file"
        else open_input(store, parse_ref(ref), spec.inputs[port].kind, port, limits)
        for port, ref in call.inputs.items()
    }
    files = {
        port: staged_file(path, key)
        for port, path in call.outputs.items()
        if spec.outputs[port].kind == "file"
    }
    wanted = frozenset(call.outputs)
    made = unfold_tool(spec, handles, params, wanted, files)
    steps = tuple(
        step for step in made.passes if not step.needed_for or wanted & set(step.needed_for)
    )
    _check_steps(spec, made)
    return Prepared(
        spec=spec,
        call=call,
        params=params,
        handles=handles,
        digests={port: digest_of(handle) for port, handle in handles.items()},
        made=made,
        steps=steps,
    )


def open_input(store: Store, ref: Ref, kind: str, port: str, limits: IoLimits | None = None) -> Any:
    """Open what a ref names, as the kind a port takes.

    Raises:
        NotFoundError: There is nothing of that name.
        CallError: It is of another kind.
    """
    entry = find_entry(store, ref)
    if entry is None:
        raise NotFoundError(f"input {port!r}: there is no {ref} in the store {store.url}")
    if entry.kind != kind:
        raise CallError(f"input {port!r}: {ref} is of kind {entry.kind}, expected {kind}")
    if kind in ("image", "labels") and not entry.linked:
        return open_volume(store, entry.key, limits=limits)
    return open_ref(store, ref)


def digest_of(handle: Any) -> str | None:
    """Return the digest of an opened input, or None where it has none.

    A file outside the store is known by the names, sizes and times of what is there: its content
    is too much to read before a run.
    """
    if isinstance(handle, Path):
        return stamp_files(handle)
    digest = getattr(handle, "digest", None) or getattr(
        getattr(handle, "info", None), "digest", None
    )
    return digest if isinstance(digest, str) else None


def read_made(store: Store, entry: Entry) -> Made:
    """Return what an entry says of the run that made it."""
    handle: Any = None
    if entry.kind in ("image", "labels") and not entry.linked:
        handle = open_volume(store, entry.key).info
    elif entry.kind == "points":
        handle = open_points(store, entry.key)
    elif entry.kind == "tiles":
        handle = open_tiles(store, entry.key)
    maker = getattr(handle, "made_by", None)
    return Made(kind=entry.kind, digest=digest_of(handle), made_by=maker)


def staged_file(path: str, key: str) -> Path:
    """Return where the file of an output is written until it is complete."""
    final = Path(path).absolute()
    return final.with_name(f".{key}.{final.name}")


def _check_steps(spec: ToolSpec, made: Passes[Any]) -> None:
    names = [step.name for step in made.passes]
    writes = [step.writes for step in made.passes if step.writes is not None]
    for name in names:
        if "/" in parse_key(name) or names.count(name) > 1:
            raise ToolDefinitionError(
                f"{spec.id}: pass name {name!r} is not unique or has a '/': {', '.join(names)}"
            )
    for port in writes:
        kind = spec.outputs[port].kind if port in spec.outputs else None
        if kind not in ("image", "labels") or writes.count(port) > 1:
            raise ToolDefinitionError(
                f"{spec.id}: passes write {', '.join(writes)}; each is one volume output, once"
            )
    for port in made.tables:
        if port not in spec.outputs or spec.outputs[port].kind != "points":
            raise ToolDefinitionError(f"{spec.id}: table {port!r} is no points output")
    given = {*writes, *made.tables, *made.grids}
    for port, what in spec.outputs.items():
        if what.kind in ("image", "labels", "points", "tiles") and port not in given:
            raise ToolDefinitionError(f"{spec.id}: no pass or table makes the output {port!r}")
