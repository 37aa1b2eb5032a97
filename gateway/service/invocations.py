"""Workflows of other systems that worked on the store: a crate of each, beside what it made.

The crate of an invocation lies in the dataset of its results, `<workflow>-<id>.invocation/`. It
refers to the crate of the dataset, and to the runs in it; the crate of the dataset names its files
with their checksums. So provenance runs on from either.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from gateway.errors import CallError
from gateway.records.checksums import hash_file
from gateway.records.crate import CRATE_FILE, write_crate
from gateway.service.gateway import Gateway
from gateway.service.listing import EntryDetail, show_entry
from gateway.volumes.dataset import read_dataset
from gateway.volumes.open import entry_of
from gateway.volumes.ref import parse_ref

FOLDER = ".invocation"
_WORKFLOW = "workflow.gxwf.yml"
_CRATE = "https://w3id.org/ro/crate/1.1"
_PROFILES = (
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
)
_CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",
]
_LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#galaxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoked:
    """A workflow that was run, and is done."""

    id: str
    """As the other system numbers it: letters and digits."""
    workflow: str
    """Its name."""
    document: str
    """The workflow itself, as a `.gxwf.yml` file."""
    server: str
    """Address of the system that ran it."""
    person: str
    started: datetime
    ended: datetime
    inputs: Mapping[str, str]
    """Label of an input to a ref."""
    outputs: Mapping[str, str]
    """Label of an output to a ref."""
    settings: Mapping[str, str]
    """Label of an input to a value."""


def record_invocation(gateway: Gateway, invoked: Invoked) -> list[str]:
    """Write the crate of an invocation into each dataset that it made something in.

    Args:
        gateway: The gateway.
        invoked: What was run.

    Returns:
        The key of every crate written.

    Raises:
        CallError: Its id is none.
        NotFoundError: What it took or made is not in the store.
    """
    if not invoked.id.isascii() or not invoked.id.isalnum():
        raise CallError(f"an invocation is numbered by letters and digits, not {invoked.id!r}")
    files = {_WORKFLOW: invoked.document, CRATE_FILE: _render(gateway, invoked)}
    written = []
    for dataset in sorted({parse_ref(ref).dataset for ref in invoked.outputs.values()}):
        folder = f"{dataset}/{_slug(invoked.workflow)}-{invoked.id}{FOLDER}"
        for name, text in files.items():
            gateway.store.put(f"{folder}/{name}", text.encode())
        inside = folder.partition("/")[2]
        hashed = [hash_file(gateway.store, dataset, f"{inside}/{name}") for name in files]
        info = read_dataset(gateway.store, dataset)
        with gateway.catalogue.locked(dataset):
            write_crate(gateway.store, dataset, info, files=hashed)
        written.append(f"{folder}/{CRATE_FILE}")
    return written


def _render(gateway: Gateway, invoked: Invoked) -> str:
    refs = dict.fromkeys((*invoked.inputs.values(), *invoked.outputs.values()))
    shown = {ref: show_entry(gateway, ref) for ref in refs}
    things = {ref: _thing(gateway, entry) for ref, entry in shown.items()}
    crates = sorted({thing["subjectOf"]["@id"] for thing in things.values()})
    values = [
        {"@id": f"#value-{quote(label)}", "@type": "PropertyValue", "name": label, "value": value}
        for label, value in invoked.settings.items()
    ]
    taken = [_id(things[ref]["@id"]) for ref in invoked.inputs.values()]
    action = {
        "@id": f"#invocation-{invoked.id}",
        "@type": "CreateAction",
        "name": f"{invoked.workflow} on {invoked.server}",
        "instrument": _id(_WORKFLOW),
        "agent": _id("#person"),
        "startTime": invoked.started.isoformat(),
        "endTime": invoked.ended.isoformat(),
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "object": taken + [_id(value["@id"]) for value in values],
        "result": [_id(things[ref]["@id"]) for ref in invoked.outputs.values()],
        "mentions": [_id(run) for run in _runs(shown[ref] for ref in invoked.outputs.values())],
    }
    other = [{"@id": name, "@type": "CreativeWork"} for name in _PROFILES]
    other += [
        {"@id": crate, "@type": "CreativeWork", "name": "Crate of the dataset"} for crate in crates
    ]
    mentioned = [action["@id"], *crates]
    graph = [*_root(invoked, mentioned), *other, action, *values, *things.values()]
    document = {"@context": _CONTEXT, "@graph": graph}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _root(invoked: Invoked, mentioned: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the entities that every crate of a workflow has."""
    return [
        {"@id": CRATE_FILE, "@type": "CreativeWork", "about": _id("./"), "conformsTo": _id(_CRATE)},
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"{invoked.workflow}, invocation {invoked.id}",
            "description": "A workflow that was run on volumes by reference; nothing was copied.",
            "license": "https://spdx.org/licenses/CC0-1.0",
            "datePublished": invoked.ended.isoformat(),
            "conformsTo": [_id(profile) for profile in _PROFILES],
            "hasPart": [_id(_WORKFLOW)],
            "mainEntity": _id(_WORKFLOW),
            "mentions": [_id(identifier) for identifier in mentioned],
        },
        {
            "@id": _WORKFLOW,
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
            "name": invoked.workflow,
            "programmingLanguage": _id(_LANGUAGE),
        },
        {"@id": _LANGUAGE, "@type": "ComputerLanguage", "name": "Galaxy"},
        {"@id": "#person", "@type": "Person", "name": invoked.person},
    ]


def _thing(gateway: Gateway, shown: EntryDetail) -> dict[str, Any]:
    """Return the entity of a thing, at its place seen from the folder of an invocation."""
    ref, entry = shown.summary.ref, shown.summary.entry
    key = entry_of(gateway.store, ref).key
    is_file = key.endswith((".parquet", ".json"))
    found = {
        "@id": f"../../{quote(key)}" + ("" if is_file else "/"),
        # no part of this crate, so none of its data entities
        "@type": "CreativeWork",
        "name": str(ref),
        "subjectOf": _id(f"../../{ref.dataset}/{CRATE_FILE}"),
    }
    return found | ({"identifier": entry.digest} if entry.digest else {})


def _runs(made: Iterable[EntryDetail]) -> list[str]:
    """Return the runs that made some things, as the crates of their datasets name them."""
    found = [
        f"../../{one.summary.ref.dataset}/{CRATE_FILE}#run-{one.made_by.id}"
        for one in made
        if one.made_by is not None
    ]
    return list(dict.fromkeys(found))


def _slug(name: str) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return "-".join(part for part in kept.split("-") if part)[:80] or "workflow"


def _id(identifier: str) -> dict[str, str]:
    return {"@id": identifier}
