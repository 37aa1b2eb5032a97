"""The training notebooks run from top to bottom, read well, and carry no outputs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from gateway.notebook.practice import FOLDER
from gateway.service.demo import DemoOptions, run_demo
from gateway.service.samples import synthesize_sample

COURSE = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(COURSE.glob("*.ipynb"))
REAL_TILES = "tiles_pub_cellfinder3d"

pytestmark = pytest.mark.skipif(not NOTEBOOKS, reason="the notebooks are in the checkout only")
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@each
def test_a_notebook_carries_no_outputs_and_reads_as_a_lesson(path) -> None:
    text = path.read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    for cell in cells:
        assert not cell.get("outputs"), "clear the outputs before you commit"
        assert cell.get("execution_count") is None
    prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    assert prose[0].startswith(f"# {int(path.stem[:2])}. ") or prose[0].startswith("# 6. ")
    assert any(part.lstrip().startswith("## ") for part in prose)
    assert any("## Exercises" in part for part in prose)
    assert any("<summary>Solution</summary>" in part for part in prose)
    assert len(prose) * 3 >= len(cells), "a lesson explains what it does"


@each
def test_every_lesson_that_is_named_is_there(path) -> None:
    for word in path.read_text(encoding="utf-8").replace("`", " ").split():
        if word.startswith("0") and ".ipynb" in word:
            assert (COURSE / word.rstrip('.",\\n')).exists(), word


@pytest.fixture(scope="session")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the home folder of somebody who learns, with the sample prepared."""
    person = tmp_path_factory.mktemp("learner")
    data = Path(os.environ.get("GATEWAY_TEST_DATA") or "nowhere").resolve() / REAL_TILES
    sample = data if data.is_dir() else person / "sample"
    if not data.is_dir():
        synthesize_sample(sample, shape=(20, 130, 170), count=40)
    run_demo(DemoOptions(out=person / FOLDER, sample=sample), say=lambda _line: None)
    return person


def surroundings(learner: Path) -> dict[str, str]:
    """Return the environment of somebody who learns on a machine of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    own = {"HOME": str(learner), "PYTHONPATH": str(COURSE.parent), "MPLBACKEND": "agg"}
    return {**kept, **own, "IPYTHONDIR": str(learner / "ipython")}


@pytest.mark.slow
@pytest.mark.data
@each
def test_a_notebook_runs_from_top_to_bottom(path, learner, tmp_path) -> None:
    words = ["nbconvert", "--to", "notebook", "--execute", "--output-dir", str(tmp_path)]
    command = [sys.executable, "-m", "jupyter", *words, "--output", path.stem, str(path)]
    environment = {
        **surroundings(learner),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = nbformat.read(tmp_path / path.name, as_version=4)
    outputs = [output for cell in told.cells for output in cell.get("outputs", [])]
    assert len(outputs) >= 5
    warned = [o["text"] for o in outputs if o.get("name") == "stderr" and "Warning" in o["text"]]
    assert not warned


@pytest.fixture(scope="module")
def classroom(
    learner: Path, tmp_path_factory: pytest.TempPathFactory, running: Callable[..., Any]
) -> Iterator[Any]:
    """Yield a JupyterLab of somebody who learns."""
    environment = {
        name: value for name, value in surroundings(learner).items() if name != "MPLBACKEND"
    }
    with running(tmp_path_factory.mktemp("classroom"), **environment) as lab:
        yield lab


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.browser
@each
def test_a_notebook_runs_in_a_real_jupyterlab_and_nothing_leaves_the_machine(
    path, classroom, open_notebook
) -> None:
    (classroom.folder / path.name).write_bytes(path.read_bytes())
    here = open_notebook(classroom, path.name)
    here.run()
    here.page.wait_for_timeout(3000)
    here.shoot_whole(path.stem)
    assert here.abroad() == []
