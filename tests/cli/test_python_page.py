"""The Python of the how-to page runs as it is printed."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "use-from-python.md"


@pytest.mark.slow
@pytest.mark.skipif(not PAGE.is_file(), reason="the docs are in the checkout only")
def test_the_page_runs_from_top_to_bottom(made, tmp_path):
    shutil.copytree(made["home"], tmp_path / "home")
    (tmp_path / "home/store/demo").rename(tmp_path / "home/store/mouse1")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks))
    done = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "czyx" in done.stdout
    assert "blake3:" in done.stdout
