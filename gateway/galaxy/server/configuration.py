"""Writes all that Galaxy reads, anew at every start."""

import os
from pathlib import Path

from gateway.errors import SettingsError
from gateway.galaxy.publish import tool_files, write_tools
from gateway.galaxy.server.galaxy_yml import render_galaxy
from gateway.galaxy.server.job_conf import render_jobs
from gateway.galaxy.server.site import Site
from gateway.galaxy.server.toolbox import (
    DISPLAY_FILE,
    render_datatypes,
    render_display,
    render_tool_conf,
)
from gateway.service.toolbox import list_tools

ADMIN_KEY = "admin_key"
PROXY_SECRET = "proxy"  # noqa: S105 - the name of a file
_ID_SECRET = "id"  # noqa: S105 - likewise
_UPLOAD = "tools/bundled/data_source/upload.xml"
_SAMPLE = "config/sample/datatypes_conf.xml.sample"


def write_configuration(site: Site) -> None:
    """Write the configuration of a Galaxy whose environment is installed.

    Raises:
        SettingsError: A folder cannot be written, or the environment is not as it should be.
    """
    site.make_folders()
    installed = _installed(site)
    folder = site.config
    write_tools(folder / "tools")
    display = None
    if site.settings.base_url is not None:
        display = folder / DISPLAY_FILE
        _put(display, render_display(site.settings.base_url, site.hub))
    sample = (installed / _SAMPLE).read_text(encoding="utf-8")
    tools = [folder / "tools" / name for name in tool_files()]
    _put(folder / "datatypes_conf.xml", render_datatypes(sample, display, folder / "tools"))
    _put(folder / "tool_conf.xml", render_tool_conf(tools, installed / _UPLOAD))
    _put(folder / "tool_data_table_conf.xml", "<tables/>\n")
    workers = site.settings.galaxy_workers or max(1, (os.cpu_count() or 1) // 2)
    _put(folder / "job_conf.yml", render_jobs(site, workers=workers, specs=list_tools()))
    text = render_galaxy(
        site,
        id_secret=site.secret(_ID_SECRET),
        admin_key=site.secret(ADMIN_KEY),
        proxy_secret=site.secret(PROXY_SECRET),
    )
    _put(site.main_file, text)


def _installed(site: Site) -> Path:
    found = next((site.environment / "lib").glob("python3.*/site-packages/galaxy"), None)
    if found is None or not (found / _SAMPLE).is_file() or not (found / _UPLOAD).is_file():
        raise SettingsError(
            f"{site.environment} holds no Galaxy that is complete; delete that folder, and "
            "`gateway-galaxy up` installs it anew"
        )
    return found


def _put(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    part.write_text(text, encoding="utf-8")
    part.replace(path)
