"""Undo and redo: each person takes back their own batches, by new edits, never over others'."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from gateway.errors import CallError
from gateway.records.annotation_history import (
    Batch,
    Edit,
    edits_of,
    edits_of_objects,
    find_batch,
    set_stack,
    top_of_stack,
)
from gateway.records.annotation_history import batches_at as made_by
from gateway.records.annotation_layers import get_layer
from gateway.records.annotations import Annotation, Fields, annotation, field_names
from gateway.records.database import writing
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway
from gateway.service.review.edits import finish, missed
from gateway.service.review.merging import Work, different, start_work

_MOST_TOLD = 20


def undo(
    gateway: Gateway, actor: Actor, dataset: str, name: str, key: str | None = None
) -> dict[str, Any]:
    """Take back the last batch of a person that still stands, by a new batch.

    Returns:
        What `apply_edits` returns, and `target`: the version that was undone, None where there
        is nothing to undo. `conflicts` tells what others changed since: then nothing is undone.

    Raises:
        NotFoundError: There is no such layer.
    """
    return _step(gateway, actor, dataset, name, action="undo", key=key)


def redo(
    gateway: Gateway, actor: Actor, dataset: str, name: str, key: str | None = None
) -> dict[str, Any]:
    """Do again what the person undid last, by a new batch; see `undo`.

    Raises:
        NotFoundError: There is no such layer.
    """
    return _step(gateway, actor, dataset, name, action="redo", key=key)


def _step(
    gateway: Gateway, actor: Actor, dataset: str, name: str, *, action: str, key: str | None
) -> dict[str, Any]:
    with writing(gateway.database) as connection:
        layer = get_layer(connection, dataset, name, hold=True)
        if key is not None and (known := find_batch(connection, layer, actor.name, key)):
            if known.action != action:
                raise CallError(f"the key {key!r} names a batch that was no {action}")
            return {**known.answer, "target": known.target, "missed": []}
        target = top_of_stack(connection, layer, actor.name, action)
        if target is None:
            nothing = {"version": layer.version, "created": [], "applied": 0, "conflicts": []}
            return {**nothing, "target": None, "missed": []}
        edits = edits_of(connection, layer, target.version, target.version)[target.version]
        work = start_work(connection, layer, layer.version, [edit.object for edit in edits])
        turned = [_inverse(e) for e in reversed(edits)] if action == "undo" else edits
        _replay(connection, work, turned, target)
        if work.conflicts:
            work.edits.clear()
        stack, ordinal = ("", None) if action == "undo" else ("undo", target.ordinal)
        answer = finish(
            connection,
            work,
            actor.name,
            action=action,
            key=key,
            target=target.version,
            stack=stack,
            ordinal=ordinal,
        )
        if not work.conflicts:
            set_stack(connection, layer, target.version, "redo" if action == "undo" else "")
        others = missed(connection, layer, target.version, answer["version"])
        return {**answer, "target": target.version, "missed": others}


def _inverse(edit: Edit) -> Edit:
    return Edit(object=edit.object, before=edit.after, after=edit.before)


def _replay(connection: Connection, work: Work, edits: Sequence[Edit], target: Batch) -> None:
    """Do edits whose objects must be as the edits found them."""
    stuck: list[tuple[Edit, Annotation | None]] = []
    for edit in edits:
        item = work.now.get(edit.object)
        if not _as_expected(item, edit):
            stuck.append((edit, item))
            continue
        _do(work, edit, item)
    if not stuck:
        return
    stuck = stuck[:_MOST_TOLD]
    numbers = sorted({edit.object for edit, _ in stuck})
    later = edits_of_objects(connection, work.layer, numbers, target.version)
    versions = {version for told in later.values() for version, _ in told}
    batches = made_by(connection, work.layer, sorted(versions))
    for edit, item in stuck:
        fields = _differing(item, edit.before)
        batch = batches.get(_last_change(later.get(edit.object, []), fields))
        work.conflicts.append(
            {
                "edit": None,
                "id": edit.object,
                "fields": sorted(fields),
                "yours": edit.after,
                "theirs": item.to_json() if item else None,
                "by": batch.person if batch else None,
                "at": batch.at.isoformat() if batch else None,
                "version": batch.version if batch else work.layer.version,
            }
        )


def _last_change(edits: Sequence[tuple[int, Edit]], fields: set[str]) -> int:
    """Return the last version that touched some of the fields, or made or deleted the object."""
    for version, edit in reversed(edits):
        if edit.before is None or edit.after is None or fields & field_names(edit.after):
            return version
    return 0


def _as_expected(item: Annotation | None, edit: Edit) -> bool:
    """Tell whether an object is as an edit left it; with all its fields where that made it."""
    if item is None or edit.before is None:
        return item is None and edit.before is None
    return not _differing(item, edit.before)


def _differing(item: Annotation | None, expected: Fields | None) -> set[str]:
    if item is None or expected is None:
        return {"exists"}
    wanted = expected.get("properties", {})
    added = dict.fromkeys(set(item.properties) - set(wanted)) if "born" in expected else {}
    return field_names(different(item, {**expected, "properties": {**wanted, **added}}))


def _do(work: Work, edit: Edit, item: Annotation | None) -> None:
    number = edit.object
    if edit.after is None:
        before = item.fields() if item else edit.before
        work.put(Edit(object=number, before=before, after=None), None)
    elif item is None:
        fields = {**edit.after, "born": work.version}
        made = annotation(number, fields, born=work.version, version=work.version)
        work.created.append(number)
        work.put(Edit(object=number, before=None, after=fields), made)
    else:
        work.put(edit, item.changed(edit.after, work.version))
