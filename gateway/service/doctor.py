"""Is this machine fit for work? One check per question, each with the way out."""

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil

import gateway
from gateway.errors import GatewayError, SettingsError
from gateway.service.demo import rehearse
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.leftovers import count_idle
from gateway.service.samples import is_online
from gateway.service.settings import find_home

State = Literal["ok", "note", "missing"]
_PACKAGES = ("tensorstore", "numpy", "numba", "scipy", "tifffile", "zarr", "pyarrow", "sqlalchemy")
_OLDEST = (3, 11)
_LEAST_MEMORY, _LEAST_DISK = 2_000_000_000, 2_000_000_000
_PROBE = ".doctor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One answer of the doctor."""

    name: str
    state: State
    """`missing` makes the command fail; a `note` is worth knowing."""
    detail: str
    advice: str = ""


def examine(home: Path | None = None) -> Iterator[Check]:
    """Yield the result of every check, the quick ones first.

    Args:
        home: The gateway home; None takes the one `GATEWAY_HOME` names. Without any, what
            needs a home is a note.
    """
    yield _python()
    yield _packages()
    yield _machine()
    yield _disk(home)
    yield from _home(home)
    yield kernels()
    yield _network()
    yield _test_data()


def try_all() -> Check:
    """Lead a tiny brain all the way in a folder that is thrown away; compiles every kernel."""
    name, started = "rehearsal", time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="gateway-doctor-") as folder:
            rehearse(Path(folder))
    except GatewayError as error:
        return Check(name=name, state="missing", detail=str(error))
    seconds = time.perf_counter() - started
    detail = f"a tiny brain was stitched, searched and measured in {seconds:.0f} s"
    return Check(name=name, state="ok", detail=detail)


def kernels() -> Check:
    """Whether the numerical kernels are compiled already."""
    name = "kernels"
    here = [Path(part) / "__pycache__" for part in _algo_folders()]
    # where the package may not be written to, numba keeps them in a cache of the user
    named = os.environ.get("NUMBA_CACHE_DIR")
    elsewhere = Path(named) if named else Path.home() / ".cache" / "numba"
    compiled = sum(1 for folder in here for _ in folder.glob("*.nbi"))
    compiled += sum(1 for _ in elsewhere.rglob("algo_*/*.nbi"))
    if compiled:
        return Check(name=name, state="ok", detail=f"{compiled} compiled and kept")
    return Check(
        name=name,
        state="note",
        detail="not compiled yet; the first run will take some seconds longer",
        advice="gateway doctor --warm",
    )


def _python() -> Check:
    found = platform.python_version()
    if sys.version_info < _OLDEST:
        return Check(
            name="python",
            state="missing",
            detail=f"{found}, older than 3.11",
            advice="install Python 3.11 or newer",
        )
    return Check(name="python", state="ok", detail=f"{found} on {platform.platform(terse=True)}")


def _packages() -> Check:
    found, absent = [f"brain-gateway {gateway.__version__}"], []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            absent.append(package)
    if absent:
        return Check(
            name="packages",
            state="missing",
            detail=f"not installed: {', '.join(absent)}",
            advice="install brain-gateway again with its dependencies",
        )
    return Check(name="packages", state="ok", detail=", ".join(found))


def _machine() -> Check:
    memory = psutil.virtual_memory()
    detail = (
        f"{os.cpu_count()} cores, {memory.available / 1e9:.1f} of {memory.total / 1e9:.1f} GB "
        "memory free"
    )
    if memory.available < _LEAST_MEMORY:
        advice = "close other programs, or set GATEWAY_MEMORY below what is free"
        return Check(name="machine", state="note", detail=detail, advice=advice)
    return Check(name="machine", state="ok", detail=detail)


def _disk(home: Path | None) -> Check:
    place = Path.cwd()
    with suppress(SettingsError):
        place = find_home(home)
    free = shutil.disk_usage(place).free
    detail = f"{free / 1e9:.1f} GB free at {place}"
    if free < _LEAST_DISK:
        return Check(
            name="disk",
            state="note",
            detail=detail,
            advice="volumes need room: choose a larger disk",
        )
    return Check(name="disk", state="ok", detail=detail)


def _home(home: Path | None) -> Iterator[Check]:
    try:
        find_home(home)
    except SettingsError as error:
        given = home is not None or "GATEWAY_HOME" in os.environ
        yield Check(name="home", state="missing" if given else "note", detail=str(error))
        return
    try:
        opened = open_gateway(home)
    except GatewayError as error:
        yield Check(name="home", state="missing", detail=str(error))
        return
    with opened.catalogue:
        yield Check(name="home", state="ok", detail=str(opened.home))
        yield _guard("store", lambda: _probe_store(opened))
        yield _guard("catalogue", lambda: _probe_catalogue(opened))
        yield _runs(opened)


def _runs(opened: Gateway) -> Check:
    """Whether there are runs that stopped without a word: killed, or their machine was."""
    try:
        idle = count_idle(opened)
    except GatewayError as error:
        return Check(name="runs", state="missing", detail=str(error))
    if not idle:
        return Check(name="runs", state="ok", detail="none waits to be resumed")
    detail = f"{idle} stopped without a word; the same command resumes each"
    return Check(name="runs", state="note", detail=detail, advice="gateway clean")


def _guard(name: str, probe: Callable[[], str]) -> Check:
    try:
        return Check(name=name, state="ok", detail=probe())
    except GatewayError as error:
        return Check(name=name, state="missing", detail=str(error))


def _probe_store(opened: Gateway) -> str:
    """Write, read and remove a few bytes where that is allowed."""
    store = opened.store
    if not store.writable:
        store.list("")
        return f"{store.url} (read only)"
    key = f"{_PROBE}/{os.getpid()}"
    store.put(key, b"is it writable?")
    store.get(key)
    store.delete(_PROBE)
    return f"{store.url}, writable"


def _probe_catalogue(opened: Gateway) -> str:
    return f"{opened.catalogue.url}, {len(opened.catalogue.datasets())} datasets"


def _network() -> Check:
    if is_online():
        return Check(name="network", state="ok", detail="the sample of the demo can be fetched")
    return Check(
        name="network",
        state="note",
        detail="none; the demo makes its own brain, everything else works as ever",
    )


def _test_data() -> Check:
    folder = os.environ.get("GATEWAY_TEST_DATA")
    if not folder:
        return Check(
            name="test data",
            state="note",
            detail="GATEWAY_TEST_DATA is not set; tests on real volumes are skipped",
        )
    if not Path(folder).is_dir():
        return Check(
            name="test data", state="note", detail=f"GATEWAY_TEST_DATA={folder} is not a folder"
        )
    return Check(name="test data", state="ok", detail=folder)


def _algo_folders() -> list[str]:
    return [str(Path(part) / "algo") for part in gateway.__path__]
