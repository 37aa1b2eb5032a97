"""A store in a local folder (or a mounted share)."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from gateway.errors import ExistsError, GatewayError, NotFoundError, RefError, StoreError
from gateway.volumes.keys import Listing, parse_key

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS}
_TEMPORARY = ".put-"


class LocalStore:
    """Files below one folder; every key is checked not to leave it, symlinks followed."""

    def __init__(self, root: Path) -> None:
        """Open the folder `root`.

        Raises:
            NotFoundError: There is no such folder.
        """
        if not root.is_dir():
            what = "is a file" if root.exists() else "does not exist"
            raise NotFoundError(
                f"store {root} {what}; expected a folder: make it with `gateway init` or `mkdir`"
            )
        self._root = root.resolve()

    @property
    def url(self) -> str:
        """The folder, as an absolute path."""
        return str(self._root)

    @property
    def writable(self) -> bool:
        """Whether this process may write into the folder."""
        return os.access(self._root, os.W_OK)

    def get(self, key: str) -> bytes:
        """Return the content of a file.

        Raises:
            NotFoundError: There is no such file.
            StoreError: The storage failed.
        """
        path = self._path(key)
        with self._guard(key):
            return path.read_bytes()

    def open(self, key: str) -> BinaryIO:
        """Open a file for reading at any place.

        Raises:
            NotFoundError: There is no such file.
        """
        path = self._path(key)
        with self._guard(key):
            return path.open("rb")

    def put(self, key: str, data: bytes) -> None:
        """Write a file whole: readers see the old content or the new, never a part.

        Raises:
            StoreError: The storage is full, read-only or gone.
        """
        path = self._path(key)
        temporary = path.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
        with self._guard(key, size=len(data)):
            self._require_root()
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                temporary.write_bytes(data)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise

    def exists(self, key: str) -> bool:
        """Whether there is a file or folder of that key.

        Raises:
            StoreError: The store has vanished, so that nobody can tell.
        """
        if self._path(key).exists():
            return True
        self._require_root()
        return False

    def list(self, prefix: str = "") -> Listing:
        """Name the folders and files directly inside a folder; empty where there is none.

        Links that lead out of the store are left out.
        """
        path = self._path(prefix)
        folders: list[str] = []
        files: list[str] = []
        with self._guard(prefix):
            self._require_root()
            if not path.is_dir():
                return Listing((), ())
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.name.startswith(_TEMPORARY) or self._leads_out(entry):
                        continue
                    if entry.is_dir():
                        folders.append(entry.name)
                    elif entry.is_file():
                        files.append(entry.name)
        return Listing(tuple(sorted(folders)), tuple(sorted(files)))

    def delete(self, prefix: str) -> None:
        """Remove a file or a whole folder; nothing happens where there is none.

        Raises:
            RefError: The prefix is the store itself.
            StoreError: The storage failed.
        """
        if prefix == "":
            raise RefError(f"deleting the whole store {self.url} is refused; name what to delete")
        path = self._path(prefix)
        # A link is removed, never what it points to.
        named = self._root / prefix
        with self._guard(prefix):
            if named.is_symlink() or path.is_file():
                named.unlink()
            elif path.is_dir():
                shutil.rmtree(path, onerror=_ignore_gone)

    def publish(self, staged_key: str, final_key: str) -> None:
        """Make a staged file or folder appear under its final key, in one step.

        Raises:
            ExistsError: The final key is taken.
            NotFoundError: Nothing is staged under that key.
        """
        staged, final = self._path(staged_key), self._path(final_key)
        if not staged.exists():
            self._require_root()
            raise NotFoundError(f"nothing is staged at {staged_key} in {self.url}")
        with self._guard(final_key):
            final.parent.mkdir(parents=True, exist_ok=True)
            try:
                _rename_to_new(staged, final)
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                raise _taken(final_key, self.url) from error
            except OSError as error:
                if error.errno == errno.ENOTEMPTY:
                    raise _taken(final_key, self.url) from error
                raise

    def kvstore(self, key: str) -> dict[str, Any]:
        """Return the TensorStore key-value store of a folder."""
        return {"driver": "file", "path": f"{self._path(key)}/"}

    def local_path(self, key: str) -> Path | None:
        """Return where the key lies on this machine."""
        return self._path(key)

    def free_bytes(self) -> int | None:
        """Return the free space of the file system in bytes."""
        with self._guard(""):
            stat = os.statvfs(self._root)
            return stat.f_bavail * stat.f_frsize

    def _path(self, key: str) -> Path:
        path = Path(os.path.realpath(self._root / parse_key(key)))
        if not path.is_relative_to(self._root):
            raise RefError(
                f"key {key!r} leads out of the store {self.url} through a symbolic link; "
                "put the data inside, or register it in place"
            )
        return path

    def _leads_out(self, entry: "os.DirEntry[str]") -> bool:
        if not entry.is_symlink():
            return False
        return not Path(os.path.realpath(entry.path)).is_relative_to(self._root)

    def _require_root(self) -> None:
        if not self._root.is_dir():
            raise StoreError(
                f"store {self.url} has vanished: its folder is gone; "
                "mount the share again, then run the same command to continue",
            )

    @contextmanager
    def _guard(self, key: str, size: int | None = None) -> Iterator[None]:
        try:
            yield
        except GatewayError:
            raise
        except (FileNotFoundError, NotADirectoryError) as error:
            self._require_root()
            raise NotFoundError(f"there is no {key} in the store {self.url}") from error
        except OSError as error:
            raise StoreError(self._explain(error, key, size)) from error

    def _explain(self, error: OSError, key: str, size: int | None) -> str:
        where = f"{key or 'the root'} in the store {self.url}"
        if error.errno in _FULL:
            free = self._free_text()
            need = "" if size is None else f" ({size:,} bytes)"
            return (
                f"no space left to write {where}{need}: {free}; "
                "free some space, then run the same command to continue"
            )
        if error.errno in _REFUSED:
            return (
                f"the system refused access to {where} ({error.strerror}): the store is read-only "
                "or belongs to another user; choose a store that you may write"
            )
        return (
            f"the storage failed at {where}: {error.strerror or error}; check the disk or the "
            "network share, then run the same command to continue"
        )

    def _free_text(self) -> str:
        try:
            stat = os.statvfs(self._root)
        except OSError:
            return "free space unknown"
        return f"{stat.f_bavail * stat.f_frsize:,} bytes are free"


def _ignore_gone(_call: Any, _path: str, error: Any) -> None:
    """Let another process remove the same files."""
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]


def _rename_to_new(staged: Path, final: Path) -> None:
    """Rename, refusing to replace: a file by a hard link (exclusive), a folder by `rename`."""
    if staged.is_dir():
        if final.exists() and not final.is_dir():
            raise FileExistsError(errno.EEXIST, "exists", str(final))
        staged.rename(final)
        return
    try:
        os.link(staged, final)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if final.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(final)) from error
        staged.rename(final)
        return
    staged.unlink()


def _taken(key: str, url: str) -> ExistsError:
    return ExistsError(
        f"{key} already exists in the store {url}: what exists is immutable; choose another name"
    )
