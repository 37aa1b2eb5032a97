"""A gateway home of its own for every test, and the trial tools of the engine's tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.run.plan import RunOptions
from gateway.run.result import RunResult
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.runs import run_tool
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool


@pytest.fixture(scope="module", autouse=True)
def with_trial_tools(trialtools):
    """Every file of tests here works with the trial tools."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    init_home(tmp_path / "home")
    opened = open_gateway(tmp_path / "home")
    yield opened
    opened.catalogue.close()


class Workbench:
    """Runs tools by name in one gateway, in this process."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def run(
        self,
        tool: str,
        inputs: dict[str, str],
        outputs: dict[str, str],
        settings: dict[str, Any] | None = None,
        **how: Any,
    ) -> RunResult:
        call = make_call(get_tool(tool), inputs, outputs, settings or {})
        return run_tool(self.gateway, call, RunOptions(workers=1), **how)


@pytest.fixture
def bench(gateway: Gateway) -> Workbench:
    return Workbench(gateway)


@pytest.fixture
def source_file(tmp_path: Path) -> Path:
    """Return a small microscope file with something bright in it."""
    voxels = np.random.default_rng(5).integers(0, 4000, (40, 50, 60)).astype(np.uint16)
    path = tmp_path / "source.npy"
    np.save(path, voxels)
    return path


@pytest.fixture
def filled(bench: Workbench, source_file: Path) -> Workbench:
    """Return a gateway in which `m1/raw` was ingested, and peaks and labels were found in it."""
    bench.run(
        "ingest_volume",
        {"source": str(source_file)},
        {"image": "m1/raw"},
        {"voxel_um": "[2, 1, 1]"},
    )
    bench.run("trial_find", {"image": "m1/raw"}, {"peaks": "m1/peaks", "labels": "m1/bright"})
    return bench
