"""Saved views: a viewer's state under a short link, every version kept, no save lost."""

import json
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from gateway.errors import CallError, ConflictError, ForbiddenError, NotFoundError
from gateway.records.database import reading, writing
from gateway.records.work_tables import ViewRow, ViewVersionRow
from gateway.service.access.actor import Actor, Role
from gateway.service.access.audit import note
from gateway.service.access.rights import require, require_person, role_on
from gateway.service.gateway import Gateway
from gateway.service.view.addresses import bind_addresses, free_addresses
from gateway.service.view.saved_files import delete_view_file, put_view
from gateway.volumes.dataset import read_dataset

LARGEST_STATE = 1_000_000
"""Bytes of a state as JSON."""
MOST_VERSIONS = 100
"""Versions kept of a view; the oldest go first."""
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
_ID = re.compile(r"[a-z0-9]{4,20}\Z")
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """A version of a saved view."""

    id: str
    dataset: str
    name: str
    version: int
    latest: int
    made_by: str
    made: datetime
    who: str
    at: datetime
    state: dict[str, Any]

    def to_json(self, base: str | None = None) -> dict[str, Any]:
        """Return the view as JSON; with its state where `base`, the address of data, is given."""
        said: dict[str, Any] = {
            "id": self.id,
            "dataset": self.dataset,
            "name": self.name,
            "version": self.version,
            "latest": self.latest,
            "made_by": self.made_by,
            "made": self.made.isoformat(),
            "who": self.who,
            "at": self.at.isoformat(),
        }
        if base is not None:
            said["state"] = bind_addresses(self.state, base)
        return said


def create_view(
    gateway: Gateway, actor: Actor, dataset: str, state: dict[str, Any], *, name: str, base: str
) -> SavedView:
    """Save the first version of a view.

    Args:
        gateway: The gateway.
        actor: Who saves; a person who may see the dataset.
        dataset: The dataset it shows.
        state: A Neuroglancer state.
        name: What people call it.
        base: The address of data in its URLs: taken out, so that no share link is kept.

    Raises:
        SignInError: Nobody is signed in.
        ForbiddenError: The actor may not see the dataset, or is a share link.
        NotFoundError: There is no such dataset.
        CallError: The state is too large or no state.
        StoreError: The store or the database failed; nothing is saved.
    """
    require(gateway, actor, dataset, Role.VIEWER)
    who = require_person(actor)
    read_dataset(gateway.store, dataset)
    kept, title = _check(state, base), _check_name(name)
    now = datetime.now(UTC)
    with writing(gateway.database) as connection:
        view = _free_id(connection)
        head = {"id": view, "dataset": dataset, "made_by": who, "made": now}
        connection.execute(insert(ViewRow).values(**head, name=title, version=1))
        row = {"version": 1, "name": title, "state": kept, "who": who, "at": now}
        connection.execute(insert(ViewVersionRow).values(view=view, **row))
        note(gateway, actor, "view saved", dataset, into=connection, view=view, version=1)
        put_view(gateway.store, head, [row])
    return get_view(gateway, actor, view)


def save_view(
    gateway: Gateway,
    actor: Actor,
    view: str,
    state: dict[str, Any],
    *,
    version: int,
    base: str,
    name: str | None = None,
) -> SavedView:
    """Save a new version of a view.

    Args:
        gateway: The gateway.
        actor: Who saves: whoever made the view, or an editor of its dataset.
        view: Its id.
        state: A Neuroglancer state.
        version: The version that `state` was made from.
        base: The address of data in its URLs.
        name: What to call it from now on; None keeps the name.

    Raises:
        ConflictError: Somebody saved a later version meanwhile.
        ForbiddenError: The actor may not change it.
        NotFoundError: There is no such view.
        CallError: The state is too large or no state.
        StoreError: The store or the database failed; nothing is saved.
    """
    known = get_view(gateway, actor, view)
    who = _require_change(gateway, actor, known)
    kept = _check(state, base)
    with writing(gateway.database) as connection:
        head = connection.execute(select(ViewRow).where(ViewRow.id == view)).mappings().one()
        if head["version"] != version:
            raise ConflictError(
                f"the view {view} is at version {head['version']}, and this change began with "
                f"version {version}: load the later one, or save yours as a new view"
            )
        title = head["name"] if name is None else _check_name(name)
        row = {
            "version": version + 1,
            "name": title,
            "state": kept,
            "who": who,
            "at": datetime.now(UTC),
        }
        connection.execute(insert(ViewVersionRow).values(view=view, **row))
        connection.execute(
            update(ViewRow).where(ViewRow.id == view).values(version=version + 1, name=title)
        )
        oldest = version + 1 - MOST_VERSIONS
        connection.execute(
            delete(ViewVersionRow).where(
                ViewVersionRow.view == view, ViewVersionRow.version <= oldest
            )
        )
        detail = {"view": view, "version": version + 1}
        note(gateway, actor, "view saved", head["dataset"], into=connection, **detail)
        put_view(gateway.store, dict(head), _all_versions(connection, view))
    return get_view(gateway, actor, view)


def get_view(gateway: Gateway, actor: Actor, view: str, version: int | None = None) -> SavedView:
    """Return a saved view, its last version unless another is asked for.

    Raises:
        NotFoundError: There is no such view or version.
        SignInError: Nobody is signed in, and everyone may not see its dataset.
        ForbiddenError: The actor may not see its dataset.
    """
    with reading(gateway.database) as connection:
        head = _head(connection, view)
        require(gateway, actor, head["dataset"], Role.VIEWER)
        row = (
            connection.execute(
                select(ViewVersionRow).where(
                    ViewVersionRow.view == view,
                    ViewVersionRow.version == (version or head["version"]),
                )
            )
            .mappings()
            .one_or_none()
        )
    if row is None:
        raise NotFoundError(
            f"the view {view} has no version {version}; the last is {head['version']}, and "
            f"{MOST_VERSIONS} are kept"
        )
    return SavedView(
        id=view,
        dataset=head["dataset"],
        name=row["name"],
        version=row["version"],
        latest=head["version"],
        made_by=head["made_by"],
        made=head["made"],
        who=row["who"],
        at=row["at"],
        state=row["state"],
    )


def list_views(gateway: Gateway, dataset: str) -> list[dict[str, Any]]:
    """Return the saved views of a dataset, the last made first, without their states."""
    last = (ViewVersionRow.view == ViewRow.id) & (ViewVersionRow.version == ViewRow.version)
    columns = (ViewRow.id, ViewRow.name, ViewRow.version, ViewRow.made_by, ViewRow.made)
    statement = (
        select(*columns, ViewVersionRow.who, ViewVersionRow.at)
        .join(ViewVersionRow, last)
        .where(ViewRow.dataset == dataset)
        .order_by(ViewRow.made.desc(), ViewRow.id)
    )
    return _rows(gateway, statement)


def list_versions(gateway: Gateway, actor: Actor, view: str) -> list[dict[str, Any]]:
    """Return the versions of a view that are kept, the last first, without their states.

    Raises:
        NotFoundError: There is no such view.
        ForbiddenError: The actor may not see its dataset.
    """
    get_view(gateway, actor, view)
    kept = ViewVersionRow
    statement = (
        select(kept.version, kept.name, kept.who, kept.at)
        .where(kept.view == view)
        .order_by(kept.version.desc())
    )
    return _rows(gateway, statement)


def delete_view(gateway: Gateway, actor: Actor, view: str) -> None:
    """Remove a view with all its versions.

    Raises:
        NotFoundError: There is no such view.
        ForbiddenError: The actor neither made it nor is an editor of its dataset.
    """
    known = get_view(gateway, actor, view)
    _require_change(gateway, actor, known)
    with writing(gateway.database) as connection:
        connection.execute(delete(ViewVersionRow).where(ViewVersionRow.view == view))
        connection.execute(delete(ViewRow).where(ViewRow.id == view))
        note(gateway, actor, "view removed", known.dataset, into=connection, view=view)
        delete_view_file(gateway.store, known.dataset, view)


def _require_change(gateway: Gateway, actor: Actor, view: SavedView) -> str:
    who = require_person(actor)
    if view.made_by != who and role_on(gateway, actor, view.dataset) < Role.EDITOR:
        raise ForbiddenError(
            f"{who} did not make the view {view.id} ({view.name}) and is no editor of "
            f"{view.dataset}: save it as a new view"
        )
    return who


def _check(state: dict[str, Any], base: str) -> dict[str, Any]:
    layers = state.get("layers")
    if not isinstance(layers, list):
        raise CallError("this is no viewer state: it has no list `layers`")
    try:
        size = len(json.dumps(state, allow_nan=False).encode())
        kept = free_addresses(state, base)
    except (ValueError, RecursionError) as error:
        raise CallError(f"this is no viewer state: {error}") from error
    if size > LARGEST_STATE:
        raise CallError(
            f"the state has {size:,} bytes; at most {LARGEST_STATE:,} are saved: keep many "
            "annotations in an annotation layer of the dataset, not in the state"
        )
    return kept


def _check_name(name: str) -> str:
    title = name.strip()
    if not title or len(title) > _LONGEST_NAME or not title.isprintable():
        raise CallError(
            f"a view cannot be called {name[:40]!r}; use 1 to {_LONGEST_NAME} printable characters"
        )
    return title


def _free_id(connection: Connection) -> str:
    while True:
        view = "".join(secrets.choice(_LETTERS) for _ in range(8))
        if connection.scalar(select(func.count()).where(ViewRow.id == view)) == 0:
            return view


def _head(connection: Connection, view: str) -> dict[str, Any]:
    found = None
    if _ID.match(view):
        statement = select(ViewRow).where(ViewRow.id == view)
        found = connection.execute(statement).mappings().one_or_none()
    if found is None:
        raise NotFoundError(f"there is no saved view {view[:40]!r}; it may have been removed")
    return dict(found)


def _all_versions(connection: Connection, view: str) -> list[Any]:
    kept = ViewVersionRow
    statement = (
        select(kept.version, kept.name, kept.state, kept.who, kept.at)
        .where(kept.view == view)
        .order_by(kept.version)
    )
    return [dict(row) for row in connection.execute(statement).mappings()]


def _rows(gateway: Gateway, statement: Any) -> list[dict[str, Any]]:
    with reading(gateway.database) as connection:
        rows = connection.execute(statement).mappings().all()
    return [
        {name: v.isoformat() if isinstance(v, datetime) else v for name, v in row.items()}
        for row in rows
    ]
