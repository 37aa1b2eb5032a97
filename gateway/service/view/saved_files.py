"""Saved views at rest: a file each in the dataset's folder, from which the table comes back."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import insert, select

from gateway.records.database import writing
from gateway.records.work_tables import ViewRow, ViewVersionRow
from gateway.service.gateway import Gateway
from gateway.volumes.ref import parse_dataset
from gateway.volumes.store import Store

VIEWS_FOLDER = "views"
"""Folder of a dataset that holds its saved views."""


class VersionFile(BaseModel):
    """One version as the file keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(ge=1)
    name: str = Field(max_length=200)
    state: dict[str, Any]
    who: str = Field(max_length=120)
    at: datetime


class ViewFile(BaseModel):
    """The content of `views/<id>.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gateway_view: int = 1
    id: str = Field(pattern=r"^[a-z0-9]{4,20}$")
    dataset: str = Field(max_length=120)
    made_by: str = Field(max_length=120)
    made: datetime
    versions: tuple[VersionFile, ...] = Field(min_length=1)


def view_key(dataset: str, view: str) -> str:
    """Return where a saved view lies in the store."""
    return f"{parse_dataset(dataset)}/{VIEWS_FOLDER}/{view}.json"


def put_view(store: Store, head: Mapping[str, Any], versions: list[Mapping[str, Any]]) -> None:
    """Write a saved view into the folder of its dataset; nothing where the store is read only."""
    if not store.writable:
        return
    kept = [VersionFile(**version) for version in versions]
    file = ViewFile(
        id=head["id"],
        dataset=head["dataset"],
        made_by=head["made_by"],
        made=head["made"],
        versions=tuple(kept),
    )
    text = json.dumps(file.model_dump(mode="json"), ensure_ascii=False, allow_nan=False)
    store.put(view_key(file.dataset, file.id), f"{text}\n".encode())


def delete_view_file(store: Store, dataset: str, view: str) -> None:
    """Remove a saved view from the folder of its dataset."""
    if store.writable:
        store.delete(view_key(dataset, view))


def restore_views(gateway: Gateway, dataset: str) -> list[str]:
    """Take the saved views of a dataset's folder into the table where it lacks them.

    Returns:
        What could not be read.

    Raises:
        StoreError: The store or the database failed.
    """
    problems: list[str] = []
    found = list(_read_files(gateway.store, dataset, problems))
    with writing(gateway.database) as connection:
        known = set(connection.scalars(select(ViewRow.id)))
        for file in found:
            if file.id in known:
                continue
            last = file.versions[-1]
            head = file.model_dump(include={"id", "dataset", "made_by", "made"})
            head |= {"name": last.name, "version": last.version}
            connection.execute(insert(ViewRow).values(**head))
            rows = [{"view": file.id, **version.model_dump()} for version in file.versions]
            connection.execute(insert(ViewVersionRow), rows)
    return problems


def _read_files(store: Store, dataset: str, problems: list[str]) -> Iterator[ViewFile]:
    for name in store.list(f"{dataset}/{VIEWS_FOLDER}").files:
        key = f"{dataset}/{VIEWS_FOLDER}/{name}"
        try:
            file = ViewFile.model_validate_json(store.get(key))
        except ValidationError as error:
            problems.append(_problem(store, key, str(error).splitlines()[0]))
            continue
        if (file.dataset, f"{file.id}.json") == (dataset, name):
            yield file
        else:
            problems.append(_problem(store, key, f"it says it is {file.dataset}, {file.id}"))


def _problem(store: Store, key: str, reason: str) -> str:
    return f"{key} in {store.url} is no saved view: {reason}; mend it or remove the file"
