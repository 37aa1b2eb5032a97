"""Provenance of a dataset as a graph to follow: files, runs, and what they made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.service.access.actor import Actor
from gateway.service.browse.sight import SeenPort, SeenRun, seen_runs
from gateway.service.charts import Node, draw_graph
from gateway.service.gateway import Gateway

MOST_RUNS = 40
"""A picture of more runs is too large to follow."""
_LONGEST = 24
_PRIVATE = "not shown to you"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What was made from what in one dataset."""

    runs: tuple[SeenRun, ...]
    """Runs that are done and made something here, the earliest first."""
    complete: bool
    """False where earlier runs were left out."""
    svg: str
    """The picture; empty where there is nothing to draw."""


def trace(gateway: Gateway, actor: Actor, dataset: str, root: str = "") -> Provenance:
    """Return the provenance of a dataset.

    Args:
        gateway: The gateway.
        actor: Who asks: what is closed to them is not named.
        dataset: Name of the dataset.
        root: What leads every link.

    Raises:
        StoreError: The database failed.
    """
    records = gateway.catalogue.runs(dataset=dataset, status="done", limit=MOST_RUNS + 1)
    makers = [run for run in records if any(p.ref.startswith(f"{dataset}/") for p in run.outputs)]
    runs = seen_runs(gateway, actor, reversed(makers[:MOST_RUNS]))
    drawn = _draw(runs, root, runs_too=actor.person is not None) if runs else ""
    return Provenance(runs=tuple(runs), complete=len(records) <= MOST_RUNS, svg=drawn)


def _draw(runs: Sequence[SeenRun], root: str, *, runs_too: bool) -> str:
    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str]] = []
    for run in runs:
        if run.files:
            key = f"files of {run.id}"
            size = f"{run.file_bytes / 1e6:,.1f} MB"
            nodes[key] = Node(key, f"{run.files} file{'s' * (run.files != 1)}", size, "file")
            edges.append((key, run.id))
        for node in _nodes(run, run.inputs, root):
            nodes.setdefault(node.key, node)
            edges.append((node.key, run.id))
        took = f"{run.version}, {run.wall_s or 0:.1f} s"
        # runs are shown to persons only
        href = f"{root}/runs/{run.id}" if runs_too else None
        nodes[run.id] = Node(run.id, _short(run.tool), took, "run", href)
        for node in _nodes(run, run.outputs, root):
            nodes[node.key] = node
            edges.append((run.id, node.key))
    return draw_graph(list(nodes.values()), list(dict.fromkeys(edges)))


def _nodes(run: SeenRun, ports: Iterable[SeenPort], root: str) -> Iterable[Node]:
    for port in ports:
        if port.kind == "file":
            continue  # shown as the files that were read
        if port.ref is None:
            yield Node(f"{run.id} {port.port}", _PRIVATE, port.kind, "thing")
        else:
            dataset, _, name = port.ref.partition("/")
            href = f"{root}/d/{dataset}/entries/{name}"
            yield Node(port.ref, _short(port.ref), port.kind, "thing", href)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"…{text[1 - _LONGEST :]}"
