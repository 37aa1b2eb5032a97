"""Merging: an edit applies unless what it changes was changed since its sender saw it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy import Connection

from gateway.errors import CallError, NotFoundError
from gateway.records.annotation_history import (
    Batch,
    Edit,
    batches_at,
    edits_of_objects,
    walk_back,
)
from gateway.records.annotation_objects import Change, read_objects
from gateway.records.annotations import Annotation, Fields, Layer, annotation, field_names
from gateway.service.review.checks import check_fields

_OPS = ("create", "set", "delete")


@dataclass(slots=True)
class Work:
    """A batch in the making: objects as they were and as they have become."""

    layer: Layer
    base: int
    version: int
    """The version that the batch will make."""
    before: dict[int, Annotation]
    now: dict[int, Annotation | None]
    next_id: int
    edits: list[Edit] = field(default_factory=list)
    created: list[int] = field(default_factory=list)
    conflicts: list[dict[str, Any]] = field(default_factory=list)

    def put(self, edit: Edit, item: Annotation | None) -> None:
        """Take note of an edit and of what its object becomes."""
        self.edits.append(edit)
        self.now[edit.object] = item

    def changes(self) -> dict[int, Change]:
        """Return what is to be written."""
        numbers = {edit.object for edit in self.edits}
        pairs = {n: (self.before.get(n), self.now.get(n)) for n in sorted(numbers)}
        return {number: pair for number, pair in pairs.items() if pair != (None, None)}


@dataclass(frozen=True, slots=True)
class Since:
    """What others did to the objects of a batch since its base."""

    edits: dict[int, list[tuple[int, Edit]]]
    batches: dict[int, Batch]

    @classmethod
    def of(cls, connection: Connection, work: Work, numbers: Sequence[int]) -> Self:
        """Read it: nothing, where nobody changed these objects."""
        found = work.before
        late = {n for n in numbers if n > 0 and (n not in found or found[n].version > work.base)}
        edits = edits_of_objects(connection, work.layer, sorted(late), work.base)
        versions = {version for told in edits.values() for version, _ in told}
        return cls(edits, batches_at(connection, work.layer, sorted(versions)))

    def seen(self, work: Work, number: int) -> Annotation | None:
        """Return an object as the sender of the batch saw it."""
        return walk_back(work.before.get(number), number, self.edits.get(number, []), work.base)

    def conflict(self, work: Work, number: int, fields: set[str], **told: Any) -> dict[str, Any]:
        """Return a conflict: what is there now, and who made it so."""
        last = next(
            (
                version
                for version, edit in reversed(self.edits.get(number, []))
                if edit.before is None or edit.after is None or fields & field_names(edit.after)
            ),
            work.layer.version,
        )
        batch = self.batches.get(last)
        now = work.before.get(number)
        return {
            "id": number,
            "fields": sorted(fields),
            "theirs": now.to_json() if now else None,
            "by": batch.person if batch else None,
            "at": batch.at.isoformat() if batch else None,
            "version": last,
            **told,
        }


def start_work(connection: Connection, layer: Layer, base: int, numbers: Sequence[int]) -> Work:
    """Load the objects that a batch is about."""
    found = read_objects(connection, layer, [number for number in numbers if number > 0])
    return Work(
        layer=layer,
        base=base,
        version=layer.version + 1,
        before=found,
        now=dict(found),
        next_id=layer.next_id,
    )


def apply_edit(work: Work, since: Since, edit: Mapping[str, Any], position: int) -> None:
    """Apply one edit as it was sent, or take note of its conflict.

    Raises:
        CallError: It is malformed.
        BoxError: It sets a position outside the volume.
        NotFoundError: It names an object that is not there and was not deleted since the base.
    """
    op = edit.get("op")
    what = f"edit {position} ({op} {edit.get('id', '')})".replace(" )", ")")
    if op not in _OPS:
        raise CallError(f"edit {position} has the op {op!r}; expected one of {', '.join(_OPS)}")
    fields = {name: value for name, value in edit.items() if name not in ("op", "id")}
    if op == "create":
        _create(work, check_fields(work.layer, fields, what, new=True))
        return
    number = edit.get("id")
    if not isinstance(number, int) or isinstance(number, bool):
        raise CallError(f"{what} has the id {number!r}; expected the number of an object")
    if op == "set":
        fields = _with_shape(work, number, fields)
        _set(work, since, number, check_fields(work.layer, fields, what, new=False), position)
    elif fields:
        raise CallError(f"{what} also sets {min(fields)!r}; a deleted object has no fields")
    else:
        _delete(work, since, number, position)


def _with_shape(work: Work, number: int, fields: Fields) -> Fields:
    """Fill in the shape where only positions are set: whoever moves an object keeps its shape."""
    if "points" not in fields or "shape" in fields:
        return fields
    item = work.now.get(number)
    corners = len(fields["points"]) if isinstance(fields["points"], list) else 1
    likely = {1: "point", 2: "line"}.get(corners, "polygon")
    return {"shape": item.shape if item else likely, **fields}


def _create(work: Work, fields: Fields) -> None:
    number, work.next_id = work.next_id, work.next_id + 1
    fields = {**fields, "born": work.version}
    item = annotation(number, fields, born=work.version, version=work.version)
    work.created.append(number)
    work.put(Edit(object=number, before=None, after=fields), item)


def _set(work: Work, since: Since, number: int, fields: Fields, position: int) -> None:
    item = work.now.get(number)
    told = {"edit": position, "yours": fields}
    if item is None:
        _check_gone(work, since, number, position)
        work.conflicts.append(since.conflict(work, number, field_names(fields), **told))
        return
    fields = different(item, fields)
    if not fields:
        return
    seen, there = since.seen(work, number), work.before.get(number)
    if there is not None and there.version > work.base:
        touched = field_names(fields)
        # made, or made again, since the base: its sender cannot have seen any of it
        changed = touched if seen is None else _changed(seen, there) & touched
        if changed:
            work.conflicts.append(since.conflict(work, number, changed, **told))
            return
    edit = Edit(object=number, before=item.values_of(fields), after=fields)
    work.put(edit, item.changed(fields, work.version))


def _delete(work: Work, since: Since, number: int, position: int) -> None:
    item = work.now.get(number)
    if item is None:
        _check_gone(work, since, number, position)
        return  # somebody else deleted it too
    there = work.before[number]
    if there.version > work.base and (changed := _changed(since.seen(work, number), there)):
        told = {"edit": position, "yours": None}
        work.conflicts.append(since.conflict(work, number, changed, **told))
        return
    work.put(Edit(object=number, before=item.fields(), after=None), None)


def _check_gone(work: Work, since: Since, number: int, position: int) -> None:
    """Refuse an object that never was, or of which the sender knew that it is gone."""
    if number in work.before:
        raise CallError(f"edit {position} changes object {number}, which this batch deletes before")
    if number not in since.edits:
        raise NotFoundError(
            f"edit {position} names object {number}; {work.layer.ref} has none of that number"
            + (" any more" if 0 < number < work.layer.next_id else "")
        )


def different(item: Annotation, fields: Fields) -> Fields:
    """Return the fields that would change an object."""
    have = item.values_of(fields)
    found = {
        name: value
        for name, value in fields.items()
        if name not in ("properties", "shape", "points", "born") and have[name] != value
    }
    if "points" in fields and (fields["points"], fields["shape"]) != (have["points"], item.shape):
        found |= {"shape": fields["shape"], "points": fields["points"]}
    properties = {
        name: value
        for name, value in fields.get("properties", {}).items()
        if not _same(have["properties"][name], value)
    }
    return {**found, "properties": properties} if properties else found


def _same(one: Any, other: Any) -> bool:
    """Tell 1 from 1.0 and from true, which Python takes for equal."""
    return type(one) is type(other) and bool(one == other)


def _changed(seen: Annotation | None, there: Annotation) -> set[str]:
    """Return the names of fields in which an object differs from what was seen of it."""
    if seen is None:
        return field_names(there.fields())
    old, new = seen.fields(), there.fields()
    names = {name for name in new if name not in ("properties", "born") and old[name] != new[name]}
    mine, theirs = old["properties"], new["properties"]
    names = {"points" if name == "shape" else name for name in names}
    return names | {
        f"properties.{name}"
        for name in {*mine, *theirs}
        if not _same(mine.get(name), theirs.get(name))
    }
