"""The crate of a dataset: `ro-crate-metadata.json`, read, merged, sealed and replaced whole."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from gateway.errors import CorruptionError, NotFoundError
from gateway.records.checksums import FileRecord
from gateway.records.crate_entities import (
    CONTEXTS,
    DATA_TYPES,
    TERMS,
    CrateEntry,
    Entity,
    dataset_entities,
    entry_entities,
    file_entity,
    file_record,
    root_properties,
    run_entities,
    run_from_action,
)
from gateway.records.runs import RunRecord
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.store import Store

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

CRATE_FILE = "ro-crate-metadata.json"
_VERSION = "1.1"
_WAY_OUT = (
    "restore it, or move it away and run `gateway catalog rebuild`, which writes it anew from "
    "what the catalogue knows"
)


@dataclass(frozen=True, slots=True)
class Crate:
    """The crate of one dataset as it is stored."""

    document: Mapping[str, Any]
    runs: tuple[RunRecord, ...]
    """Every run that made something here, the earliest first."""
    files: Mapping[str, FileRecord]
    """Path relative to the dataset to the checksum recorded for it."""
    refs: Mapping[str, str]
    """Ref of each entry to the identifier of its data entity."""
    sealed: bool
    """False where another program wrote the file: there is nothing to hold it to."""


def crate_key(dataset: str) -> str:
    """Return where the crate of a dataset lies in its store."""
    return f"{dataset}/{CRATE_FILE}"


def read_crate(store: Store, dataset: str) -> Crate | None:
    """Read the crate of a dataset, or return None where there is none yet.

    Raises:
        CorruptionError: The file is no crate, or differs from what was sealed.
    """
    try:
        content = store.get(crate_key(dataset))
    except NotFoundError:
        return None
    what = f"the provenance file {crate_key(dataset)} in {store.url}"
    try:
        document = json.loads(content)
        entities = {entity["@id"]: entity for entity in document["@graph"]}
        seal = entities[CRATE_FILE].get("seal")
        ours = seal is not None or TERMS["seal"].encode() in content
        if ours and (_seal(document) != seal or _render(document) != content):
            raise CorruptionError(
                f"{what} was changed by something other than Brain Gateway: its seal does not "
                f"fit its content; {_WAY_OUT}"
            )
        actions = [entity for entity in entities.values() if "record" in entity]
        runs = sorted(
            (run_from_action(action, entities) for action in actions),
            key=lambda run: (run.started, run.id),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptionError(f"{what} is damaged ({error!r}); {_WAY_OUT}") from error
    files = [file for entity in entities.values() if (file := file_record(entity))]
    return Crate(
        document=document,
        runs=tuple(runs),
        files={file.path: file for file in files},
        refs={e["name"]: e["@id"] for e in entities.values() if _is_entry(e)},
        sealed=ours,
    )


def write_crate(
    store: Store,
    dataset: str,
    info: DatasetInfo,
    *,
    runs: Iterable[RunRecord] = (),
    entries: Iterable[CrateEntry] = (),
    files: Iterable[FileRecord] = (),
) -> None:
    """Add runs, entries and files to the crate of a dataset; what is there already stays.

    Adding the same again changes nothing. Hold `Catalogue.locked` where others may add too.

    Args:
        store: Where the dataset lies.
        dataset: Its name.
        info: Its description.
        runs: Runs that are done.
        entries: What they made, and what of this dataset they took.
        files: Other files, such as `dataset.json`.

    Raises:
        CorruptionError: The crate there is damaged; nothing is written.
        StoreError: The storage failed.
    """
    from rocrate.rocrate import ROCrate  # noqa: PLC0415 - 0.25 s that readers do not pay

    before = read_crate(store, dataset)
    crate = ROCrate(json.loads(json.dumps(before.document)) if before else None, version=_VERSION)
    known = {run.id: run for run in (before.runs if before else ())}
    added = {run.id: run for run in runs}
    paths = dict(before.refs) if before else {}
    for entry in entries:
        described = entry_entities(entry)
        _forget(crate, described[0]["@id"])
        paths[entry.ref] = described[0]["@id"]
        _add_all(crate, described)
    for file in files:
        _add_all(crate, [file_entity(file)])
    for run in added.values():
        _add_all(crate, run_entities(run, paths))
    _add_all(crate, dataset_entities(info))
    for name, value in root_properties(dataset, info, (known | added).values()).items():
        if value != [] or name in crate.root_dataset:
            crate.root_dataset[name] = value
    document = _document(crate, before)
    content = _render(document | {"@graph": _with_seal(document)})
    if before is None or content != _render(before.document):
        store.put(crate_key(dataset), content)


def _forget(crate: "ROCrate", identifier: str) -> None:
    """Drop an entry that is made anew, with its files and reports."""
    for entity in list(crate.data_entities):
        about = entity.as_jsonld().get("about")
        inside = identifier.endswith("/") and entity.id.startswith(identifier)
        if entity.id == identifier or inside or about == {"@id": identifier}:
            crate.delete(entity)


def _add_all(crate: "ROCrate", entities: Iterable[Entity]) -> None:
    from rocrate.model.contextentity import ContextEntity  # noqa: PLC0415 - only to write
    from rocrate.model.data_entity import DataEntity  # noqa: PLC0415 - only to write

    for entity in entities:
        kind = DataEntity if entity["@type"] in DATA_TYPES else ContextEntity
        properties = {name: value for name, value in entity.items() if name != "@id"}
        crate.add(kind(crate, entity["@id"], properties))


def _document(crate: "ROCrate", before: Crate | None) -> dict[str, Any]:
    """Return the crate as JSON-LD in one fixed order, keeping what others said in it."""
    crate.metadata.extra_contexts = list(CONTEXTS)
    crate.metadata.extra_terms = dict(TERMS)
    document: dict[str, Any] = crate.metadata.generate()
    if before is not None:
        old = before.document["@context"]
        context = list(old) if isinstance(old, list) else [old]
        new = [item for item in document["@context"][1:] if item not in context]
        document["@context"] = context + new
    document["@graph"] = sorted(document["@graph"], key=lambda entity: str(entity["@id"]))
    for entity in document["@graph"]:
        if isinstance(entity.get("hasPart"), list):
            entity["hasPart"] = sorted(entity["hasPart"], key=lambda part: str(part["@id"]))
    return document


def _with_seal(document: Mapping[str, Any]) -> list[Entity]:
    seal = {"seal": _seal(document)}
    return [e | seal if e["@id"] == CRATE_FILE else e for e in document["@graph"]]


def _seal(document: Mapping[str, Any]) -> str:
    """Hash the document as it would be written without its seal."""
    graph = [{name: v for name, v in e.items() if name != "seal"} for e in document["@graph"]]
    return f"blake3:{blake3(_render({**document, '@graph': graph})).hexdigest()}"


def _render(document: Mapping[str, Any]) -> bytes:
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _is_entry(entity: Mapping[str, Any]) -> bool:
    return entity.get("@type") in DATA_TYPES and "kind" in entity
