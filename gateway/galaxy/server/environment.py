"""The environment Galaxy is installed in: its own, since its packages and ours do not agree."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from gateway.errors import SettingsError

RELEASE = "26.1"
"""The release of Galaxy that all this is tested with."""
_PACKAGES = (f"galaxy-web-apps=={RELEASE}.*", f"galaxy-web-client=={RELEASE}.*")
_DONE = "installed"
PLUGIN = Path(__file__).parents[1] / "plugin"
"""The package of datatypes that goes into it."""


def environment_folder(chosen: Path | None) -> Path:
    """Return where Galaxy is installed: as chosen, else in the user's cache."""
    if chosen is not None:
        return chosen.expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "brain-gateway" / f"galaxy-{RELEASE}"


def is_installed(environment: Path) -> bool:
    """Whether all of it is there."""
    return (environment / _DONE).is_file() and (environment / "bin/galaxy-web").is_file()


def install(environment: Path, say: Callable[[str], None], *, postgres: bool = False) -> None:
    """Install Galaxy where it is not yet, and our datatypes as they are now.

    Args:
        environment: Where.
        say: Told what is being done.
        postgres: Whether its database is PostgreSQL.

    Raises:
        SettingsError: It cannot be installed; says why.
    """
    if not is_installed(environment):
        say(f"installing Galaxy {RELEASE} into {environment} (once; about 900 MB)")
        if not (environment / "bin/python").is_file():
            _call([sys.executable, "-m", "venv", *_without_pip(), str(environment)])
        packages = (*_PACKAGES, *(("psycopg2-binary",) if postgres else ()))
        _call([*_installer(environment), *packages])
        say("compiling it")
        folder = next((environment / "lib").glob("python3.*"))
        compiling = [str(environment / "bin/python"), "-m", "compileall", "-q", "-j", "2"]
        # a few files of its packages are templates, and do not compile
        subprocess.run(  # noqa: S603 - the interpreter just installed
            [*compiling, str(folder)], check=False, capture_output=True
        )
        (environment / _DONE).touch()
    put_plugin(environment)


def put_plugin(environment: Path) -> None:
    """Copy the datatypes into the environment, where every process of Galaxy finds them."""
    site_packages = next((environment / "lib").glob("python3.*/site-packages"))
    for package in PLUGIN.iterdir():
        if package.is_dir() and (package / "__init__.py").is_file():
            shutil.copytree(
                package,
                site_packages / package.name,
                dirs_exist_ok=True,
                ignore=shutil.ignore_patterns("__pycache__"),
            )


def _without_pip() -> list[str]:
    return ["--without-pip"] if _has_uv() else []


def _has_uv() -> bool:
    return find_spec("uv") is not None or shutil.which("uv") is not None


def _installer(environment: Path) -> list[str]:
    python = str(environment / "bin/python")
    if find_spec("uv") is not None:
        return [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--quiet", "--python", python]
    return [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def _call(command: list[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - ours
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise SettingsError(
            f"Galaxy {RELEASE} cannot be installed: {' '.join(command[:3])} … ended with "
            f"{done.returncode}: {said[-1]}; it comes from the Python package index, which this "
            "machine must reach once"
        )
