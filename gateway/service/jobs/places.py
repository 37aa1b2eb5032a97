"""Where people may take files from: inbox folders of the settings, and their own uploads.

A place is named by `INBOX/PATH`; nothing outside the folder is ever reached, by `..` or by link.
"""

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from gateway.errors import ForbiddenError, NotFoundError, StoreError
from gateway.service.gateway import Gateway

UPLOADS = "uploads"
_MOST = 2000


@dataclass(frozen=True, slots=True)
class Inbox:
    """A folder that may be taken from."""

    name: str
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A file or folder of an inbox."""

    name: str
    place: str
    """`INBOX/PATH`."""
    kind: Literal["folder", "file"]
    size: int
    changed: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one folder holds."""

    place: str
    items: tuple[Item, ...]
    more: int
    """How many are not shown."""
    left_out: int
    """Links that lead outside, pipes, devices: not offered."""


def upload_folder(gateway: Gateway, person: str) -> Path:
    """Return where the finished uploads of a person lie; a name is no safe folder name."""
    digest = hashlib.sha256(person.encode()).hexdigest()[:24]
    return gateway.home / "uploads" / digest / "files"


def list_inboxes(gateway: Gateway, person: str) -> list[Inbox]:
    """Return the inboxes a person may take from; folders of the same name are numbered."""
    found: list[Inbox] = []
    for folder in gateway.settings.inboxes:
        path = folder if folder.is_absolute() else gateway.home / folder
        name = path.name or "inbox"
        same = sum(inbox.name.split("~")[0] == name for inbox in found) + (name == UPLOADS)
        found.append(Inbox(f"{name}~{same + 1}" if same else name, path))
    return [*found, Inbox(UPLOADS, upload_folder(gateway, person))]


def find_place(gateway: Gateway, person: str, place: str) -> Path:
    """Return the real path of `INBOX/PATH`.

    Raises:
        NotFoundError: There is no such inbox, or nothing of that name in it.
        ForbiddenError: It leads out of the inbox.
    """
    name, _, rest = place.strip("/").partition("/")
    for inbox in list_inboxes(gateway, person):
        if inbox.name == name:
            return _inside(inbox.folder, rest, place)
    names = ", ".join(inbox.name for inbox in list_inboxes(gateway, person))
    raise NotFoundError(f"there is no inbox {name!r}; there are {names}")


def check_source(gateway: Gateway, person: str, text: str) -> Path:
    """Return the real path of a file or folder that a call names.

    Raises:
        ForbiddenError: It lies in no inbox, or something in it leads outside.
        NotFoundError: It is gone.
    """
    path = Path(text)
    for inbox in list_inboxes(gateway, person):
        try:
            root = inbox.folder.resolve(strict=True)
            real = path.resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            continue
        if path.is_absolute() and real.is_relative_to(root):
            _refuse_ways_out(real, root)
            return real
    if any(path.is_relative_to(inbox.folder) for inbox in list_inboxes(gateway, person)):
        raise NotFoundError(f"there is no {path.name!r} in the inbox any more; choose another")
    raise ForbiddenError(
        f"{text} lies in no inbox of this gateway; take files from an inbox, upload them, or ask "
        "an administrator to add their folder to the setting inboxes"
    )


def place_of(gateway: Gateway, person: str, path: Path) -> str:
    """Return `INBOX/PATH` of a real path, or its name where it is in no inbox."""
    for inbox in list_inboxes(gateway, person):
        try:
            inside = path.relative_to(inbox.folder.resolve())
        except (OSError, ValueError):
            continue
        return f"{inbox.name}/{inside}" if inside.parts else inbox.name
    return path.name


def without_folders(gateway: Gateway, person: str, message: str) -> str:
    """Return a message that names files as people see them: by their inbox."""
    for inbox in list_inboxes(gateway, person):
        for folder in {str(inbox.folder), str(inbox.folder.resolve())}:
            message = message.replace(folder, inbox.name)
    return message


def list_place(gateway: Gateway, person: str, place: str) -> Listing:
    """Return what a folder of an inbox holds, folders first.

    Raises:
        NotFoundError: There is no such folder.
        ForbiddenError: It leads out of the inbox.
        StoreError: It cannot be read.
    """
    folder = find_place(gateway, person, place)
    root = find_place(gateway, person, place.strip("/").partition("/")[0])
    if not folder.is_dir():
        raise NotFoundError(f"{place} is no folder")
    items, left_out = [], 0
    try:
        for entry in os.scandir(folder):
            item = _item(entry, root, place.strip("/"))
            if item is None:
                left_out += not entry.name.startswith(".")
            else:
                items.append(item)
    except OSError as error:
        raise StoreError(
            f"{place} cannot be read: {error.strerror}; let the account of this service read it"
        ) from error
    items.sort(key=lambda item: (item.kind != "folder", item.name.lower()))
    return Listing(
        place=place.strip("/"),
        items=tuple(items[:_MOST]),
        more=max(0, len(items) - _MOST),
        left_out=left_out,
    )


def _item(entry: "os.DirEntry[str]", root: Path, place: str) -> Item | None:
    if entry.name.startswith("."):
        return None
    try:
        if entry.is_symlink() and not Path(entry.path).resolve(strict=True).is_relative_to(root):
            return None
        facts = entry.stat()
    except (OSError, RuntimeError):  # a link to nothing, or to itself
        return None
    folder = stat.S_ISDIR(facts.st_mode)
    if not (folder or stat.S_ISREG(facts.st_mode)):
        return None
    return Item(
        name=entry.name,
        place=f"{place}/{entry.name}",
        kind="folder" if folder else "file",
        size=0 if folder else facts.st_size,
        changed=datetime.fromtimestamp(facts.st_mtime, UTC),
    )


def _inside(folder: Path, rest: str, place: str) -> Path:
    try:
        root = folder.resolve(strict=True)
        real = (root / rest).resolve(strict=True) if rest else root
    except (OSError, RuntimeError, ValueError) as error:
        raise NotFoundError(f"there is no {place!r}; it may have been moved or renamed") from error
    if not real.is_relative_to(root):
        raise ForbiddenError(f"{place!r} leads out of its inbox; only what lies in it is offered")
    return real


def _refuse_ways_out(path: Path, root: Path) -> None:
    """Refuse a folder in which a link leads out of the inbox: its files would be read too."""
    for link in _links(path) if path.is_dir() else ():
        try:
            inside = link.resolve(strict=True).is_relative_to(root)
        except (OSError, RuntimeError):
            inside = True  # a link to nothing reads nothing
        if not inside:
            raise ForbiddenError(
                f"{path.name}/{link.relative_to(path)} is a link that leads out of the inbox; "
                "put the file itself there, or take the link away"
            )


def _links(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                yield path
