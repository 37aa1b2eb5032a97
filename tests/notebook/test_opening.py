"""The link that opens a notebook with a thing of the store, in a real Jupyter server."""

import json
import os
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from socket import create_server

import httpx
import nbformat
import pytest

from gateway.notebook.opening import notebook_of
from gateway.volumes.ref import Ref

ROOT = Path(__file__).parents[2]
TOKEN = "of-this-test"  # noqa: S105 - of nothing else
MODULE = "gateway.notebook.opening"


def test_the_notebook_is_one_and_opens_the_thing():
    notebook = nbformat.from_dict(notebook_of(Ref("m1", "brain")))
    nbformat.validate(notebook)
    assert 'nb.open("m1/brain")' in notebook.cells[1].source
    assert 'nb.view("m1/brain")' in notebook.cells[2].source


@pytest.mark.skipif(not (ROOT / "pyproject.toml").is_file(), reason="only the wheel is here")
def test_jupyter_is_told_of_it_by_a_file_that_is_installed():
    files = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    (path,) = files["etc/jupyter/jupyter_server_config.d"]
    if (ROOT / path).is_file():
        assert json.loads((ROOT / path).read_text())["ServerApp"]["jpserver_extensions"][MODULE]


@pytest.fixture(scope="module")
def jupyter(tmp_path_factory):
    """Start a Jupyter server; returns its address and the folder of its notebooks."""
    folder = tmp_path_factory.mktemp("notebooks")
    with create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    extensions = {MODULE: True, "jupyterlab": False}
    command = [sys.executable, "-m", "jupyter_server", f"--port={port}", "--no-browser"]
    command += [f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}"]
    command += [f"--ServerApp.jpserver_extensions={extensions}", "--allow-root"]
    environment = os.environ | {
        "JUPYTER_RUNTIME_DIR": str(folder / ".run"),
        "JUPYTER_CONFIG_DIR": str(folder / ".config"),
    }
    log = folder / ".log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while not _answers(url):
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield url, folder
    finally:
        server.terminate()
        server.wait(timeout=30)


def _answers(url):
    try:
        return httpx.get(f"{url}/api/status?token={TOKEN}", trust_env=False).is_success
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_the_link_makes_a_notebook_once_and_goes_there(jupyter):
    url, folder = jupyter
    with httpx.Client(trust_env=False, params={"token": TOKEN}) as client:
        answer = client.get(f"{url}/gateway/open", params={"ref": "m1/brain", "token": TOKEN})
        assert answer.status_code == 302, answer.text
        assert answer.headers["location"] == "/lab/tree/m1%20brain.ipynb"
        made = folder / "m1 brain.ipynb"
        nbformat.validate(nbformat.read(made, as_version=4))
        made.write_text("mine")
        client.get(f"{url}/gateway/open", params={"ref": "m1/brain", "token": TOKEN})
        assert made.read_text() == "mine", "what is there already is never written over"
        for bad in ("", "m1", '../x/"; import os', "m1/x/y"):
            refused = client.get(f"{url}/gateway/open", params={"ref": bad, "token": TOKEN})
            assert refused.status_code == 400, bad
    assert httpx.get(f"{url}/gateway/open?ref=m1/x", trust_env=False).status_code in (302, 403)
    assert not (folder / "m1 x.ipynb").exists()
