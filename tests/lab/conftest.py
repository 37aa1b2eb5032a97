"""A real JupyterLab with a real kernel, in a real chromium that tells every request it sends."""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_server
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import nbformat
import numpy as np
import pytest
from fixtures_elsewhere import fixtures_of
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

from gateway.service.gateway import open_gateway
from gateway.service.rebuild import rebuild_catalogue
from gateway.volumes.model import VolumeInfo
from gateway.volumes.points import write_points

_TOKEN = "tests-only"  # noqa: S105 - of a server on loopback that ends with the tests
_WAIT_MS = 90_000
_SIZE = {"width": 1280, "height": 900}
_LOCAL = ("127.0.0.1", "localhost", "")
_QUIET = {
    "@jupyterlab/notebook-extension:tracker": {
        "windowingMode": "none",
        "showHiddenCellsButton": False,
    },
    "@jupyterlab/docmanager-extension:plugin": {"autosave": False},
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
}


_THEIRS = fixtures_of("browser")
chromium, cube_home, CUBE = _THEIRS.chromium, _THEIRS.cube_home, _THEIRS.CUBE
write_whole = fixtures_of().write_whole


@dataclass(frozen=True)
class Lab:
    """A running JupyterLab."""

    url: str
    folder: Path

    def address(self, path: str) -> str:
        """Return where a notebook is opened."""
        return f"{self.url}/lab/tree/{path}?token={_TOKEN}&reset"

    def write(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells; return its path in the server."""
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
        notebook.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(notebook, self.folder / f"{name}.ipynb")
        return f"{name}.ipynb"


@contextmanager
def running_lab(folder: Path, **environment: str) -> Iterator[Lab]:
    """Run a JupyterLab of its own settings until the block ends."""
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    root, settings = folder / "notebooks", folder / "settings"
    root.mkdir(parents=True)
    settings.mkdir()
    (settings / "overrides.json").write_text(json.dumps(_QUIET))
    own = {
        name: str(folder / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")
    }
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--expose-app-in-browser"]
    command += [
        f"--ServerApp.root_dir={root}",
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
    ]
    command += [f"--IdentityProvider.token={_TOKEN}", "--ServerApp.port_retries=0", "--allow-root"]
    command += ["--LabApp.news_url=None", f"--LabApp.app_settings_dir={settings}"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **own, **environment}
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/api?token={_TOKEN}", process, folder / "log")
        yield Lab(url, root)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _wait(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = monotonic() + 120
    while monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own loopback address
                return
        except OSError:
            sleep(0.2)
    pytest.fail(f"JupyterLab did not start: {log.read_text()[-2000:]}")


class Notebook:
    """An open notebook: its cells run, its kernel answers, its requests are known."""

    def __init__(self, page: Page, address: str, shots: Path) -> None:
        self.page, self._shots = page, shots
        self.requests: list[str] = []
        page.set_default_timeout(_WAIT_MS)
        page.context.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)
        self.page.wait_for_function(
            "() => window.jupyterapp?.shell.currentWidget?.context?.isReady"
            " && window.jupyterapp.shell.currentWidget.sessionContext?.session?.kernel"
        )
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.ready")
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")

    def run(self) -> None:
        """Run all cells; an error in one fails the test."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        errors = self.page.locator(
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']"
        )
        assert errors.count() == 0, errors.all_inner_texts()

    def shoot(self, name: str) -> NDArray[np.uint8]:
        """Keep a screenshot and return its pixels, rows by columns by red, green, blue."""
        path = self._shots / f"{name}.png"
        self.page.screenshot(path=path)
        return np.asarray(Image.open(path).convert("RGB"))

    def shoot_whole(self, name: str) -> None:
        """Keep a picture of the whole notebook on one page."""
        self.page.keyboard.press("Escape")
        height = self.page.evaluate(
            "() => document.querySelector('.jp-WindowedPanel-outer').scrollHeight + 140"
        )
        self.page.set_viewport_size({"width": 1280, "height": min(int(height), 14_000)})
        self.page.wait_for_timeout(3000)
        self.page.screenshot(path=self._shots / f"{name}.png")
        self.page.set_viewport_size(_SIZE)

    def panel(self) -> tuple[float, float]:
        """Return where on the page the middle of the first panel of the viewer is."""
        panel = self.page.frame_locator(".gateway-view iframe").locator(
            ".neuroglancer-rendered-data-panel"
        )
        box = panel.first.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def python(self, code: str) -> str:
        """Run code in the kernel, beside the notebook, and return what it prints."""
        return self.page.evaluate(
            """async (code) => {
              const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              let said = "";
              const asked = kernel.requestExecute({ code, store_history: false });
              asked.onIOPub = ({ content, header }) => {
                if (header.msg_type === "stream") said += content.text;
                if (header.msg_type === "error") said += content.traceback.join("\\n");
              };
              await asked.done;
              return said.trim();
            }""",
            code,
        )

    def until(self, code: str, expected: Callable[[str], bool]) -> str:
        """Run code until what it prints is as expected; return it."""
        deadline, said = monotonic() + 90, ""
        while monotonic() < deadline:
            said = self.python(code)
            if expected(said):
                return said
            self.page.wait_for_timeout(250)
        raise AssertionError(f"{code} still says {said!r}")

    def abroad(self) -> list[str]:
        """Return the requests that left this machine."""
        return [url for url in self.requests if (urlsplit(url).hostname or "") not in _LOCAL]


@pytest.fixture(scope="session")
def lab_home(tmp_path_factory: pytest.TempPathFactory, cube_home: Path) -> Path:
    """Return a home with the bright cube, its label 7, and three points of which one is in it."""
    home = tmp_path_factory.mktemp("lab-home") / "home"
    shutil.copytree(cube_home, home)
    gateway = open_gateway(home)
    with gateway.catalogue:
        masks = np.zeros((1, *CUBE["shape"]), np.uint32)
        masks[(0, *(slice(a, b) for a, b in zip(CUBE["low"], CUBE["high"], strict=True)))] = 7
        place = {"shape": CUBE["shape"], "voxel_um": CUBE["voxel_um"]}
        info = VolumeInfo(kind="labels", dtype="uint32", **place)
        write_whole(gateway.store, "cube/masks.ome.zarr", info, masks)
        columns = {"z_um": [20.0, 48.0, 80.0], "y_um": [20.0, 32.0, 80.0]}
        columns |= {"x_um": [20.0, 64.0, 80.0], "size": [1.5, 2.5, 3.5]}
        rows = {name: np.asarray(values) for name, values in columns.items()}
        write_points(gateway.store, "cube/cells.points.parquet", rows)
        rebuild_catalogue(gateway)
    return home


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, lab_home: Path) -> Iterator[Lab]:
    """Yield a JupyterLab on a laptop: its kernels work with the home of the bright cube."""
    with running_lab(tmp_path_factory.mktemp("lab"), GATEWAY_HOME=str(lab_home)) as running:
        yield running


@pytest.fixture(scope="module")
def shots(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Return the folder where the screenshots of a file of tests are kept."""
    kept = os.environ.get("GATEWAY_TEST_SCREENSHOTS")
    name = request.module.__name__.rpartition(".")[2]
    folder = Path(kept).resolve() / name if kept else tmp_path_factory.mktemp(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def running() -> Callable[..., Any]:
    """Return what runs a JupyterLab: `with running(folder, GATEWAY_HOME=...) as lab`."""
    return running_lab


@pytest.fixture(scope="session")
def notebook_class() -> type[Notebook]:
    """Return what drives a notebook whose page is signed in already."""
    return Notebook


@pytest.fixture(scope="module")
def open_notebook(chromium: Browser, shots: Path) -> Iterator[Callable[[Lab, str], Notebook]]:
    """Return what opens a notebook of a JupyterLab in a fresh profile."""
    contexts = []

    def opened(lab: Lab, path: str) -> Notebook:
        context = chromium.new_context(viewport=_SIZE)
        contexts.append(context)
        return Notebook(context.new_page(), lab.address(path), shots)

    yield opened
    for number, context in enumerate(contexts):
        context.pages[0].screenshot(path=shots / f"end-{number}.png")
        context.close()


@pytest.fixture
def notebook(open_notebook: Callable[..., Notebook], lab: Lab) -> Callable[..., Notebook]:
    """Return what opens a notebook of cells: `notebook("name", "cell", "cell")`."""
    return lambda name, *cells: open_notebook(lab, lab.write(name, *cells))


@pytest.fixture(scope="module")
def notebook_of_file(open_notebook: Callable[..., Notebook], lab: Lab) -> Callable[..., Notebook]:
    """Return the same for what all tests of a file share."""
    return lambda name, *cells: open_notebook(lab, lab.write(name, *cells))
