"""Starts a Jupyter kernel through `srun` on a node of a Slurm cluster.

The kernel chooses its ports on the node and writes them, with its key, into a file of the shared
file system that only its person may read. Slurm itself lends GPUs there, and ends what it lent
them to: the ledger of the gateway has no part in it.
"""

import asyncio
import json
import os
import shlex
import shutil
import signal
import time
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import Float, Int, Unicode

from gateway.errors import SettingsError

_LOOK_S = 0.1
_BOOT = """\
import os, re, runpy, socket, subprocess, sys
os.umask(0o077)
name = os.environ["SLURMD_NODENAME"]
said = subprocess.run(["scontrol", "show", "node", name, "-o"], capture_output=True, text=True)
found = re.search(r"NodeAddr=(\\S+)", said.stdout)
address = socket.gethostbyname(found[1] if found else name)
sys.argv = ["ipykernel_launcher", "-f", sys.argv[1], "--ip=" + address]
runpy.run_module("ipykernel_launcher", run_name="__main__", alter_sys=True)
"""
"""Listens where Slurm says that the node is."""


class SlurmProvisioner(LocalProvisioner):  # type: ignore[misc]  # not installed everywhere
    """A kernel in a job of Slurm."""

    python = Unicode("python3", help="The interpreter on the nodes; it has ipykernel.").tag(
        config=True
    )
    options = Unicode("", help="More words for srun: `--partition=long --mem=16G`.").tag(
        config=True
    )
    gpus = Int(0, help="How many GPUs the job asks Slurm for.").tag(config=True)
    home = Unicode("", help="Gateway home that the kernel works with.").tag(config=True)
    start_s = Float(120.0, help="How long a start may take, waiting in Slurm's queue.").tag(
        config=True
    )

    _file: Path | None = None

    @property
    def job_name(self) -> str:
        """Name of the job, by which it is found again."""
        return f"gateway-kernel-{self.kernel_id}"

    def command(self, file: Path) -> list[str]:
        """Return the words that start the kernel."""
        gpus = [f"--gres=gpu:{self.gpus}"] if self.gpus else []
        slurm = ["srun", "--ntasks=1", f"--job-name={self.job_name}", "--kill-on-bad-exit=1"]
        more = shlex.split(self.options)
        return [*slurm, *gpus, *more, self.python, "-c", _BOOT, str(file)]

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """Name the file in which the kernel says where it listens.

        Raises:
            SettingsError: Slurm is not installed here.
        """
        if shutil.which("srun") is None:
            raise SettingsError(
                "there is no srun on this machine; start Jupyter on a login node of the cluster, "
                "or take a kernel that needs no Slurm"
            )
        folder = Path(jupyter_runtime_dir())  # in the person's home, which nodes share
        await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
        self._file = folder / f"{self.job_name}-{time.time_ns()}.json"
        env = dict(kwargs.pop("env", os.environ))
        if self.home:
            env.setdefault("GATEWAY_HOME", self.home)
        kwargs.pop("extra_arguments", None)
        kwargs.pop("transport_encryption", None)
        kwargs |= {"cmd": self.command(self._file), "env": env}
        return dict(kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Submit the job and wait until the kernel says where it listens.

        Raises:
            SettingsError: Slurm refused, or the job did not start in time.
        """
        file = self._file or Path()
        await super().launch_kernel(cmd, **kwargs)
        until = time.monotonic() + self.start_s
        info = _read(file)
        while info is None:
            code = await self.poll()
            if code is not None:
                raise SettingsError(
                    f"srun ended with {code} before the kernel had started; its words are in "
                    f"Jupyter's log; the command was: {shlex.join(cmd[:-2])}"
                )
            if time.monotonic() > until:
                await self.kill()
                raise SettingsError(
                    f"Slurm did not start the kernel in {self.start_s:.0f} s; see `squeue`, ask "
                    "for less, or set start_s higher in its kernel.json"
                )
            await asyncio.sleep(_LOOK_S)
            info = _read(file)
        file.unlink(missing_ok=True)
        self.connection_info = info
        return info

    async def send_signal(self, signum: int) -> None:
        """Send a signal to the kernel on its node; srun itself would take two for an end."""
        if signum == 0:
            return
        await self._cancel(f"--signal={signal.Signals(signum).name.removeprefix('SIG')}")
        if signum in (signal.SIGKILL, signal.SIGTERM):
            await self._cancel()

    async def kill(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - Jupyter's interface
        """End the job."""
        del restart
        await self._cancel()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    async def terminate(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - likewise
        """End the job."""
        await self.kill(restart=restart)

    async def cleanup(self, restart: bool = False) -> None:  # noqa: FBT001, FBT002 - likewise
        """Leave no file behind."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
        await super().cleanup(restart=restart)

    async def _cancel(self, *more: str) -> None:
        process = await asyncio.create_subprocess_exec(
            "scancel",
            f"--name={self.job_name}",
            *more,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await process.wait()


def _read(file: Path) -> KernelConnectionInfo | None:
    """Return what the kernel has written; None while it is not there, or not whole."""
    try:
        info: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    info["key"] = str(info["key"]).encode()
    return info
