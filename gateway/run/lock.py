"""One run of a call at a time: a lock with a heartbeat in the staging folder."""

import json
import os
import secrets
import socket
import threading
import time
from types import TracebackType
from typing import Any, Self

import psutil

from gateway.errors import ExistsError, GatewayError, NotFoundError, RunError
from gateway.run.staging import Staging

HEARTBEAT_S = 5.0
STALE_S = 60.0
"""A lock that was silent for so long is taken over."""
_SETTLE_S = 0.05
_FILE = "lock.json"


class RunLock:
    """Held while a run executes; `with RunLock(staging): ...`.

    The lock saves work, not data: two runs of one call write the same bytes.
    """

    def __init__(self, staging: Staging) -> None:
        """Make the lock of one staging folder, not yet held."""
        self._store = staging.store
        self._key = staging.key(_FILE)
        self._token = secrets.token_hex(8)
        self._stop = threading.Event()
        name = _thread_name(self._token)
        self._thread = threading.Thread(target=self._beat, name=name, daemon=True)
        self.lost = threading.Event()
        """Set when another run took the lock over."""

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            RunError: Somebody else runs the same call; says where.
        """
        self._thread.start()
        try:
            self._take()
        except BaseException:
            self._stop.set()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the lock; a store that is gone cannot keep us."""
        self._stop.set()
        self._thread.join()
        try:
            if self._read().get("token") == self._token:
                self._store.delete(self._key)
        except GatewayError:
            return

    def _take(self) -> None:
        self._refuse_if_held()
        stale = bool(self._read())
        if stale:
            self._store.delete(self._key)
        mine = f"{self._key}.{self._token}"
        self._write(mine)
        try:
            self._store.publish(mine, self._key)
        except ExistsError:
            self._store.delete(mine)
            self._refuse_if_held()
            raise
        if stale:
            # Two may have found the same stale lock: the one that wrote last keeps it.
            time.sleep(_SETTLE_S)
            self._refuse_if_held()

    def _refuse_if_held(self) -> None:
        holder = self._read()
        if not holder or holder.get("token") == self._token or _is_stale(holder):
            return
        raise RunError(
            f"the same call is being run by process {holder.get('pid')} on "
            f"{holder.get('host')}; wait for it, or stop it and run the command again "
            f"(lock: {self._key} in {self._store.url})"
        )

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self._store.get(self._key))
        except (NotFoundError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    def _write(self, key: str) -> None:
        document = {
            "token": self._token,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": psutil.Process().create_time(),
            "at": time.time(),
        }
        self._store.put(key, json.dumps(document).encode())

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            try:
                if self._read().get("token") != self._token:
                    self.lost.set()
                    return
                self._write(self._key)
            except GatewayError:
                continue  # the store is away; the run itself meets that and says so


def live_holder(staging: Staging) -> str:
    """Say who executes the run of a staging folder now; empty where nobody does.

    Raises:
        StoreError: The storage failed.
    """
    try:
        holder = json.loads(staging.store.get(staging.key(_FILE)))
    except (NotFoundError, ValueError):
        return ""
    if not isinstance(holder, dict) or _is_stale(holder):
        return ""
    return f"process {holder.get('pid')} on {holder.get('host')}"


def _is_stale(holder: dict[str, Any]) -> bool:
    if time.time() - float(holder.get("at", 0)) > STALE_S:
        return True
    if holder.get("host") != socket.gethostname():
        return False
    if holder.get("pid") == os.getpid():
        # An earlier run of this process could not release it: the store was away.
        name = _thread_name(str(holder.get("token")))
        return all(thread.name != name for thread in threading.enumerate())
    try:
        process = psutil.Process(int(holder["pid"]))
        other = abs(process.create_time() - float(holder["started"])) > 1
        # one that was killed stays listed until its parent takes note
        return other or process.status() == psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, KeyError, ValueError, TypeError):
        return True


def _thread_name(token: str) -> str:
    return f"run-lock-{token}"
