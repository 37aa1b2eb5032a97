"""A real chromium, signed in to a real service: pages, console errors, screenshots."""

import importlib.util
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from gateway.run.plan import RunOptions
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.runs import run_tool
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool

_ROOT = Path(__file__).parents[2]
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)
_WAIT_MS = 60_000


def _web_fixtures():
    # the fixtures of the web tests, which pytest gives to the folder beside this one only
    spec = importlib.util.spec_from_file_location(
        "gateway_web_fixtures", _ROOT / "tests" / "web" / "conftest.py"
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_WEB = _web_fixtures()
Server = _WEB.Server
serve, server, serving = _WEB.serve, _WEB.server, _WEB.serving


@dataclass
class Visitor:
    """One browser profile at one service, with the troubles its pages told."""

    context: BrowserContext
    page: Page
    url: str
    folder: Path
    troubles: list[str] = field(default_factory=list)

    def go(self, path: str) -> Page:
        """Open a path of the service."""
        self.page.goto(f"{self.url}{path}")
        return self.page

    def shoot(self, name: str, page: Page | None = None) -> NDArray[np.uint8]:
        """Keep a screenshot and return its pixels, rows by columns by red, green, blue."""
        path = self.folder / f"{name}.png"
        (page or self.page).screenshot(path=path)
        return np.asarray(Image.open(path).convert("RGB"))

    def settle(self) -> None:
        """Wait until all visible chunks of the framed viewer are drawn."""
        self.page.wait_for_function("() => document.body.dataset.viewer === 'settled'")
        self.page.wait_for_timeout(300)

    def client(self, script: str, argument: object = None) -> Any:
        """Evaluate an expression of `viewer` in the frame, and of `given`."""
        return self.page.evaluate(
            "([script, given]) => new Function('viewer', 'given', `return ${script}`)"
            "(document.getElementById('client').contentWindow.viewer, given)",
            [script, argument],
        )

    def panel(self) -> tuple[float, float]:
        """Return where on the page the middle of the one slice panel is."""
        box = self.page.frame_locator("#client").locator(".neuroglancer-rendered-data-panel")
        where = box.first.bounding_box()
        assert where is not None
        return where["x"] + where["width"] / 2, where["y"] + where["height"] / 2


@pytest.fixture(scope="module")
def chromium(lacking: Callable[[str, str], None]) -> Iterator[Browser]:
    """Yield a running chromium.

    Playwright keeps an event loop running in this thread, so it is ended with each module:
    tests that start a loop of their own could not run beside it.
    """
    program = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        lacking("browser", f"no browser: none of {', '.join(_PROGRAMS)} is on PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def screenshots(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Return the folder where the screenshots of a test are kept."""
    kept = os.environ.get("GATEWAY_TEST_SCREENSHOTS")
    name = re.sub(r"[^\w-]+", "-", request.node.name)
    folder = Path(kept).resolve() / name if kept else tmp_path / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def visit(chromium: Browser, screenshots: Path) -> Iterator[Callable[..., Visitor]]:
    """Return what opens a fresh profile: `visit(url)`, `visit(url, login=...)`, `phone=True`."""
    opened: list[Visitor] = []

    def open_profile(url: str, *, login: str = "", phone: bool = False, **options) -> Visitor:
        size = {"width": 390, "height": 844} if phone else {"width": 1280, "height": 800}
        options |= {"has_touch": True, "is_mobile": True} if phone else {}
        context = chromium.new_context(viewport=size, **options)
        context.set_default_timeout(_WAIT_MS)
        visitor = Visitor(context, context.new_page(), url, screenshots)
        _listen(visitor)
        opened.append(visitor)
        if login:
            visitor.page.goto(login)
            visitor.page.wait_for_url(f"{url}/")
        return visitor

    yield open_profile
    for number, visitor in enumerate(opened):
        if not visitor.page.is_closed():
            visitor.page.screenshot(path=screenshots / f"end-{number}.png")
        visitor.context.close()


@pytest.fixture
def visitor(visit: Callable[..., Visitor], server: Server) -> Iterator[Visitor]:
    """Yield a signed-in administrator's browser; trouble on its console fails the test."""
    here = visit(server.url, login=server.login)
    yield here
    assert not here.troubles, here.troubles


def _listen(visitor: Visitor) -> None:
    def told(message) -> None:
        # where there is no GPU the browser says so at each read-back of pixels
        if message.type == "error" and "GPU stall" not in message.text:
            visitor.troubles.append(f"{message.text} ({message.location.get('url', '')})")

    visitor.page.on("console", told)
    visitor.page.on("pageerror", lambda error: visitor.troubles.append(str(error)))


CUBE = {
    "shape": (48, 96, 96),
    "low": (16, 24, 56),
    "high": (32, 40, 72),
    "voxel_um": (2.0, 1.0, 1.0),
}
"""A dark volume with one bright cube: where it is seen is where it must be."""


@pytest.fixture(scope="session")
def cube_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home whose dataset `cube` holds the volume `raw`; no test changes it."""
    folder = tmp_path_factory.mktemp("cube")
    voxels = np.random.default_rng(3).integers(80, 120, CUBE["shape"]).astype(np.uint16)
    voxels[tuple(slice(a, b) for a, b in zip(CUBE["low"], CUBE["high"], strict=True))] = 4000
    np.save(folder / "cube.npy", voxels)
    init_home(folder / "home")
    gateway = open_gateway(folder / "home")
    with gateway.catalogue:
        settings = {"voxel_um": json.dumps(CUBE["voxel_um"])}
        inputs = {"source": str(folder / "cube.npy")}
        outputs = {"image": "cube/raw"}
        call = make_call(get_tool("ingest_volume"), inputs, outputs, settings)
        run_tool(gateway, call, RunOptions(workers=1))
    return folder / "home"


@pytest.fixture
def home(cube_home: Path, tmp_path: Path) -> Path:
    """Return a home of a test's own with the dataset `cube`."""
    shutil.copytree(cube_home, tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture(scope="module")
def cube_server(cube_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Yield a service with the dataset `cube`, one for all tests of a file."""
    home = tmp_path_factory.mktemp("served") / "home"
    shutil.copytree(cube_home, home)
    with serving(home) as running:
        yield running
