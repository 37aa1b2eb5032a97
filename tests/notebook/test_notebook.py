"""Tools as functions, volumes that show themselves, forms as widgets: on a real home."""

import inspect

import numpy as np
import pytest

import gateway
import gateway.notebook as nb
from gateway.errors import CallError, NotFoundError, SettingsError
from gateway.notebook.progress import fraction
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.toolkit.fixtures import put_fixture
from gateway.toolkit.registry import get_tool
from gateway.volumes.ref import Ref


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("notebook") / "home"
    init_home(path)
    opened = open_gateway(path)
    with opened.catalogue:
        for name in ("two_blobs", "two_blobs_labels", "three_points"):
            put_fixture(opened.store, name, Ref("m1", name))
    return path


@pytest.fixture(autouse=True)
def _session(home):
    with gateway.connect(home=home) as opened:
        nb.use(opened)
        yield
        nb.use(None)


def test_a_volume_reads_lazily_and_shows_its_picture():
    volume = nb.open("m1/two_blobs")
    assert volume[0, 0, 14, 30, 36] > 2000
    assert volume.level_for(2.0) >= 0
    picture = volume.thumbnail()
    assert picture.dtype == np.uint8
    assert picture.max() == 255
    shown = volume._repr_html_()
    assert "data:image/png;base64," in shown
    assert "40 \u00d7 96 \u00d7 112 (z y x), uint16" in shown
    assert repr(volume).startswith("<image m1/two_blobs: 40 x 96 x 112 voxels, uint16")
    assert set(np.unique(nb.open("m1/two_blobs_labels").thumbnail())) > {0}


def test_a_table_shows_its_first_rows_and_becomes_a_frame():
    table = nb.open("m1/three_points")
    frame = table.frame(box_um=((0, 0, 0), (30, 50, 50)))
    assert frame["brightness"].tolist() == [3000]
    assert "<td>3000</td>" in table._repr_html_()
    with pytest.raises(NotFoundError, match="m1/missing"):
        nb.open("m1/missing")


def test_a_tool_is_a_function_with_help_bounds_and_completion():
    assert "detect_nuclei" in dir(nb.tools)
    tool = nb.tools.detect_nuclei
    parameters = inspect.signature(tool).parameters
    assert list(parameters)[:2] == ["image", "diameter_um"]
    assert parameters["sensitivity"].default == 1.0
    assert (
        "diameter_um: Typical diameter of a nucleus; within 20 % is near enough. (> 0, ≤ 10000)"
        in (tool.__doc__)
    )
    with pytest.raises(AttributeError, match="no tool 'detect_nuclie'"):
        nb.tools.detect_nuclie  # noqa: B018 - what completion does


@pytest.mark.slow
def test_a_run_gives_its_outputs_and_the_same_call_finds_them_again(capsys):
    example = get_tool("smooth_gaussian").examples[0]
    result = nb.tools.smooth_gaussian(image="m1/two_blobs", **example.params)
    assert result["image"].info.digest == example.expect["image"]
    assert "smooth_gaussian: done" in capsys.readouterr().err
    again = nb.tools.smooth_gaussian(image="m1/two_blobs", **example.params)
    assert again.refs == result.refs
    shown = result._repr_html_()
    assert "<b>smooth_gaussian</b> made:" in shown
    assert "data:image/png;base64," in shown
    assert f"smooth_gaussian {get_tool('smooth_gaussian').version} from m1/two_blobs, " in shown
    named = nb.tools.smooth_gaussian(image="m1/two_blobs", out="m1/soft", sigma_um=3.0)
    assert named.refs == {"image": "m1/soft"}
    with pytest.raises(KeyError, match="'labels'; the run made image"):
        named["labels"]


def test_a_wrong_call_names_what_is_wrong():
    with pytest.raises(CallError, match="'sigma_um' is -1"):
        nb.tools.smooth_gaussian(image="m1/two_blobs", sigma_um=-1)
    with pytest.raises(CallError, match="say where 'image' goes: out=… or dataset=…"):
        nb.tools.smooth_gaussian()
    with pytest.raises(CallError, match=r"outputs image, positions; give out=\{port: ref\}"):
        nb.tools.stitch(tiles="m1/tiles", out="m1/x")
    assert nb.tools.smooth_gaussian.plan(image="m1/two_blobs", sigma_um=2, dataset="mine")


@pytest.mark.slow
def test_a_form_runs_what_stands_in_it_and_says_what_is_wrong_beside_it():
    form = nb.form("smooth_gaussian", image="m1/two_blobs", sigma_um=2.5)
    assert form.values == {"image": "m1/two_blobs", "sigma_um": 2.5}
    form.button.click()
    assert form.message.value == ""
    assert form.result["image"].info.shape == (40, 96, 112)
    nowhere = nb.form("smooth_gaussian", image="m1/nothing")
    nowhere.button.click()
    assert "m1/nothing" in nowhere.message.value
    assert not nowhere.button.disabled


def test_a_form_has_a_widget_for_every_kind_of_setting():
    form = nb.form("downsample", image="m1/two_blobs", factor=[1, 2, 2])
    assert form.values["factor"] == [1, 2, 2]
    blank = nb.form("detect_nuclei")
    assert "diameter_um" not in blank.values, "it has no default: the person must say it"


def test_progress_counts_every_pass_the_same():
    passes = [{"name": "a", "tasks": 4, "done": 4}, {"name": "b", "tasks": 4, "done": 2}]
    state = {"status": "running", "progress": {"names": ["a", "b", "c"], "passes": passes}}
    assert fraction(state) == pytest.approx(0.5)
    assert fraction({"status": "done"}) == 1
    assert fraction({"status": "queued", "progress": None}) == 0


def test_without_a_gateway_it_says_how_to_choose_one(monkeypatch):
    for name in ("GATEWAY_URL", "GATEWAY_TOKEN", "GATEWAY_HOME"):
        monkeypatch.delenv(name, raising=False)
    nb.use(None)
    with pytest.raises(SettingsError, match="no gateway home is selected"):
        nb.open("m1/two_blobs")
