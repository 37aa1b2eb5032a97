"""The demo ends by serving its result, where that is asked for or somebody watches."""

import os
import pty
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from gateway.cli.commands.demo import _shall_serve

PROGRAM = Path(sys.executable).with_name("gateway")


@pytest.mark.slow
def test_the_result_is_served_and_the_link_signs_in(made, small_sample):
    out = made["home"].rpartition("/")[0]
    words = ["demo", "--sample", str(small_sample), "--out", out, "--serve"]
    process = subprocess.Popen([PROGRAM, *words], stdout=subprocess.PIPE, text=True)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Sign in: "):
                break
        login = lines[-1].removeprefix("Sign in: ").strip()
        assert any("report.html" in line for line in lines)
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with opener.open(login, timeout=30) as page:
            assert "demo" in page.read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()


def test_by_default_it_serves_only_where_somebody_watches(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    assert not _shall_serve(wanted=None, as_json=False), "the tests have no terminal"
    leader, follower = pty.openpty()
    with os.fdopen(leader), os.fdopen(follower, "w") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        assert _shall_serve(wanted=None, as_json=False)
        assert not _shall_serve(wanted=None, as_json=True)
        assert not _shall_serve(wanted=False, as_json=False)
        monkeypatch.setenv("CI", "true")
        assert not _shall_serve(wanted=None, as_json=False)
        assert _shall_serve(wanted=True, as_json=False)
