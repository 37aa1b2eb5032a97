"""One HTML file that tells what a chain of runs made: pictures, figures, graph, digests.

Everything is inside the file: it can be mailed, opened on a phone and read without a network.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture with what it shows."""

    title: str
    caption: str
    png: bytes

    @property
    def source(self) -> str:
        """The picture as a `data:` address."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode("ascii")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """An SVG chart with its title."""

    title: str
    svg: str

    @property
    def markup(self) -> Markup:
        """The SVG, which this package drew and escaped itself."""
        return Markup(self.svg)  # noqa: S704 - drawn by gateway.service.charts, which escapes


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One figure that is read first."""

    value: str
    label: str
    good: bool | None = None
    """Whether it meets its bar; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step and what it cost."""

    name: str
    what: str
    wall_s: float
    earlier: bool = False
    """Whether the result of an earlier run was taken, and these are its seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """One thing in the store and the digest of its content."""

    ref: str
    kind: str
    what: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the page shows, from top to bottom."""

    title: str
    lead: str
    licence: str
    facts: Sequence[Fact]
    seams: Sequence[Picture] = ()
    pictures: Sequence[Picture] = ()
    charts: Sequence[Chart] = ()
    graph: Chart | None = None
    steps: Sequence[Step] = ()
    digests: Sequence[Digest] = ()
    notes: Sequence[str] = ()
    commands: Sequence[str] = ()
    made: str = ""
    """When and on what machine."""
    version: str = field(default=gateway.__version__)

    @property
    def total_s(self) -> float:
        """Seconds of all steps."""
        return sum(step.wall_s for step in self.steps)


def render_report(report: Report) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader("gateway.service", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(report=report)


def write_report(report: Report, file: Path) -> None:
    """Write the page; it appears whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(render_report(report), encoding="utf-8")
    part.replace(file)
