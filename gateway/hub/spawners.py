"""The kinds of spawners: where notebook servers can start, found by name.

To plug one in, write a module with a `SpawnerKind` and name it in `KINDS`; it is imported only when
it is asked for, so its library need not be installed elsewhere. `gateway.hub.local` is an example.
"""

import importlib
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import SettingsError
from gateway.hub.facts import Facts
from gateway.service.settings import Settings

KINDS: Mapping[str, str] = {
    "docker": "gateway.hub.docker",
    "local": "gateway.hub.local",
    "kube": "gateway.hub.kubernetes",
    "slurm": "gateway.hub.slurm",
}
"""Name to the module whose `KIND` it is."""
_AUTOMATIC = ("docker", "local")
Config = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """Where the notebook servers of a kind meet the hub and the gateway."""

    address: str
    """Of this machine, as its servers see it."""
    close: Callable[[Sequence[int]], str | None] = lambda _: None
    """Closes this machine to them but for some ports; returns what an administrator should know of
    that."""


def meet_cluster(settings: Settings) -> Meeting:
    """Return where servers of a cluster reach this machine."""
    return Meeting(address=settings.hub_inner_host or socket.gethostname())


def give_limits(spawner: Any, profile: Any) -> None:
    """Give a spawner memory, processors and image of a profile."""
    if profile.size is not None:
        spawner.mem_limit, spawner.cpu_limit = profile.size.memory, profile.size.cores
    if profile.image is not None:
        spawner.image = profile.image.reference


@dataclass(frozen=True, slots=True, kw_only=True)
class SpawnerKind:
    """A place where notebook servers start."""

    name: str
    spawner: str
    """Import path of the class: `gateway.hub.docker_spawner.GatewayDockerSpawner`."""
    title: str
    """What is said of it: `local processes of this machine`."""
    isolates: bool
    """Whether people's servers are kept apart from one another."""
    outlive: bool
    """Whether servers go on when the hub stops, and are found when it starts."""
    sized: bool
    """Whether memory and processors are limited."""
    lack: Callable[[Settings], str | None]
    """Says why it cannot start anything here; None where it can."""
    meet: Callable[[Settings], Meeting]
    """Returns where its servers reach the hub and the gateway; readied where that is needed."""
    configure: Callable[[Facts], Config]
    """Returns class name to trait to value, beside what all spawners have."""
    give: Callable[[Any, Any], None] = give_limits
    """Gives a spawner what the profile says that its person chose."""
    elsewhere: bool = False
    """Whether servers run on other machines, whose scheduler shares out processors and GPUs: then
    this machine's size does not matter, and hub and web service listen on all addresses."""
    images: bool = False
    """Whether people choose among container images."""


def find_kind(name: str) -> SpawnerKind:
    """Return a kind of spawners.

    Raises:
        SettingsError: There is none of that name, or its library is not installed.
    """
    if name not in KINDS:
        raise SettingsError(
            f"there is no spawner {name!r}; set hub_spawner to auto, {', '.join(KINDS)}"
        )
    try:
        kind = importlib.import_module(KINDS[name]).KIND
    except ImportError as error:
        raise SettingsError(
            f"the spawner {name!r} needs a library that is not here ({error}); "
            f"install it with `pip install 'brain-gateway[{_EXTRAS.get(name, 'hub')}]'`"
        ) from error
    if not isinstance(kind, SpawnerKind):
        raise TypeError(f"{KINDS[name]}.KIND is no SpawnerKind")
    return kind


_EXTRAS: Mapping[str, str] = {"kube": "kubernetes", "slurm": "slurm"}


def choose_kind(settings: Settings, *, say: Callable[[str], None]) -> SpawnerKind:
    """Return the kind that the settings name, or the best that works here.

    Args:
        settings: The settings; `auto` tries containers, then local processes.
        say: Told why one that is better was passed over.

    Raises:
        SettingsError: The one that is named does not work here.
    """
    named = settings.hub_spawner
    automatic = [name for name in _AUTOMATIC if name in KINDS]
    for name in automatic if named == "auto" else (named,):
        reason: str | None
        try:
            kind = find_kind(name)
            reason = kind.lack(settings)
        except SettingsError as error:
            if named != "auto":
                raise
            reason = str(error)
        else:
            if reason is None:
                return kind
        if named != "auto":
            raise SettingsError(f"notebook servers cannot start as hub_spawner {name!r}: {reason}")
        say(f"no {name} containers: {reason}")
    raise SettingsError("no spawner works here; set hub_spawner to one of " + ", ".join(KINDS))
