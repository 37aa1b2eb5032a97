"""What a person may choose for a notebook server: image, size, GPU. Pure functions of the facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway import __version__
from gateway.errors import CallError
from gateway.hub.facts import Facts
from gateway.hub.spawners import SpawnerKind

Gpu = Literal["none", "share", "whole"]
LAB_IMAGE = f"brain-gateway/lab:{__version__}"
"""What `make images` calls the image of notebook servers."""
_GB = 1_000_000_000
_LEAST_MEMORY = _GB
_CORES_ELSEWHERE, _MEMORY_ELSEWHERE = 4.0, 16 * _GB
_GPUS: Mapping[str, str] = {"none": "no GPU", "share": "a share of a GPU", "whole": "a whole GPU"}
_FRACTIONS = (("small", 8), ("medium", 3), ("large", 1))
"""Of the largest server."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of the machine a server gets."""

    key: str
    cores: float
    memory: int

    @property
    def title(self) -> str:
        """What the form says."""
        cores = f"{self.cores:g} core" + ("" if self.cores == 1 else "s")
        return f"{self.key}: {cores}, {self.memory / _GB:.3g} GB"


@dataclass(frozen=True, slots=True)
class Image:
    """A container image that people may choose."""

    key: str
    reference: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One choice of each."""

    image: Image | None
    size: Size | None
    gpu: Gpu


@dataclass(frozen=True, slots=True)
class Offer:
    """All that may be chosen; what is empty cannot be."""

    images: tuple[Image, ...]
    sizes: tuple[Size, ...]
    gpus: tuple[Gpu, ...]

    def profiles(self) -> list[Profile]:
        """Return every combination."""
        images: Sequence[Image | None] = self.images or (None,)
        sizes: Sequence[Size | None] = self.sizes or (None,)
        return [Profile(i, s, g) for i in images for s in sizes for g in self.gpus]


def offer(facts: Facts, kind: SpawnerKind) -> Offer:
    """Return what people may choose of a gateway.

    Sizes are those below the largest that are worth a difference; GPUs are offered where the ledger
    has some.
    """
    settings = facts.settings
    if not kind.sized:
        return Offer((), (), _gpus(facts, kind))
    cores, memory = _largest(facts, kind)
    sizes: dict[tuple[float, int], Size] = {}
    for key, part in _FRACTIONS:
        size = Size(
            key, max(round(cores / part, 1), min(cores, 1.0)), max(memory // part, _least(memory))
        )
        sizes[size.cores, size.memory] = size
    images = tuple(_image(text) for text in settings.hub_images) if kind.images else ()
    if kind.images and not images:
        images = (Image("lab", LAB_IMAGE),)
    return Offer(images, tuple(sizes.values()), _gpus(facts, kind))


def choose(offered: Offer, options: Mapping[str, Any]) -> Profile:
    """Return the profile of what was chosen; what was left open is the first that is offered.

    Raises:
        CallError: Something is not offered.
    """
    image = _pick("image", {i.key: i for i in offered.images}, options)
    size = _pick("size", {s.key: s for s in offered.sizes}, options)
    gpu: Gpu = _pick("gpu", {g: g for g in offered.gpus}, options) or "none"
    return Profile(image, size, gpu)


def options_from_form(form: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the options of a form as the hub hands it over."""
    return {name: form[name][0] for name in ("image", "size", "gpu") if form.get(name)}


def gpu_title(gpu: Gpu) -> str:
    """Return what the form says of a choice of GPU."""
    return _GPUS[gpu]


def _pick(what: str, there: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    wanted = options.get(what)
    if wanted is None or (not there and wanted in ("", "none")):
        return next(iter(there.values()), None)
    if wanted not in there:
        known = ", ".join(there) or "no choice here"
        raise CallError(f"there is no {what} {str(wanted)[:60]!r} for notebook servers: {known}")
    return there[wanted]


def _largest(facts: Facts, kind: SpawnerKind) -> tuple[float, int]:
    settings, resources = facts.settings, facts.resources
    if kind.elsewhere:
        return settings.hub_cores or _CORES_ELSEWHERE, int(settings.hub_memory or _MEMORY_ELSEWHERE)
    cores = min(settings.hub_cores or resources.cores, resources.cores)
    return cores, min(int(settings.hub_memory or resources.memory // 2), resources.memory)


def _gpus(facts: Facts, kind: SpawnerKind) -> tuple[Gpu, ...]:
    if kind.elsewhere:
        return ("none", "whole") if facts.settings.hub_cluster_gpu else ("none",)
    if not facts.resources.devices:
        return ("none",)
    return ("none", "share", "whole") if facts.settings.device_shares > 1 else ("none", "whole")


def _image(text: str) -> Image:
    key, separator, reference = text.partition("=")
    return Image(key, reference) if separator else Image(text.rpartition("/")[2], text)


def _least(memory: int) -> int:
    return min(_LEAST_MEMORY, memory)
