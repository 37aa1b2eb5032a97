"""`gateway kernels`: the images of tools as kernels of Jupyter."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from gateway.cli.answer import answer, columns
from gateway.cli.opening import opened
from gateway.cli.shared import Shared, pass_shared, shared_options
from gateway.service.kernels.images import choose_images
from gateway.service.kernels.specs import (
    image_kernels,
    install_kernels,
    kernels_folder,
    list_kernels,
    remove_kernels,
    slurm_kernel,
)

_PREFIX = click.option(
    "--prefix",
    type=click.Path(path_type=Path, file_okay=False),
    help="Below which share/jupyter/kernels lies; without it, this account's own.",
)


@click.group("kernels")
@shared_options
def command() -> None:
    """Offer the images of tools, or a cluster, as kernels in Jupyter."""


@command.command("install")
@click.option("--image", "images", multiple=True, help="An image with a kernel. Repeat for more.")
@click.option("--slurm", is_flag=True, help="A kernel that Slurm starts on a node instead.")
@click.option("--python", default="python3", help="With --slurm: the interpreter on the nodes.")
@click.option("--options", default="", help="With --slurm: more words for srun.")
@click.option("--gpus", type=click.IntRange(0), default=0, help="With --slurm: GPUs of the job.")
@_PREFIX
@shared_options
@pass_shared
def install(
    shared: Shared,
    *,
    images: tuple[str, ...],
    slurm: bool,
    python: str,
    options: str,
    gpus: int,
    prefix: Path | None,
) -> None:
    """Write a kernel for each image, and one with a GPU where the gateway lends some."""
    folder = kernels_folder(prefix)
    with opened(shared) as gateway:
        if slurm:
            kernels = [slurm_kernel(gateway, python=python, options=options, gpus=gpus)]
        else:
            kernels = image_kernels(gateway, choose_images(images, gateway.settings.docker_host))
        install_kernels(kernels, folder)
    data = {"folder": str(folder), "kernels": {one.name: one.to_json() for one in kernels}}
    answer(data, columns([(one.name, one.title) for one in kernels]), as_json=shared.json)


@command.command("list")
@_PREFIX
@shared_options
@pass_shared
def show(shared: Shared, prefix: Path | None) -> None:
    """List the kernels of the gateway."""
    folder = kernels_folder(prefix)
    found = list_kernels(folder)
    data = {"folder": str(folder), "kernels": found}
    rows = [(name, str(one["display_name"]), _where(one)) for name, one in found.items()]
    answer(data, columns(rows) or [f"no kernel of the gateway in {folder}"], as_json=shared.json)


@command.command("remove")
@click.argument("names", nargs=-1)
@_PREFIX
@shared_options
@pass_shared
def remove(shared: Shared, names: tuple[str, ...], prefix: Path | None) -> None:
    """Remove the kernels NAMES, or all of the gateway."""
    gone = remove_kernels(names, kernels_folder(prefix))
    answer({"removed": gone}, [f"removed {name}" for name in gone], as_json=shared.json)


def _where(document: Mapping[str, Any]) -> str:
    config = document["metadata"]["kernel_provisioner"]["config"]
    return str(config.get("image") or f"srun {config.get('options', '')}".strip())
