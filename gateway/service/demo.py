"""The whole way on one sample: tiles, stitched brain, nuclei, measurements, report."""

import platform
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.errors import GatewayError, StoreError
from gateway.run.events import Listener
from gateway.run.result import RunResult
from gateway.service.calls import call_from_words
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.ingest import IngestOptions, ingest
from gateway.service.report import Step, write_report
from gateway.service.results import DATASET
from gateway.service.runs import run_options, run_tool
from gateway.service.samples import Sample, fetch_sample, open_sample, synthesize_sample
from gateway.service.story import Errors, Story, tell_story
from gateway.volumes.box import Vector
from gateway.volumes.dataset import DatasetInfo
from gateway.volumes.ref import Ref

TILES, BRAIN, POSITIONS = f"{DATASET}/tiles", f"{DATASET}/brain", f"{DATASET}/positions"
NUCLEI, MASKS, REGIONS = f"{DATASET}/nuclei", f"{DATASET}/masks", f"{DATASET}/regions"
_NO_NETWORK = (
    "No network: the real sample cannot be fetched, so the gateway draws a brain of its own, "
    "with every position and nucleus known."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What a person may choose."""

    out: Path
    """Folder of the home, the sample and the report."""
    sample: Path | None = None
    """A folder of tiles; None fetches or draws one."""
    voxel_um: Vector | None = None
    diameter_um: float | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What came of it."""

    report: Path
    home: Path
    sample: str
    nuclei: int
    errors: Errors
    wall_s: float
    digests: Mapping[str, str]
    """Ref to digest."""
    commands: Sequence[str]
    """What to try next."""


def run_demo(
    options: DemoOptions,
    *,
    say: Callable[[str], None],
    listeners: Sequence[Listener] = (),
    cancel: threading.Event | None = None,
) -> DemoResult:
    """Run every step that is not done yet and write the report.

    Args:
        options: What to work on and where.
        say: Told in one line what happens next.
        listeners: Given the events of all runs.
        cancel: Set it, from any thread, to stop; the next call goes on.

    Raises:
        GatewayError: A step failed; says which thing and why.
    """
    out = options.out.absolute()
    try:
        return _run_demo(replace(options, out=out), say, listeners, cancel)
    except GatewayError:
        raise
    except OSError as error:
        raise StoreError(
            f"the demo cannot write {error.filename or out}: {error.strerror}; make room, or "
            "choose another folder with --out"
        ) from error


def _run_demo(
    options: DemoOptions,
    say: Callable[[str], None],
    listeners: Sequence[Listener],
    cancel: threading.Event | None,
) -> DemoResult:
    started, out = time.perf_counter(), options.out
    sample, note = choose_sample(options, out / "sample", say)
    home = out / "home"
    init_home(home)
    gateway = open_gateway(home)
    with gateway.catalogue:
        chain = _Chain(gateway, options.workers, listeners, cancel, say)
        chain.run(sample)
        say("drawing the report")
        commands = _commands(home)
        story = Story(
            sample=sample,
            steps=chain.steps,
            digests=chain.digests,
            notes=[note] if note else [],
            commands=commands,
            made=_made(),
        )
        page, errors, nuclei = tell_story(gateway, story)
    file = out / "report.html"
    write_report(page, file)
    return DemoResult(
        report=file,
        home=home,
        sample=sample.title,
        nuclei=nuclei,
        errors=errors,
        wall_s=time.perf_counter() - started,
        digests=chain.digests,
        commands=commands,
    )


def rehearse(folder: Path) -> None:
    """Lead a tiny brain all the way, so that every kernel is compiled and every part was tried.

    Args:
        folder: An empty folder; what is left in it may be thrown away.

    Raises:
        GatewayError: A step failed.
    """
    sample = synthesize_sample(folder / "sample", shape=(20, 130, 170), count=40)
    init_home(folder / "home")
    gateway = open_gateway(folder / "home")
    with gateway.catalogue:
        _Chain(gateway, 1, (), None, lambda _line: None).run(sample)


def choose_sample(
    options: DemoOptions, folder: Path, say: Callable[[str], None]
) -> tuple[Sample, str]:
    """Return the sample to work on, and what to tell of it where it is not the usual one."""
    if options.sample is not None:
        return (
            open_sample(
                options.sample.absolute(),
                voxel_um=options.voxel_um,
                diameter_um=options.diameter_um,
            ),
            "",
        )
    say("fetching the sample: cells3d of scikit-image")
    real = fetch_sample(folder / "cells3d")
    if real is not None:
        return real, ""
    say(_NO_NETWORK)
    return synthesize_sample(folder / "synthetic"), _NO_NETWORK


class _Chain:
    """The steps of the demo, one after another, each told and timed."""

    def __init__(
        self,
        gateway: Gateway,
        workers: int | None,
        listeners: Sequence[Listener],
        cancel: threading.Event | None,
        say: Callable[[str], None],
    ) -> None:
        self._gateway = gateway
        self._options = run_options(gateway, workers=workers)
        self._listeners = listeners
        self._cancel = cancel
        self._say = say
        self.steps: list[Step] = []
        self.digests: dict[str, str] = {}

    def run(self, sample: Sample) -> None:
        """Ingest, stitch, detect, measure."""
        self._ingest(sample)
        self._tool(
            "stitch",
            "tiles joined to one volume, with all its levels",
            inputs={"tiles": TILES},
            outputs={"image": BRAIN, "positions": POSITIONS},
            settings={},
        )
        self._tool(
            "detect_nuclei",
            "every nucleus found and outlined",
            inputs={"image": BRAIN},
            outputs={"nuclei": NUCLEI, "labels": MASKS},
            settings={"diameter_um": sample.diameter_um},
        )
        self._tool(
            "measure_regions",
            "every nucleus measured",
            inputs={"labels": MASKS, "image": BRAIN},
            outputs={"regions": REGIONS},
            settings={},
        )

    def _ingest(self, sample: Sample) -> None:
        self._say(f"ingesting {sample.about}")
        result = ingest(
            self._gateway,
            sample.folder,
            Ref(DATASET, "tiles"),
            IngestOptions(
                voxel_um=sample.voxel_um,
                positions=sample.positions,
                dataset=DatasetInfo(title=sample.title, licence=sample.licence),
            ),
            run=self._options,
            listeners=self._listeners,
            cancel=self._cancel,
        )
        self._note("ingest", "tiles copied into the store with their checksums", result)

    def _tool(
        self,
        tool: str,
        what: str,
        *,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        settings: Mapping[str, Any],
    ) -> None:
        self._say(f"{tool}: {', '.join(inputs.values())} -> {', '.join(outputs.values())}")
        result = run_tool(
            self._gateway,
            call_from_words(tool, inputs, outputs, settings),
            self._options,
            listeners=self._listeners,
            cancel=self._cancel,
        )
        self._note(tool, what, result)

    def _note(self, name: str, what: str, result: RunResult) -> None:
        wall = result.wall_s
        if result.already_done:
            wall = self._gateway.catalogue.run(result.run_id).wall_s or wall
        step = Step(name=name, what=what, wall_s=wall, earlier=result.already_done)
        self.steps.append(step)
        for output in result.outputs.values():
            self.digests[str(output.ref)] = output.digest or ""


def _commands(home: Path) -> list[str]:
    return [
        f"export GATEWAY_HOME={home}",
        "gateway serve",
        f"gateway ls {DATASET}",
        f"gateway show {BRAIN}",
        f"gateway verify {DATASET}",
        f"gateway replay {NUCLEI}",
        f"gateway export {REGIONS} nuclei.csv",
        "gateway run detect_nuclei --help",
        "gateway up",
    ]


def _made() -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{now}, {platform.system()}, Python {platform.python_version()}"
