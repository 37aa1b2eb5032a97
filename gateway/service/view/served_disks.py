"""Which file systems may keep a reader waiting: those that lie behind a network."""

import os
from functools import lru_cache
from pathlib import Path

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "beegfs", "ceph", "gpfs", "lustre"}
)
_MOUNTS = Path("/proc/self/mountinfo")


@lru_cache(maxsize=256)
def is_slow_disk(device: int) -> bool:
    """Tell whether a device, as `os.stat` numbers it, is a network or user-space file system."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # no Linux: reads go the safe way, through threads
        return True
    for line in lines:
        left, _, right = line.partition(" - ")
        if left.split()[2] == wanted:
            kind = right.split()[0]
            return kind in _NETWORK or kind.startswith("fuse")
    return False
