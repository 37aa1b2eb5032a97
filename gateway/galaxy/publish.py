"""Writes what Galaxy is given: the XML of every tool, and the data of their tests."""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from gateway.galaxy.converters import converters, render_converter
from gateway.galaxy.ingest_xml import SUMMARY, TOOL, render_ingest
from gateway.galaxy.job import describe
from gateway.galaxy.placement import TPV_FILE, render_tpv
from gateway.galaxy.render import render_tool
from gateway.galaxy.suite import SHED_FILE, render_shed
from gateway.service.exports import export
from gateway.service.gateway import Gateway
from gateway.service.toolbox import list_tools
from gateway.toolkit.fixtures import fixture_names, put_fixture
from gateway.volumes.dataset import find_entry
from gateway.volumes.ref import Ref

EXAMPLES = "examples"
"""The dataset that holds what the tests of the tools run on."""
WORKFLOWS = Path(__file__).parent / "workflows"
_SUFFIX = ".gxwf.yml"


def tool_files() -> dict[str, str]:
    """Return path below `galaxy_tools` and content of the XML of every tool."""
    files = {f"{spec.id}/{spec.id}.xml": render_tool(spec) for spec in list_tools()}
    return files | {f"{TOOL}/{TOOL}.xml": render_ingest()}


def converter_files() -> dict[str, str]:
    """Return path below `galaxy_tools` and content of the XML of every converter."""
    return {one.file: render_converter(one) for one in converters()}


def suite_files() -> dict[str, str]:
    """Return path below `galaxy_tools` and content of what publishes the tools and tests them."""
    tests = sorted(WORKFLOWS.glob("*-tests.yml"))
    found = {f"workflows/{path.name}": path.read_text(encoding="utf-8") for path in tests}
    tools = {spec.id: spec.summary for spec in list_tools()} | {TOOL: SUMMARY}
    return {SHED_FILE: render_shed(tools), TPV_FILE: render_tpv(list_tools()), **found}


def workflow_files() -> dict[str, str]:
    """Return the short name and the content of every workflow."""
    found = sorted(WORKFLOWS.glob(f"*{_SUFFIX}"))
    return {path.name.removesuffix(_SUFFIX): path.read_text(encoding="utf-8") for path in found}


def write_tools(folder: Path) -> list[Path]:
    """Write the XML of every tool and all workflows; returns the files that changed."""
    files = tool_files() | converter_files() | suite_files()
    files |= {f"workflows/{name}{_SUFFIX}": text for name, text in workflow_files().items()}
    changed = []
    for name, content in files.items():
        path = folder / name
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            changed.append(path)
    return changed


def write_examples(gateway: Gateway, folder: Path) -> list[Path]:
    """Put the data of the tools' tests into the store and write a volref of each.

    Raises:
        StoreError: The store cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name in fixture_names():
        ref = Ref(EXAMPLES, name)
        if find_entry(gateway.store, ref) is None:
            put_fixture(gateway.store, name, ref)
        path = folder / f"{name}.volref"
        path.write_text(describe(gateway, str(ref)).to_text(), encoding="utf-8")
        written.append(path)
    copies = ("two_blobs.tif", "two_blobs.nii", "three_points.csv", "three_points.tsv")
    for name in copies:
        ref = Ref(EXAMPLES, name.partition(".")[0])
        export(gateway, ref, folder / name, overwrite=True)
        written.append(folder / name)
    return [*written, _archive(gateway, folder)]


def _archive(gateway: Gateway, folder: Path) -> Path:
    """Write a volume as the archive that Galaxy unpacks into a folder."""
    with TemporaryDirectory() as work:
        export(gateway, Ref(EXAMPLES, "two_blobs"), Path(work) / "two_blobs.ome.zarr")
        made = shutil.make_archive(str(folder / "two_blobs.ome.zarr"), "zip", work)
    return Path(made)
