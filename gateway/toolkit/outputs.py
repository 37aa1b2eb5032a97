"""Where a volume tool, which runs as one task, puts what it makes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from gateway.errors import CallError
from gateway.toolkit.passes import Arrays

OutputsT = TypeVar("OutputsT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs(Generic[OutputsT]):
    """The wanted outputs of one call: files by path, tables by their columns."""

    files: Mapping[str, Path]
    """Output port of kind file to the path to write; it takes its final name when the run ends."""
    wanted: frozenset[str]
    """Every output port the caller named."""
    tables: dict[str, Arrays] = field(default_factory=dict)
    """Filled by `put_points`."""

    def file(self, port: str) -> Path:
        """Return the path to write for a port of kind file.

        Raises:
            CallError: The caller did not name that port.
        """
        if port not in self.files:
            raise CallError(f"output {port!r} is no wanted file; there is {sorted(self.files)}")
        return self.files[port]

    def put_points(self, port: str, columns: Arrays) -> None:
        """Give the columns of a port of kind points, `z_um,y_um,x_um` first."""
        if port in self.wanted:
            self.tables[port] = columns
