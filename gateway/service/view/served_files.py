"""Files on this machine's disks, open and ready: a bounded set that notices a replaced file."""

import errno
import os
import stat
import threading
from collections import OrderedDict
from email.utils import formatdate
from functools import lru_cache

from gateway.errors import NotFoundError, StoreError
from gateway.service.view.served_disks import is_slow_disk

_LIMIT = 256
"""Files held open per process: descriptors are few (1,024 by default on Linux)."""

_NAMES_NOTHING = (errno.ELOOP, errno.ENAMETOOLONG)
_SPOT = 2**17
"""Linux reads ahead about this much at once, so what lies between two probes is there as well."""
_ONE = bytearray(1)
"""Where probes of the page cache put the byte nobody looks at."""

Identity = tuple[int, int, int, int]


class OpenFile:
    """A file held open, which is closed when the last who uses it lets go."""

    __slots__ = ("descriptor", "etag", "identity", "modified", "size", "slow")

    def __init__(self, descriptor: int, found: os.stat_result) -> None:
        """Take over a descriptor."""
        self.descriptor = descriptor
        self.identity = _identity(found)
        self.size = found.st_size
        self.etag = f'"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"'.encode()
        self.modified = _http_date(int(found.st_mtime))
        self.slow = is_slow_disk(found.st_dev)

    def fileno(self) -> int:
        """Return the descriptor, for servers that send files by themselves."""
        return self.descriptor

    def read(self, start: int, count: int) -> bytes:
        """Read from the file; may wait for the disk.

        Raises:
            StoreError: The storage failed, or the file became shorter.
        """
        parts = []
        while count > 0:
            try:
                part = os.pread(self.descriptor, count, start)
            except OSError as error:
                raise StoreError(
                    f"the storage failed while a file was read: {error.strerror}; "
                    "check the disk or the network share, then try again"
                ) from error
            if not part:
                raise StoreError("a file became shorter while it was read; ask for it again")
            parts.append(part)
            start, count = start + len(part), count - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def at_hand(self, start: int, count: int) -> bool:
        """Tell whether a read would not wait: its pages are in memory, as far as probes tell."""
        if self.slow:
            return False
        try:
            for place in range(start, start + count - 1, _SPOT):
                os.preadv(self.descriptor, (_ONE,), place, os.RWF_NOWAIT)
            os.preadv(self.descriptor, (_ONE,), start + count - 1, os.RWF_NOWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system of this machine that cannot tell, such as tmpfs
        return True

    def __del__(self) -> None:
        """Close it."""
        os.close(self.descriptor)


class Files:
    """The files that were read last, found by folder and key."""

    def __init__(self, limit: int = _LIMIT) -> None:
        """Hold at most `limit` files open."""
        self._limit = limit
        self._open: OrderedDict[str, OpenFile] = OrderedDict()
        self._lock = threading.Lock()

    def open(self, root: str, key: str) -> OpenFile:
        """Return the file of a key below a folder.

        Args:
            root: The folder, without symbolic links in its path.
            key: A checked key, as `parse_key` gives it.

        Raises:
            NotFoundError: There is no such file, or a symbolic link leads to one outside.
            StoreError: The storage failed.
        """
        path = f"{root}/{key}"
        held = self._open.get(path)
        try:
            # pathlib takes longer than the system call: this is the hot path of every chunk
            if held is not None and held.identity == _identity(os.stat(path)):  # noqa: PTH116
                return held
            fresh = _open_below(root, path)
        except (FileNotFoundError, NotADirectoryError) as error:
            self._drop(path)
            raise NotFoundError(f"there is no {key}") from error
        except OSError as error:
            if error.errno in _NAMES_NOTHING:
                raise NotFoundError(f"there is no {key}") from error
            raise StoreError(
                f"{key} cannot be read: {error.strerror}; check the disk or the network share, "
                "and that the account of the gateway may read it"
            ) from error
        self._hold(path, fresh)
        return fresh

    def __len__(self) -> int:
        """Count the files held open."""
        return len(self._open)

    def _hold(self, path: str, file: OpenFile) -> None:
        with self._lock:
            self._open[path] = file
            self._open.move_to_end(path)
            while len(self._open) > self._limit:
                self._open.popitem(last=False)

    def _drop(self, path: str) -> None:
        with self._lock:
            self._open.pop(path, None)


def _identity(found: os.stat_result) -> Identity:
    return (found.st_ino, found.st_mtime_ns, found.st_size, found.st_dev)


def _open_below(root: str, path: str) -> OpenFile:
    """Open a file and look where it really lies: no link can be changed in between."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe must not keep us waiting
    descriptor = os.open(path, flags)
    try:
        found = os.fstat(descriptor)
        inside = _place(descriptor, path).startswith(f"{root.rstrip('/')}/")
    except OSError:
        os.close(descriptor)
        raise
    if not inside or not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise FileNotFoundError(path)
    return OpenFile(descriptor, found)


def _place(descriptor: int, path: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - as above
    except OSError:  # no Linux
        return os.path.realpath(path)


@lru_cache(maxsize=1024)
def _http_date(seconds: int) -> bytes:
    return formatdate(seconds, usegmt=True).encode()
