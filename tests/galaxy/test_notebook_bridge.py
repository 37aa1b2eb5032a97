"""From a history into a notebook, and from a notebook's calls to a workflow of Galaxy."""

import pytest
import yaml

from gateway.client.connect import connect
from gateway.errors import CallError, ForbiddenError, NotFoundError
from gateway.galaxy import notebook
from gateway.galaxy.client import pick_item
from gateway.galaxy.command import main
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.toolkit.fixtures import put_fixture
from gateway.volumes.ref import Ref

ITEMS = [
    {"hid": 1, "id": "aa", "name": "Tiles"},
    {"hid": 2, "id": "bb", "name": "Brain"},
    {"hid": 3, "id": "cc", "name": "Brain"},
]


@pytest.fixture(autouse=True)
def _no_galaxy(monkeypatch):
    monkeypatch.delenv("GALAXY_URL", raising=False)
    monkeypatch.delenv("GALAXY_API_KEY", raising=False)
    notebook.use(None)
    yield
    notebook.use(None)


def test_an_item_is_named_by_number_name_or_id():
    assert pick_item(1, ITEMS) == "aa"
    assert pick_item("Brain", ITEMS) == "cc", "the latest of that name"
    assert pick_item("bb", ITEMS) == "bb"
    with pytest.raises(NotFoundError, match="no item 'Liver'; there is 1: 'Tiles', 2: 'Brain'"):
        pick_item("Liver", ITEMS)
    with pytest.raises(NotFoundError, match="no item 7; there is none"):
        pick_item(7, [])


def test_without_a_galaxy_it_says_how_to_choose_one(monkeypatch):
    with pytest.raises(CallError, match=r"no Galaxy is chosen; call use\(URL, KEY\), or set GALAX"):
        notebook.get("Brain")
    monkeypatch.setenv("GALAXY_URL", "https://g.example")
    with pytest.raises(ForbiddenError, match=r"no key for the Galaxy at https://g\.example"):
        notebook.get("Brain")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Make a home in which somebody has smoothed a volume twice, in a notebook."""
    home = tmp_path_factory.mktemp("bridge") / "home"
    init_home(home)
    gateway = open_gateway(home)
    with gateway.catalogue:
        put_fixture(gateway.store, "two_blobs", Ref("m1", "raw"))
    with connect(home=home) as session:
        for source, made in (("m1/raw", "m1/once"), ("m1/once", "m1/twice")):
            session.run("smooth_gaussian", {"image": source}, {"image": made}, sigma_um=2)
    return home


@pytest.mark.slow
def test_a_notebooks_calls_become_a_workflow(home, tmp_path):
    with connect(home=home) as session:
        path = notebook.workflow("m1/twice", file=tmp_path / "mine.gxwf.yml", session=session)
        with pytest.raises(NotFoundError, match="no call of a tool that Galaxy has made m1/raw"):
            notebook.workflow("m1/raw", file=path, session=session)
        with pytest.raises(CallError, match=r"is named \*\.gxwf\.yml, not 'mine\.txt'"):
            notebook.workflow("m1/twice", file=tmp_path / "mine.txt", session=session)
    steps = yaml.safe_load(path.read_text())["steps"]
    assert [step["tool_state"]["sigma_um"] for step in steps.values()] == [2.0, 2.0]


@pytest.mark.slow
def test_the_runs_behind_a_thing_become_a_workflow_on_the_command_line(home, tmp_path, capsys):
    out = tmp_path / "mine.gxwf.yml"
    with pytest.raises(SystemExit) as ended:
        main(["workflow", "m1/twice", "--out", str(out), "--home", str(home)])
    assert ended.value.code == 0
    assert "gateway galaxy invoke" in capsys.readouterr().out
    workflow = yaml.safe_load(out.read_text())
    assert list(workflow["steps"]) == ["Smooth gaussian", "Smooth gaussian 2"]
    assert list(workflow["inputs"]) == ["Image", "Dataset for results"]
