"""Slices, solids, plots and what a view shows: on a real home, without a browser."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from traitlets import TraitError

import gateway
import gateway.notebook as nb
from gateway.client.session import Lent
from gateway.errors import BoxError, CallError, NotFoundError, SettingsError
from gateway.notebook.service import browser_root
from gateway.notebook.solid import choose_piece, ipyvolume
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.service.rebuild import rebuild_catalogue
from gateway.toolkit.fixtures import put_fixture
from gateway.volumes.ref import Ref

BLOB_UM = (28.0, 30.0, 36.0)
"""Centre of the first blob of the example volume."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("looking") / "home"
    init_home(path)
    opened = open_gateway(path)
    with opened.catalogue:
        for name in ("two_blobs", "two_blobs_labels", "three_points"):
            put_fixture(opened.store, name, Ref("m1", name))
        rebuild_catalogue(opened)
    return path


@pytest.fixture(autouse=True)
def session(home):
    with gateway.connect(home=home) as opened:
        nb.use(opened)
        yield opened
        nb.use(None)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def at(png: bytes, rows_um: float, columns_um: float, across_um: float) -> np.ndarray:
    """Return the colour of a place of a picture."""
    picture = pixels(png)
    scale = picture.shape[1] / across_um
    return picture[int((rows_um + 0.5) * scale), int((columns_um + 0.5) * scale)]


def test_slices_show_what_the_volume_holds_at_the_place():
    shown = nb.slices("m1/two_blobs", pixels=448)
    assert shown.pictures[0].width == "448"
    shown.position_um = list(BLOB_UM)
    top = shown.pictures[0].value
    assert at(top, 33, 39, 112).min() > 130, "inside the blob, beside the cross"
    assert at(top, 80, 20, 112).max() < 90
    assert shown.sliders[0].value == 28
    before = top
    shown.sliders[0].value = 60.0
    assert shown.position_um == [60.0, 30.0, 36.0]
    assert shown.pictures[0].value != before
    assert at(shown.pictures[0].value, 33, 39, 112).max() < 90, "above the blob"
    side = pixels(shown.pictures[1].value)
    assert side.shape[:2] == (320, 448), "80 by 112 micrometres: as long as in the sample"


def test_slices_stay_inside_and_read_only_what_they_show():
    shown = nb.slices("m1/two_blobs")
    shown.position_um = [-50.0, 1000.0, 36.0]
    assert shown.position_um == [0.0, 95.0, 36.0]
    with pytest.raises(TraitError, match="expected z, y and x"):
        shown.position_um = [1.0, 2.0]


def test_labels_and_points_lie_over_the_picture_and_can_be_hidden():
    shown = nb.slices(
        "m1/two_blobs", labels="m1/two_blobs_labels", points=nb.open("m1/three_points"), pixels=448
    )
    shown.position_um = list(BLOB_UM)
    coloured = at(shown.pictures[0].value, 33, 39, 112)
    assert np.ptp(coloured) > 30
    shown.over.value = False
    assert np.ptp(at(shown.pictures[0].value, 33, 39, 112)) == 0
    with pytest.raises(CallError, match="dict has no positions; expected a ref or rows"):
        nb.slices("m1/two_blobs", points={"x_um": [1]})
    with pytest.raises(CallError, match="int is nothing of a gateway; expected a ref"):
        nb.slices(7)


def test_a_solid_takes_the_finest_level_that_fits():
    volume = nb.open("m1/two_blobs").volume
    whole = choose_piece(volume, None, 2**21)
    assert (whole.level, whole.low_um, whole.high_um) == (0, (-1, -0.5, -0.5), (79, 95.5, 111.5))
    part = choose_piece(volume, ((0, 0, 0), (40, 48, 48)), 50_000)
    assert part.box.shape == (20, 48, 48)
    with pytest.raises(BoxError, match="give a smaller box"):
        choose_piece(volume, None, 10)


def test_a_solid_holds_the_voxels_and_the_points_of_its_box():
    assert nb.view3d("m1/two_blobs", box=((0, 0, 0), (60, 60, 60)), points="m1/three_points")
    figure = ipyvolume.gcf()
    data = figure.volumes[0]
    assert data.data_original.shape == (30, 60, 60)
    assert data.data_original[14, 30, 36] > 2000
    assert data.extent_original == [[-0.5, 59.5], [-0.5, 59.5], [-1.0, 59.0]]
    rows = nb.open("m1/three_points").read(box_um=((-1, -0.5, -0.5), (59, 59.5, 59.5)))
    assert len(figure.scatters[0].x) == len(rows["x_um"]) > 0
    with pytest.raises(CallError, match=r"voxels is 0; expected 1 to 67108864"):
        nb.view3d("m1/two_blobs", voxels=0)


def test_histograms_and_pictures_show_themselves(tmp_path):
    chart = nb.plot.histogram("m1/three_points", "brightness", bins=8)
    assert chart._repr_html_().count('class="bar"') == 8
    chart.save(tmp_path / "bars.svg")
    assert (tmp_path / "bars.svg").read_text().startswith("<svg xmlns")
    rows = nb.open("m1/three_points").frame()
    assert nb.plot.histogram(rows, "brightness", bins=8).svg == chart.svg
    with pytest.raises(NotFoundError, match="no column 'weight'"):
        nb.plot.histogram(rows, "weight")
    with pytest.raises(CallError, match="a histogram takes numbers"):
        nb.plot.histogram({"name": np.asarray(["a"])}, "name")
    ringed = nb.plot.detections("m1/two_blobs", rows, diameter_um=16)
    assert "3 rings" in ringed._repr_html_()
    ringed.save(tmp_path / "rings.png")
    assert np.ptp(pixels(ringed.png), axis=-1).max() > 60, "rings have colours"


def test_outlines_are_drawn_over_their_image():
    drawn = nb.plot.outlines("m1/two_blobs", "m1/two_blobs_labels", BLOB_UM, across_um=60)
    assert np.ptp(pixels(drawn.png), axis=-1).max() > 60
    with pytest.raises(CallError, match="three_points is a table"):
        nb.plot.outlines("m1/two_blobs", "m1/three_points")


def test_a_view_knows_its_datasets_tables_and_bounds():
    view = nb.view("m1/two_blobs", nb.open("m1/three_points"), panels="xy")
    assert view._shown.datasets == {"m1": ["two_blobs", "three_points"]}
    view.picked = {"layer": "three_points", "type": "annotation", "id": "1"}
    assert view.row["brightness"] == nb.open("m1/three_points").frame()["brightness"][1]
    assert view.label is None
    view.picked = {"layer": "two_blobs_labels", "type": "segmentation", "id": "2"}
    assert (view.row, view.label) == (None, 2)
    sliders = view.sliders()
    view.position_um = [10.0, 20.0, 30.0]
    assert [slider.value for slider in sliders.children] == [10, 20, 30]
    sliders.children[0].value = 12.0
    assert view.position_um == [12.0, 20.0, 30.0]
    whole = nb.view("m1")
    assert set(whole._shown.datasets["m1"]) == {"two_blobs", "two_blobs_labels", "three_points"}


def test_what_cannot_be_viewed_is_said_at_once():
    with pytest.raises(NotFoundError, match="m1/nothing"):
        nb.view("m1/nothing")
    with pytest.raises(CallError, match="there is nothing to show"):
        nb.view()
    with pytest.raises(CallError, match="the rows 'mine' lack z_um; expected the columns"):
        nb.view("m1/two_blobs", points={"mine": {"x": [1]}})
    with pytest.raises(CallError, match="a view takes 20000 from a notebook"):
        nb.view(
            "m1/two_blobs", points={"mine": {n: np.zeros(20_001) for n in ("z_um", "y_um", "x_um")}}
        )
    view = nb.view("m1/two_blobs")
    with pytest.raises(TraitError, match="expected z, y and x"):
        view.position_um = [1.0]
    view.layers = {"two_blobs": {"visible": True}}
    with pytest.raises(CallError, match="no layer 'raw'; it has two_blobs"):
        view.show_layer("raw", visible=False)


def test_rows_of_ones_own_are_a_layer():
    rows = {"z_um": [1.0], "y_um": [2.0], "x_um": [3.0], "note": ["here"]}
    view = nb.view("m1/two_blobs", points={"mine": rows})
    assert view._own["mine"].layer["annotations"] == [
        {"type": "point", "id": "0", "point": [3.0, 2.0, 1.0]}
    ]
    view.picked = {"layer": "mine", "type": "annotation", "id": "0"}
    assert view.row["note"] == "here"


@pytest.mark.slow
def test_the_service_of_a_kernel_shows_its_home_and_ends_with_the_kernel(home):
    code = (
        "import gateway, gateway.notebook as nb, json, sys\n"
        "said = nb.view('m1/two_blobs')._frame()\n"
        "print(json.dumps(said), flush=True)\n"
        "sys.stdin.read()\n"
    )
    environment = {
        **os.environ,
        "GATEWAY_HOME": str(home),
        "GATEWAY_BASE_URL": "https://b.example.org/lab",
    }
    kernel = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    said = json.loads(kernel.stdout.readline())
    assert said["frame"].startswith("http://127.0.0.1:")
    page = httpx.get(said["frame"], timeout=30)
    assert "viewer-embed.js" in page.text
    kernel.kill()
    kernel.wait()
    kernel.stdin.close()
    kernel.stdout.close()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            httpx.get(said["frame"], timeout=5)
        except httpx.TransportError:
            return
        time.sleep(0.2)
    raise AssertionError("the service outlived its kernel")


def test_behind_a_hub_the_browser_comes_through_the_proxy(session, monkeypatch):
    lent = session.lend("m1")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ana/")
    monkeypatch.setattr(
        "gateway.notebook.service._SERVICES.port", lambda _home: 1234, raising=False
    )
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(SettingsError, match="only with jupyter-server-proxy: `pip install"):
        browser_root(session, lent)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: Path)
    assert browser_root(session, lent) == f"/user/ana/proxy/1234{lent.path}"


def test_a_service_that_cannot_start_says_why(tmp_path):
    path = tmp_path / "broken"
    init_home(path)
    with gateway.connect(home=path) as session:
        (path / "gateway.toml").write_text("workers = 0\n")
        with pytest.raises(SettingsError, match="did not start: setting workers = 0"):
            browser_root(session, Lent("/s/p.x/", None))
