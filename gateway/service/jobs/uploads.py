"""Uploads from a browser: piece by piece, each at its place and with its checksum, resumable.

What has arrived is the file itself; its size says where to go on. A file that is complete lies in
the upload area of its person, which is an inbox like any other.
"""

import base64
import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from gateway.errors import (
    CallError,
    ConflictError,
    ForbiddenError,
    FormatError,
    LimitError,
    NotFoundError,
    StoreError,
)
from gateway.records.database import reading, writing
from gateway.records.work_tables import UploadRow
from gateway.service.access.actor import Actor
from gateway.service.access.rights import require_person
from gateway.service.gateway import Gateway
from gateway.service.jobs.places import upload_folder

PIECE = 8 * 2**20
"""Bytes a browser sends at once."""
LARGEST_PIECE = 32 * 2**20
_FORGOTTEN, _KEPT = timedelta(days=3), timedelta(days=30)
"""How long an unfinished upload waits to go on, and a finished one to be ingested."""
_AREA = 4
"""The upload area of a person holds so many times the largest file."""
_SPARE = 1_000_000_000
"""Bytes that stay free on the disk."""
_LONGEST = 240
_NAME = re.compile(r"[^\x00-\x1f/\\]{1,200}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file on its way, or arrived."""

    id: str
    person: str
    name: str
    size: int
    offset: int
    """Bytes that have arrived: where to go on."""
    complete: bool
    sha256: str | None
    touched: datetime

    @property
    def place(self) -> str:
        """Where it lies among the inboxes, once it is complete."""
        return f"uploads/{self.name}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "id": self.id,
            "name": self.name,
            "size": self.size,
            "offset": self.offset,
            "complete": self.complete,
            "sha256": self.sha256,
            "place": self.place if self.complete else None,
            "piece": PIECE,
        }


def begin(gateway: Gateway, actor: Actor, name: str, size: int) -> Upload:
    """Begin an upload, or return the unfinished one of the same name and size to go on with.

    Raises:
        CallError: The name is no file name.
        LimitError: The file, or all of the person's uploads together, are too large.
        ConflictError: A finished upload has that name.
        StoreError: The disk has too little room.
    """
    person = require_person(actor)
    if (
        not _NAME.match(name)
        or len(name.encode()) > _LONGEST
        or name.startswith(".")
        or name.strip() != name
    ):
        raise CallError(
            f"{name!r} is no file name; leave out / and \\ and a leading dot, and make it short"
        )
    clean_up(gateway)
    for upload in list_uploads(gateway, actor):
        if upload.name == name and not upload.complete and upload.size == size:
            return upload
        if upload.name == name:
            raise ConflictError(
                f"you have an upload {name!r} of {upload.size:,} bytes already; ingest or delete "
                "it first, or give the file another name"
            )
    _check_room(gateway, actor, name, size)
    now = datetime.now(UTC)
    fresh = secrets.token_hex(16)
    row = {"id": fresh, "person": person, "name": name, "size": size}
    with writing(gateway.database) as connection:
        connection.execute(insert(UploadRow).values(**row, made=now, touched=now, complete=False))
    part = _part(gateway, fresh)
    part.parent.mkdir(parents=True, exist_ok=True)
    part.touch()
    return find(gateway, actor, fresh)


def find(gateway: Gateway, actor: Actor, upload_id: str) -> Upload:
    """Return an upload.

    Raises:
        NotFoundError: There is none of that id.
        ForbiddenError: It is another person's.
    """
    person = require_person(actor)
    with reading(gateway.database) as connection:
        row = connection.execute(
            select(UploadRow.__table__).where(UploadRow.id == upload_id)
        ).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no upload {upload_id!r}; unfinished ones end after 3 days")
    if row.person != person:
        raise ForbiddenError("this upload is another person's")
    return _upload(gateway, row)


def list_uploads(gateway: Gateway, actor: Actor) -> list[Upload]:
    """Return a person's uploads, latest first."""
    mine = select(UploadRow.__table__).where(UploadRow.person == require_person(actor))
    with reading(gateway.database) as connection:
        rows = connection.execute(mine.order_by(UploadRow.made.desc())).all()
    return [_upload(gateway, row) for row in rows]


def append(
    gateway: Gateway,
    actor: Actor,
    upload_id: str,
    offset: int,
    piece: bytes,
    *,
    digest: str = "",
) -> Upload:
    """Put a piece at its place; the same piece twice is harmless.

    Args:
        gateway: The gateway.
        actor: Who sends it.
        upload_id: The upload.
        offset: Where the piece begins.
        piece: Its bytes.
        digest: `sha-256=:BASE64:` as in the header Content-Digest; empty where the browser cannot.

    Raises:
        FormatError: The bytes are not those of the digest; nothing was kept.
        ConflictError: The piece does not begin where the file ends; says where that is.
        CallError: It is larger than the file, or than a piece may be, or the digest is malformed.
        StoreError: The disk is full.
    """
    upload = find(gateway, actor, upload_id)
    _check_digest(piece, digest)
    if len(piece) > LARGEST_PIECE or offset + len(piece) > upload.size:
        most = min(LARGEST_PIECE, max(upload.size - offset, 0))
        raise CallError(f"a piece of {len(piece):,} bytes at {offset:,}; at most {most:,} may come")
    if upload.complete:
        return upload
    try:
        with _part(gateway, upload_id).open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            end = file.seek(0, os.SEEK_END)
            if offset > end or offset + len(piece) < end:
                raise ConflictError(
                    f"the upload {upload.name!r} has {end:,} bytes, the piece begins at "
                    f"{offset:,}: go on at {end}"
                )
            file.seek(offset)
            file.write(piece)
    except FileNotFoundError as error:
        raise NotFoundError(f"the upload {upload.name!r} is gone; begin it again") from error
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            f"{upload.name!r} cannot be kept: {error.strerror}; ask an administrator for room"
        ) from error
    _touch(gateway, upload_id)
    return find(gateway, actor, upload_id)


def finish(gateway: Gateway, actor: Actor, upload_id: str, sha256: str | None = None) -> Upload:
    """Make a complete upload an item of its person's inbox.

    Args:
        gateway: The gateway.
        actor: Who sent it.
        upload_id: The upload.
        sha256: What the whole file should be, in hexadecimal digits; None where nobody says.

    Raises:
        ConflictError: Something is missing; says where to go on.
        FormatError: The file is not the one that was meant; it is thrown away.
    """
    upload = find(gateway, actor, upload_id)
    if upload.complete:
        return upload
    if upload.offset < upload.size:
        raise ConflictError(
            f"{upload.name!r} has {upload.offset:,} of {upload.size:,} bytes: go on at "
            f"{upload.offset}"
        )
    part = _part(gateway, upload_id)
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 is not None and sha256.lower() != found:
        remove(gateway, actor, upload_id)
        raise FormatError(
            f"{upload.name!r} arrived with sha256 {found}, expected {sha256}; it was thrown away: "
            "upload it again"
        )
    target = upload_folder(gateway, upload.person) / upload.name
    target.parent.mkdir(parents=True, exist_ok=True)
    part.replace(target)
    with writing(gateway.database) as connection:
        done = update(UploadRow).where(UploadRow.id == upload_id)
        connection.execute(done.values(complete=True, sha256=found, touched=datetime.now(UTC)))
    return find(gateway, actor, upload_id)


def remove(gateway: Gateway, actor: Actor, upload_id: str) -> None:
    """Delete an upload, finished or not.

    Raises:
        NotFoundError: There is none of that id.
        ForbiddenError: It is another person's.
    """
    _delete(gateway, find(gateway, actor, upload_id))


def clean_up(gateway: Gateway) -> int:
    """Delete what was given up or is long since ingested; returns how many."""
    now = datetime.now(UTC)
    with reading(gateway.database) as connection:
        old = select(UploadRow.__table__).where(UploadRow.touched < now - _FORGOTTEN)
        rows = connection.execute(old).all()
    gone = [row for row in rows if not row.complete or row.touched < now - _KEPT]
    for row in gone:
        _delete(gateway, _upload(gateway, row))
    return len(gone)


def room_of(gateway: Gateway, actor: Actor) -> Mapping[str, int]:
    """Return the largest file, the size of the person's area, and what is used of it."""
    used = select(func.coalesce(func.sum(UploadRow.size), 0))
    with reading(gateway.database) as connection:
        taken = connection.scalar(used.where(UploadRow.person == require_person(actor)))
    largest = int(gateway.settings.upload)
    return {"largest": largest, "area": largest * _AREA, "used": int(taken or 0)}


def _check_room(gateway: Gateway, actor: Actor, name: str, size: int) -> None:
    room = room_of(gateway, actor)
    if size < 1:
        raise CallError(f"{name!r} has {size} bytes; there is nothing to upload")
    if size > room["largest"]:
        raise LimitError(
            f"{name!r} has {size:,} bytes; at most {room['largest']:,} may be uploaded in the "
            "browser: ask an administrator to put larger files into an inbox"
        )
    if room["used"] + size > room["area"]:
        raise LimitError(
            f"{name!r} has {size:,} bytes, and your uploads hold {room['used']:,} of "
            f"{room['area']:,}: ingest and delete some first"
        )
    free = shutil.disk_usage(gateway.home).free
    if size + _SPARE > free:
        raise StoreError(
            f"{name!r} has {size:,} bytes and the disk of the gateway has {free:,} free; ask an "
            "administrator for room"
        )


def _check_digest(piece: bytes, digest: str) -> None:
    if not digest:
        return
    found = re.fullmatch(r"sha-256=:([A-Za-z0-9+/=]{44}):", digest.strip())
    if found is None:
        raise CallError(f"the digest {digest!r} is malformed; expected sha-256=:BASE64:")
    if base64.b64decode(found.group(1)) != hashlib.sha256(piece).digest():
        raise FormatError(
            f"a piece of {len(piece):,} bytes arrived changed; nothing of it was kept: send it "
            "again"
        )


def _upload(gateway: Gateway, row: Row[Any]) -> Upload:
    size = row.size if row.complete else _arrived(_part(gateway, row.id))
    return Upload(
        id=row.id,
        person=row.person,
        name=row.name,
        size=row.size,
        offset=size,
        complete=row.complete,
        sha256=row.sha256,
        touched=row.touched,
    )


def _delete(gateway: Gateway, upload: Upload) -> None:
    with writing(gateway.database) as connection:
        connection.execute(delete(UploadRow).where(UploadRow.id == upload.id))
    _part(gateway, upload.id).unlink(missing_ok=True)
    if upload.complete:
        (upload_folder(gateway, upload.person) / upload.name).unlink(missing_ok=True)


def _touch(gateway: Gateway, upload_id: str) -> None:
    with writing(gateway.database) as connection:
        there = update(UploadRow).where(UploadRow.id == upload_id)
        connection.execute(there.values(touched=datetime.now(UTC)))


def _part(gateway: Gateway, upload_id: str) -> Path:
    return gateway.home / "uploads" / "arriving" / upload_id


def _arrived(part: Path) -> int:
    try:
        return part.stat().st_size
    except FileNotFoundError:
        return 0
