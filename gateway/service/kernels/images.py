"""Which images hold tools and a Jupyter kernel: those of the settings, else those of the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import SettingsError
from gateway.service.container_engine import ask_engine

NAME_LABEL = "org.brain-gateway.image"
"""Label of an image of the gateway: which one it is."""
_WITHOUT_KERNEL = frozenset({"base", "web", "hub"})


@dataclass(frozen=True, slots=True, order=True)
class KernelImage:
    """An image that a kernel can run in."""

    key: str
    """Short name: `tools`."""
    reference: str
    """What the engine calls it: `brain-gateway/tools:0.1.0`."""


def choose_images(named: tuple[str, ...], engine: str | None) -> list[KernelImage]:
    """Return the images that are named, or all that the engine knows to be of the gateway.

    Args:
        named: What the engine calls them.
        engine: Where it is, as the setting `docker_host` names it.

    Raises:
        SettingsError: None is named, and no engine answers or it has none.
    """
    if named:
        return [KernelImage(_key(reference), reference) for reference in named]
    labelled = {"label": [NAME_LABEL]}
    found = ask_engine(engine, lambda client: client.api.images(filters=labelled))
    if found is None:
        raise SettingsError(
            "no container engine answers, so no image with tools is known; start it, or name "
            "images with --image IMAGE"
        )
    images = from_engine(found)
    if not images:
        raise SettingsError(
            f"the container engine has no image labelled {NAME_LABEL} that holds a kernel; build "
            "or pull one, or name images with --image IMAGE"
        )
    return images


def from_engine(found: list[Mapping[str, Any]]) -> list[KernelImage]:
    """Return the images with a kernel of what an engine lists, one for each name, the newest."""
    newest: dict[str, KernelImage] = {}
    for one in sorted(found, key=lambda image: int(image["Created"])):
        key = str(one["Labels"][NAME_LABEL])
        references = one.get("RepoTags") or ()
        if references and key not in _WITHOUT_KERNEL:
            newest[key] = KernelImage(key, references[0])
    return sorted(newest.values())


def _key(reference: str) -> str:
    """Return the last word of an image's name, without its tag."""
    return reference.rpartition("/")[2].partition("@")[0].partition(":")[0]
