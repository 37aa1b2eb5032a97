"""What one can do with a gateway, in this process or over HTTP: the same calls."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from gateway.client.job import Job
from gateway.errors import CallError
from gateway.volumes.box import Box, Vector
from gateway.volumes.points import BoxUm
from gateway.volumes.tiles import TileGrid
from gateway.volumes.volume import Volume

Progress = Callable[[dict[str, Any]], None]
"""Told the state of a job whenever it has changed."""


@dataclass(frozen=True, slots=True)
class Lent:
    """Where a browser sees a dataset, without signing in."""

    path: str
    """Below the address of a web service of the gateway: `/s/TOKEN/`."""
    url: str | None
    """Where that is; None for a home, whose web service may not run."""


class Points(Protocol):
    """A table of positions, read by box."""

    @property
    def key(self) -> str:
        """Where it lies in its store."""
        ...

    @property
    def count(self) -> int:
        """Rows."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        ...

    @property
    def bounds_um(self) -> BoxUm | None:
        """The lowest and highest position per axis; None in an empty table."""
        ...

    def read(
        self, box_um: BoxUm | None = None, columns: Sequence[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Read the rows of a half-open box, or all; column name to array."""
        ...


class Looking(ABC):
    """Finding and reading what a gateway holds."""

    @abstractmethod
    def me(self) -> dict[str, Any]:
        """Say who asks: name, groups, administrator."""

    @abstractmethod
    def datasets(self, words: str = "", **facets: str | Sequence[str]) -> list[dict[str, Any]]:
        """Return the datasets in which all words occur; facets as `species="mouse"`."""

    @abstractmethod
    def dataset(self, name: str) -> dict[str, Any]:
        """Return what a dataset holds and what is said of its sample."""

    @abstractmethod
    def show(self, ref: str) -> dict[str, Any]:
        """Return all about one thing: metadata, the run that made it, the runs that used it."""

    @abstractmethod
    def open(self, ref: str) -> Volume | Points:
        """Open a volume as a lazy array, or a table; voxels and rows are read when asked for.

        Raises:
            CallError: The ref names something else.
        """

    @abstractmethod
    def tiles(self, ref: str) -> TileGrid:
        """Open a tile grid, whose tiles stay on the gateway's machine.

        Raises:
            CallError: The ref names something else, or the gateway is not on this machine.
        """

    def volume(self, ref: str) -> Volume:
        """Open a volume.

        Raises:
            CallError: The ref names something else.
        """
        thing = self.open(ref)
        if not isinstance(thing, Volume):
            raise CallError(f"{ref} is a table, not a volume; use session.points(REF)")
        return thing

    def points(self, ref: str) -> Points:
        """Open a table.

        Raises:
            CallError: The ref names something else.
        """
        thing = self.open(ref)
        if isinstance(thing, Volume):
            raise CallError(f"{ref} is a volume, not a table; use session.volume(REF)")
        return thing

    def cutout(
        self, ref: str, box: Box | tuple[Vector, Vector], *, level: int = 0, channel: int = 0
    ) -> NDArray[Any]:
        """Read a box of one channel, zyx.

        Args:
            ref: A volume.
            box: Voxels of the level, or two corners in micrometres.
            level: Resolution level.
            channel: The channel.
        """
        volume = self.volume(ref)
        voxels = box if isinstance(box, Box) else volume.box_um(*box, level)
        return volume.read(voxels, level=level, channel=channel)


class Working(ABC):
    """Running tools."""

    @abstractmethod
    def tools(self) -> list[dict[str, Any]]:
        """Return the tools there are, a summary of each."""

    @abstractmethod
    def tool(self, tool: str) -> dict[str, Any]:
        """Return all about a tool: ports, and settings as JSON Schema."""

    @abstractmethod
    def plan(
        self, tool: str, inputs: Mapping[str, str], outputs: Mapping[str, str], **settings: Any
    ) -> dict[str, Any]:
        """Return what a run would do: blocks, memory, bytes. Nothing is written."""

    @abstractmethod
    def start(
        self, tool: str, inputs: Mapping[str, str], outputs: Mapping[str, str], **settings: Any
    ) -> Job:
        """Start a tool, inputs and outputs as port to ref, and return at once."""

    def run(
        self,
        tool: str,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        *,
        progress: Progress | None = None,
        **settings: Any,
    ) -> Job:
        """Run a tool and wait for its end, telling `progress`; Ctrl-C stops the job.

        Raises:
            RunError: It failed; says why.
        """
        return self.start(tool, inputs, outputs, **settings).wait(progress)

    @abstractmethod
    def jobs(self) -> list[Job]:
        """Return one's jobs, the latest first."""

    @abstractmethod
    def job(self, job: str) -> Job:
        """Return one job."""


class Session(Looking, Working):
    """A gateway and somebody who works with it.

    Every method raises the errors of `gateway.errors`: `SignInError`, `ForbiddenError` and
    `NotFoundError` wherever rights and names are concerned, `StoreError` where the gateway
    cannot be reached.
    """

    home: Path | None = None
    """The home, where the gateway is one of this machine; None for one over HTTP."""

    @abstractmethod
    def links(self, dataset: str) -> list[dict[str, Any]]:
        """Return the share links of a dataset, also those that ended."""

    @abstractmethod
    def share(self, dataset: str, entry: str | None = None, **wanted: Any) -> dict[str, Any]:
        """Make a share link of a dataset or one thing of it: `role`, `days`, `note`."""

    @abstractmethod
    def revoke(self, dataset: str, link: str) -> None:
        """End a share link, by its id."""

    @abstractmethod
    def lend(self, dataset: str) -> "Lent":
        """Lend a browser what one may see of a dataset, for some hours.

        Raises:
            ForbiddenError: One may not see it.
        """

    @abstractmethod
    def layers(self, dataset: str) -> list[dict[str, Any]]:
        """Return the annotation layers of a dataset: volume, classes, version, counts."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections and files."""

    def __enter__(self) -> Self:
        """Use the session in a `with` block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the session."""
        self.close()
