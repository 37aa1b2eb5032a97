"""What is known of one run: the record that catalogue and crate keep. Data only, no I/O."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, Self

RunStatus = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRecord:
    """What a run took or gave at one port."""

    port: str
    ref: str
    """`dataset/name`."""
    kind: str
    digest: str | None = None
    """None where the content has no digest: a linked volume, or an output never finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file from outside the store that a run read."""

    path: str
    size: int
    checksum: str
    """`sha256:…` or `blake3:…` over its bytes."""

    def __post_init__(self) -> None:
        """Make a name that is no valid Unicode storable, its odd bytes shown escaped."""
        path = self.path.encode("utf-8", "backslashreplace").decode()
        object.__setattr__(self, "path", path)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """One execution of a call: what, to what, by whom, where, when, and how it ended."""

    id: str
    tool: str
    version: str
    image: str
    """Container image with tag or digest, as the tool declares it."""
    call: Mapping[str, Any]
    """The call as JSON: tool, version, inputs, outputs, params."""
    call_digest: str
    status: RunStatus
    started: datetime
    """With time zone, as are all times here."""
    ended: datetime | None = None
    wall_s: float | None = None
    person: str | None = None
    orcid: str | None = None
    host: str = ""
    engine: str = "local"
    workers: int = 1
    error: str | None = None
    """First line of what went wrong."""
    gateway: str = ""
    """Version of this software."""
    inputs: tuple[PortRecord, ...] = ()
    outputs: tuple[PortRecord, ...] = ()
    sources: tuple[SourceFile, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON values; times as ISO 8601 in UTC."""
        values = asdict(self)
        values["started"] = self.started.isoformat()
        values["ended"] = self.ended.isoformat() if self.ended else None
        values["call"] = dict(self.call)
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Return the record that `to_json` wrote.

        Raises:
            TypeError: A field is missing or unknown.
            ValueError: A time is not ISO 8601.
        """
        fields = dict(values)
        for name in ("started", "ended"):
            if fields.get(name):
                fields[name] = datetime.fromisoformat(fields[name])
        for name, kind in (
            ("inputs", PortRecord),
            ("outputs", PortRecord),
            ("sources", SourceFile),
        ):
            fields[name] = tuple(kind(**item) for item in fields.get(name, ()))
        return cls(**fields)
