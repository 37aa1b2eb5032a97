"""Starts a notebook server as a process of this machine, in a folder of its person's own."""

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from jupyterhub.spawner import SimpleLocalProcessSpawner
from traitlets import List, Unicode

_KEPT = ("PATH", "VIRTUAL_ENV", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")
_SAME_START_S = 1.0


class GatewayLocalSpawner(SimpleLocalProcessSpawner):  # type: ignore[misc]  # publishes no types
    """A process under the account of the gateway."""

    env_keep = List(
        Unicode(),
        list(_KEPT),
        help="What a server gets of the hub's own environment: no setting, and so no secret.",
    ).tag(config=True)

    pid: int
    popen_kwargs: dict[str, Any]

    def make_preexec_fn(self, name: str) -> None:
        """Return nothing to do before the program starts: its folder is made and given by name."""
        del name

    async def start(self) -> Any:
        """Start the server in the folder of its person."""
        # a name may hold what a path must not, and no name is `..`
        name = quote(self.user.name, safe="@+").replace(".", "%2E")
        folder = self.home_dir_template.format(username=name)
        await asyncio.to_thread(_make_folder, Path(folder))
        self.home_dir = self.notebook_dir = folder
        self.popen_kwargs = {**self.popen_kwargs, "cwd": folder}
        return await super().start()

    def get_state(self) -> dict[str, Any]:
        """Return what finds the process again, also when the hub was started anew."""
        state: dict[str, Any] = super().get_state()
        if self.pid and psutil.pid_exists(self.pid):
            state["started"] = psutil.Process(self.pid).create_time()
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Find the process again, unless its number now belongs to another one."""
        super().load_state(state)
        if self.pid and not _is_same(self.pid, state.get("started")):
            self.pid = 0


def _make_folder(folder: Path) -> None:
    for path in (folder.parent, folder):  # `parents=True` would leave the upper one open
        path.mkdir(mode=0o700, exist_ok=True)


def _is_same(pid: int, started: float | None) -> bool:
    try:
        return started is not None and (
            abs(psutil.Process(pid).create_time() - started) < _SAME_START_S
        )
    except psutil.Error:
        return False
