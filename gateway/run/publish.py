"""The end of a run: outputs are completed in the staging folder, then appear under their names."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blake3 import blake3

from gateway.errors import ExistsError, NotFoundError, RunError
from gateway.run.inputs import staged_file
from gateway.run.tasks import CELLS, Workspace
from gateway.toolkit.spec import PortKind
from gateway.volumes.dataset import entry_key
from gateway.volumes.digest import Cells
from gateway.volumes.points import write_points
from gateway.volumes.ref import Ref, parse_ref
from gateway.volumes.tiles import write_tiles
from gateway.volumes.volume import open_volume

_REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One thing that a run made."""

    ref: str
    """A path, for a file outside the store."""
    kind: PortKind
    digest: str


def complete(space: Workspace, run_id: str) -> dict[str, Output]:
    """Finish volumes, write tables and reports; returns the outputs, still staged."""
    outputs: dict[str, Output] = {}
    whole = space.work("")
    attributes = {"tool": space.plan.call.tool, "version": space.plan.call.version}
    for port, value in space.plan.call.outputs.items():
        kind = space.prepared.spec.outputs[port].kind
        if kind in ("image", "labels"):
            digest = _finish_volume(space, port, run_id)
        elif kind == "points":
            columns = space.prepared.made.tables[port](whole)
            key = _staged_key(space, port)
            digest = write_points(space.staging.store, key, columns, attributes, made_by=run_id)
        elif kind == "tiles":
            grid = space.prepared.made.grids[port](whole)
            described = grid.model_copy(update={"made_by": run_id})
            digest = write_tiles(space.staging.store, space.tiles_key(port), described)
        elif kind == "file":
            digest = _file_digest(staged_file(value, space.plan.run.name), port)
        else:
            raise RunError(f"output {port!r}: tools cannot make {kind} yet")
        outputs[port] = Output(ref=value, kind=kind, digest=digest)
    for name, make in space.prepared.made.reports.items():
        space.staging.store.put(space.staging.key("out", _REPORT, name), make(whole))
    return outputs


def publish(space: Workspace, outputs: dict[str, Output]) -> None:
    """Let the outputs appear under their names; what a stopped run published is left as it is.

    Raises:
        ExistsError: A name was taken in the meantime.
    """
    store = space.staging.store
    refs = {port: parse_ref(out.ref) for port, out in outputs.items() if out.kind != "file"}
    staged_report = space.staging.key("out", _REPORT)
    if refs and store.exists(staged_report):
        final = entry_key(next(iter(refs.values())), "report")
        # The name is ours, so a report that is there belongs to something deleted since.
        store.delete(final)
        store.publish(staged_report, final)
    for port, output in outputs.items():
        if output.kind == "file":
            _publish_file(output.ref, space.plan.run.name)
        elif output.kind in ("image", "labels", "points", "tiles"):
            staged = _staged_key(space, port)
            if store.exists(staged):
                store.publish(staged, entry_key(refs[port], output.kind))


def _finish_volume(space: Workspace, port: str, run_id: str) -> str:
    """Record hashes and digest in the staged volume; doing it again changes nothing."""
    store, key = space.staging.store, space.volume_key(port)
    digest = open_volume(store, key).info.digest
    if digest is None:
        digest = space.writer(port).finish(_cells(space, port), made_by=run_id).digest
    if digest is None:
        raise RunError(f"{key} has no digest though it is complete")
    return digest


def _cells(space: Workspace, port: str) -> Iterator[Cells]:
    for planned in space.plan.passes:
        if planned.writes == port:
            for marker in space.staging.markers(planned.name, planned.tasks):
                yield Cells.from_arrays(
                    {k.removeprefix(CELLS): v for k, v in marker.items() if k.startswith(CELLS)}
                )


def _staged_key(space: Workspace, port: str) -> str:
    kind = space.prepared.spec.outputs[port].kind
    if kind in ("image", "labels"):
        return space.volume_key(port)
    if kind == "tiles":
        return space.tiles_key(port)
    suffix = entry_key(Ref("x", "x"), "points").removeprefix("x/x")
    return space.staging.key("out", port + suffix)


def _file_digest(path: Path, port: str) -> str:
    """Digest a file, or a folder by its files' paths and contents."""
    if not path.exists():
        raise RunError(f"output {port!r}: the tool wrote nothing to {path}")
    whole: Any = blake3()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        name = "" if file == path else str(file.relative_to(path))
        content = blake3().update_mmap(file).hexdigest()
        whole.update(f"{name}={content}\n".encode())
    return f"blake3:{whole.hexdigest()}"


def _publish_file(value: str, key: str) -> None:
    staged, final = staged_file(value, key), Path(value).absolute()
    if staged.exists():
        if final.exists():
            raise ExistsError(f"{final} appeared while the run was on; it is kept as it is")
        staged.rename(final)
    elif not final.exists():
        raise NotFoundError(f"{final} is gone, and so is what was staged for it")
