"""Every tool passes the tests that its examples became, in a real Galaxy."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.toolbox import list_tools

pytestmark = [pytest.mark.galaxy, pytest.mark.slow]
PROGRAM = Path(sys.executable).with_name("galaxy-tool-test")


def test_every_tool_passes_its_own_tests(real_galaxy, tmp_path):
    key = real_galaxy.key("tess")
    grant(real_galaxy.gateway, "examples", "person:tess", Role.EDITOR)
    words = ["--galaxy-url", real_galaxy.url, "--key", key, "--admin-key", real_galaxy.admin_key]
    words += ["--test-data", real_galaxy.volrefs, "--output-json", tmp_path / "found.json"]
    done = subprocess.run(
        [PROGRAM, *words, "--history-per-suite", "--parallel-tests", "2"],
        cwd=tmp_path,
        check=False,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads((tmp_path / "found.json").read_text())["tests"]
    passed = Counter(
        test["data"]["tool_id"] for test in found if test["data"]["status"] == "success"
    )
    wanted = {f"gateway_{spec.id}": len(spec.examples) for spec in list_tools()}
    assert {name: passed[name] for name in wanted} == wanted
    assert all(wanted.values())
