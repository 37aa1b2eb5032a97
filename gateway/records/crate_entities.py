"""How runs and entries are said in RO-Crate (Process Run Crate) terms: plain JSON-LD entities."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from gateway.records.checksums import FileRecord
from gateway.records.runs import PortRecord, RunRecord, SourceFile
from gateway.volumes.dataset import DatasetInfo

Entity = dict[str, Any]

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
CONTEXTS = ("https://w3id.org/ro/terms/workflow-run/context",)
_TERMS = "https://w3id.org/ro/terms/brain-gateway#"
TERMS = {name: f"{_TERMS}{name}" for name in ("digest", "kind", "record", "seal", "voxel_um")}
DATA_TYPES = ("File", "Dataset")

_FORMATS = {
    ".parquet": "application/vnd.apache.parquet",
    ".json": "application/json",
    ".html": "text/html",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".csv": "text/csv",
    ".txt": "text/plain",
}
_BYTES = "application/octet-stream"
_SPDX = "https://spdx.org/licenses/"
_DONE = "http://schema.org/CompletedActionStatus"


@dataclass(frozen=True, slots=True, kw_only=True)
class CrateEntry:
    """A volume, table, tile grid or transform as the crate describes it."""

    ref: str
    path: str
    """Relative to the dataset's folder."""
    kind: str
    digest: str | None
    files: tuple[FileRecord, ...]
    """Its files that no content digest covers, with their checksums."""


def root_properties(dataset: str, info: DatasetInfo, runs: Iterable[RunRecord]) -> Entity:
    """Return what the crate says of the whole dataset."""
    ended = [run.ended for run in runs if run.ended]
    what = " ".join(word for word in (info.species, info.sample, info.stain, info.modality) if word)
    properties: Entity = {
        "name": info.title or dataset,
        "description": f"Volumes and tables of {what or dataset}, and the runs that made them.",
        "license": _license(info.licence),
        "conformsTo": _id(PROFILE),
        "keywords": list(info.tags),
        "author": _one_or_all([_id(_person_id(name, None)) for name in info.people]),
        "mentions": _one_or_all([_id(_action_id(run.id)) for run in sorted(runs, key=_when)]),
    }
    if ended:
        properties["datePublished"] = _time(max(ended))
    return properties


def dataset_entities(info: DatasetInfo) -> list[Entity]:
    """Return the entities that the properties of the root point to."""
    profile = {
        "@id": PROFILE,
        "@type": "CreativeWork",
        "name": "Process Run Crate",
        "version": PROFILE.rsplit("/", 1)[-1],
    }
    people = [
        {"@id": _person_id(name, None), "@type": "Person", "name": name} for name in info.people
    ]
    licence = _license(info.licence)
    named = (
        []
        if isinstance(licence, str)
        else [licence | {"@type": "CreativeWork", "name": info.licence}]
    )
    return [profile, *people, *named]


def entry_entities(entry: CrateEntry) -> list[Entity]:
    """Return a data entity for an entry, and one for each of its checked files."""
    about: Entity = {"name": entry.ref, "kind": entry.kind}
    if entry.digest:
        about["digest"] = entry.digest
    files = {file.path: file_entity(file) for file in entry.files}
    if entry.path in files:
        whole = files.pop(entry.path) | about
    else:
        inside = [_id(file["@id"]) for path, file in files.items() if _is_inside(path, entry.path)]
        whole = {"@id": path_id(entry.path) + "/", "@type": "Dataset", **about, "hasPart": inside}
    for path, file in files.items():
        if not _is_inside(path, entry.path):  # a report
            file["about"] = _id(whole["@id"])
    return [whole, *files.values()]


def _is_inside(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def file_entity(file: FileRecord) -> Entity:
    """Return the data entity of a file with its size and checksum."""
    return {
        "@id": path_id(file.path),
        "@type": "File",
        "name": file.path.rsplit("/", 1)[-1],
        "contentSize": str(file.size),
        "sha256": file.sha256,
        "encodingFormat": _FORMATS.get(PurePosixPath(file.path).suffix, _BYTES),
    }


def file_record(entity: Mapping[str, Any]) -> FileRecord | None:
    """Return the file that `file_entity` described; None for any other entity."""
    if entity.get("@type") != "File" or "sha256" not in entity:
        return None
    return FileRecord(
        path=unquote(str(entity["@id"])),
        size=int(entity["contentSize"]),
        sha256=str(entity["sha256"]),
    )


def path_id(path: str) -> str:
    """Return the identifier of a file or folder of the dataset."""
    return quote(path)


def run_entities(run: RunRecord, paths: Mapping[str, str]) -> list[Entity]:
    """Return the entities of one run: the action, its tool, people, settings and source files.

    Args:
        run: A run that is done.
        paths: Ref to the identifier of its data entity, for all refs of this dataset.
    """
    settings = _setting_entities(run)
    sources = [_source_entity(run, number) for number in range(len(run.sources))]
    software = _software_entities(run)
    action: Entity = {
        "@id": _action_id(run.id),
        "@type": "CreateAction",
        "name": f"{run.tool} {run.version}",
        "description": f"{run.tool} on {run.host or 'an unnamed host'}, engine {run.engine}, "
        f"{run.workers} worker(s)",
        "instrument": _id(software[0]["@id"]),
        "startTime": _time(run.started),
        "object": _one_or_all(
            [_id(_port_id(port, paths)) for port in run.inputs]
            + [_id(entity["@id"]) for entity in (*sources, *settings)]
        ),
        "result": _one_or_all([_id(_port_id(port, paths)) for port in run.outputs]),
        "actionStatus": _DONE,
        # What replay and rebuild read; everything around it says the same to other readers.
        "record": _json(replace(run, sources=()).to_json()),
    }
    if run.ended:
        action["endTime"] = _time(run.ended)
    people: list[Entity] = []
    if run.person or run.orcid:
        agent = _person_id(run.person or "", run.orcid)
        people = [{"@id": agent, "@type": "Person", "name": run.person or run.orcid}]
        action["agent"] = _id(agent)
    return [action, *software, *people, *settings, *sources, *_elsewhere_entities(run, paths)]


def run_from_action(action: Mapping[str, Any], entities: Mapping[str, Entity]) -> RunRecord:
    """Return the run that `run_entities` described.

    Raises:
        KeyError: A part of the record is missing.
        TypeError: A part of the record is unknown.
        ValueError: The record is not JSON, or a time in it is wrong.
    """
    run = RunRecord.from_json(json.loads(action["record"]))
    prefix = f"{_action_id(run.id)}-source-"
    items = action["object"] if isinstance(action["object"], list) else [action["object"]]
    named = [item["@id"] for item in items if item["@id"].startswith(prefix)]
    sources = [
        SourceFile(
            path=entities[name]["name"],
            size=int(entities[name]["contentSize"]),
            checksum=entities[name]["digest"],
        )
        for name in named
    ]
    return replace(run, sources=tuple(sources))


def _setting_entities(run: RunRecord) -> list[Entity]:
    return [
        {
            "@id": f"{_action_id(run.id)}-param-{quote(name)}",
            "@type": "PropertyValue",
            "name": name,
            "value": value if isinstance(value, str | int | float) else _json(value),
        }
        for name, value in dict(run.call.get("params") or {}).items()
        if value is not None
    ]


def _elsewhere_entities(run: RunRecord, paths: Mapping[str, str]) -> list[Entity]:
    """Describe what the run took from, or gave to, other datasets."""
    return [
        {
            "@id": f"#ref-{quote(port.ref)}",
            "@type": "CreativeWork",
            "name": port.ref,
            "kind": port.kind,
            **({"digest": port.digest} if port.digest else {}),
        }
        for port in (*run.inputs, *run.outputs)
        if port.ref not in paths
    ]


def _source_entity(run: RunRecord, number: int) -> Entity:
    source = run.sources[number]
    return {
        "@id": f"{_action_id(run.id)}-source-{number}",
        "@type": "CreativeWork",
        "name": source.path,
        "contentSize": str(source.size),
        "digest": source.checksum,
    }


def _software_entities(run: RunRecord) -> list[Entity]:
    """Return the tool first, then what it ran with: this software, and its container image."""
    gateway: Entity = {
        "@id": f"#brain-gateway-{run.gateway}",
        "@type": "SoftwareApplication",
        "name": "Brain Gateway",
        "softwareVersion": run.gateway,
    }
    image: Entity = {
        "@id": f"#image-{quote(run.image, safe='')}",
        "@type": "ContainerImage",
        "additionalType": _id("https://w3id.org/ro/terms/workflow-run#DockerImage"),
        "name": run.image,
    }
    needs = [gateway, *([image] if run.image else [])]
    tool = {
        "@id": f"#tool-{run.tool}-{run.version}",
        "@type": "SoftwareApplication",
        "name": run.tool,
        "softwareVersion": run.version,
        "softwareRequirements": [_id(entity["@id"]) for entity in needs],
    }
    return [tool, *needs]


def _port_id(port: PortRecord, paths: Mapping[str, str]) -> str:
    return paths.get(port.ref, f"#ref-{quote(port.ref)}")


def _action_id(run_id: str) -> str:
    return f"#run-{quote(run_id)}"


def _person_id(name: str, orcid: str | None) -> str:
    return f"https://orcid.org/{orcid}" if orcid else f"#person-{quote(name)}"


def _license(licence: str) -> Entity | str:
    if not licence:
        return "not stated"
    spdx = licence.replace("-", "").replace(".", "").isalnum() and "-" in licence
    return _id(_SPDX + licence) if spdx else licence


def _when(run: RunRecord) -> tuple[datetime, str]:
    return run.started, run.id


def _time(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="seconds")


def _one_or_all(values: list[Entity]) -> list[Entity] | Entity:
    """Return a single value bare, as RO-Crate wants it."""
    return values[0] if len(values) == 1 else values


def _id(identifier: str) -> Entity:
    return {"@id": identifier}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)
