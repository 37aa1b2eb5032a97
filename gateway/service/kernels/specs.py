"""Writes, lists and removes the kernels that Jupyter offers: a small JSON file for each."""

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gateway.errors import CallError, NotFoundError
from gateway.service.gateway import Gateway
from gateway.service.kernels.images import KernelImage
from gateway.service.leases.inventory import take_inventory

_MARK = "gateway"
_FILE = "kernel.json"
_SAFE = re.compile(r"[^a-z0-9.-]+")
ARGV = ("python3", "-m", "ipykernel_launcher", "-f", "{connection_file}")
Provisioner = Literal["gateway-docker", "gateway-slurm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel as Jupyter offers it."""

    name: str
    title: str
    provisioner: Provisioner
    config: dict[str, Any] = field(default_factory=dict)
    """What the provisioner is told."""

    def to_json(self) -> dict[str, Any]:
        """Return the document of `kernel.json`."""
        provisioner = {"provisioner_name": self.provisioner, "config": self.config}
        return {
            "argv": list(ARGV),
            "display_name": self.title,
            "language": "python",
            "metadata": {"debugger": True, "kernel_provisioner": provisioner, _MARK: True},
        }


def image_kernels(gateway: Gateway, images: Sequence[KernelImage]) -> list[Kernel]:
    """Return the kernels of images: one each, and one with a GPU where the gateway lends some."""
    kernels = []
    lends = bool(take_inventory(gateway))
    home = str(gateway.home)
    for image in images:
        config: dict[str, Any] = {"image": image.reference, "home": home}
        name = f"gateway-{_SAFE.sub('-', image.key.lower())}"
        title = f"Brain Gateway: {image.key}"
        kernels.append(Kernel(name=name, title=title, provisioner="gateway-docker", config=config))
        if lends:
            kernels.append(
                Kernel(
                    name=f"{name}-with-gpu",
                    title=f"{title}, with a GPU",
                    provisioner="gateway-docker",
                    config={**config, "gpus": 1},
                )
            )
    return kernels


def slurm_kernel(gateway: Gateway, *, python: str, options: str, gpus: int) -> Kernel:
    """Return a kernel that Slurm starts on a node.

    Args:
        gateway: The gateway.
        python: The interpreter there, which has ipykernel.
        options: More words for `srun`: `--partition=long --mem=16G`.
        gpus: How many GPUs the job asks Slurm for.
    """
    end = "" if not gpus else "-with-gpu"
    title = "Brain Gateway on Slurm" + (f", {gpus} GPU(s)" if gpus else "")
    return Kernel(
        name=f"gateway-slurm{end}",
        title=title,
        provisioner="gateway-slurm",
        config={"python": python, "options": options, "gpus": gpus, "home": str(gateway.home)},
    )


def kernels_folder(prefix: Path | None = None) -> Path:
    """Return where Jupyter looks for kernels: below a prefix, or of this account."""
    if prefix is not None:
        return prefix / "share" / "jupyter" / "kernels"
    data = os.environ.get("JUPYTER_DATA_DIR")
    if data:
        return Path(data) / "kernels"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Jupyter" / "kernels"
    share = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(share) / "jupyter" / "kernels"


def install_kernels(kernels: Sequence[Kernel], folder: Path) -> list[Path]:
    """Write kernels into a folder, over earlier ones of the gateway; returns theirs.

    Raises:
        CallError: A name is taken by a kernel that is none of the gateway's.
    """
    made = []
    for kernel in kernels:
        place = folder / kernel.name
        if place.exists() and kernel.name not in list_kernels(folder):
            raise CallError(
                f"the kernel {kernel.name} in {folder} was not made by the gateway; rename it or "
                "choose another folder with --prefix"
            )
        place.mkdir(parents=True, exist_ok=True)
        part = place / f".{_FILE}.{os.getpid()}"
        part.write_text(json.dumps(kernel.to_json(), indent=2) + "\n", encoding="utf-8")
        part.replace(place / _FILE)
        made.append(place)
    return made


def list_kernels(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the kernels of the gateway in a folder: name to document."""
    found = {}
    for file in sorted(folder.glob(f"*/{_FILE}")):
        try:
            document = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue  # somebody else's, and broken
        if isinstance(document, dict) and document.get("metadata", {}).get(_MARK):
            found[file.parent.name] = document
    return found


def remove_kernels(names: Sequence[str], folder: Path) -> list[str]:
    """Remove kernels of the gateway, all where none is named; returns their names.

    Raises:
        NotFoundError: There is none of that name.
    """
    known = list_kernels(folder)
    for name in names:
        if name not in known:
            there = ", ".join(known) or "none"
            raise NotFoundError(f"no kernel {name!r} of the gateway in {folder}; there is {there}")
    for name in names or known:
        shutil.rmtree(folder / name)
    return list(names or known)
