"""Runs command lines as a shell would, and reads what they say."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli.main import main
from gateway.service.samples import synthesize_sample


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        answer = json.loads(self.out)
        assert isinstance(answer, dict), "--json gives one object"
        return answer


Shell = Callable[..., Said]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    """Call `gateway` with words; GATEWAY_HOME is unset and the folder is an empty one."""
    monkeypatch.delenv("GATEWAY_HOME", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Said:
        result = CliRunner().invoke(main, [str(word) for word in words], prog_name="gateway")
        return Said(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def home(shell: Shell, tmp_path: Path) -> Path:
    """Return a fresh gateway home."""
    path = tmp_path / "home"
    assert shell("init", path).code == 0
    return path


@pytest.fixture(scope="session")
def small_sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small") / "sample"
    synthesize_sample(folder, shape=(20, 140, 180), count=60)
    return folder


@pytest.fixture(scope="session")
def made(small_sample, tmp_path_factory):
    """Return the answer of a demo on a small sample; its home serves all tests that only read."""
    out = tmp_path_factory.mktemp("demo") / "out"
    words = ["demo", "--sample", str(small_sample), "--out", str(out), "--workers", "1", "--json"]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)
