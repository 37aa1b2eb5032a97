"""Checksums of files as they lie on disk, read in pieces."""

import errno
import os
from pathlib import Path
from typing import BinaryIO

from blake3 import blake3

from gateway.errors import NotFoundError, StoreError

_PIECE = 8 << 20


def checksum_file(path: Path, *, copy_to: Path | None = None) -> str:
    """Return `blake3:` and the hex digest of a file's bytes.

    Args:
        path: The file.
        copy_to: Also write the bytes there, synced to disk; the file is read once for both.

    Raises:
        NotFoundError: There is no such file.
        StoreError: Reading or writing failed; says where.
    """
    digest = blake3()
    piece = memoryview(bytearray(_PIECE))
    with _open(path) as source:
        target = None if copy_to is None else _create(copy_to)
        try:
            while got := _read(source, piece, path):
                digest.update(piece[:got])
                if target is not None:
                    _write(target, piece[:got])
            if target is not None:
                os.fsync(target.fileno())
        finally:
            if target is not None:
                target.close()
    return f"blake3:{digest.hexdigest()}"


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb", buffering=0)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def _read(source: BinaryIO, piece: memoryview, path: Path) -> int:
    try:
        return source.readinto(piece)  # type: ignore[attr-defined,no-any-return]
    except OSError as error:
        raise StoreError(
            f"cannot read {path} at byte {source.tell()}: {error.strerror or error}"
        ) from error


def _create(path: Path) -> BinaryIO:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("wb")
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def _write(target: BinaryIO, piece: memoryview) -> None:
    try:
        target.write(piece)
    except OSError as error:
        way_out = (
            "; free some space, then run the same command to continue"
            if error.errno in {errno.ENOSPC, errno.EDQUOT}
            else ""
        )
        raise StoreError(
            f"cannot write {target.name}: {error.strerror or error}{way_out}"
        ) from error


def stamp_files(path: Path) -> str:
    """Return `stat:` and a hash of the names, sizes and times of a file or of all files below.

    Raises:
        NotFoundError: There is nothing at `path`.
        StoreError: A folder cannot be listed.
    """
    try:
        below = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        digest = blake3()
        for file in below:
            stat = file.stat()
            name = "" if file == path else str(file.relative_to(path))
            digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file or folder {error.filename}") from error
    except OSError as error:
        raise StoreError(f"cannot look at {path}: {error.strerror or error}") from error
    return f"stat:{digest.hexdigest()}"
