"""Ingest from Galaxy: from an inbox, from a history, from an address; with the user's rights."""

import json
import threading
from dataclasses import replace
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import tifffile

from gateway.errors import CallError, ExistsError, ForbiddenError, FormatError, NotFoundError
from gateway.galaxy.ingest_job import check_host, run_ingest, suggest_stem
from gateway.galaxy.ingest_xml import VERSION
from gateway.galaxy.volref import read_volref
from gateway.service.access.actor import Role
from gateway.service.access.grants import grants_of
from gateway.service.access.people import ensure_person
from gateway.service.exports import export
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.toolkit.fixtures import put_fixture
from gateway.volumes.box import Box
from gateway.volumes.open import open_ref
from gateway.volumes.ref import Ref

ANA = "ana@lab.example"
VOXELS = np.arange(5 * 8 * 8, dtype=np.uint16).reshape(5, 8, 8)
EMPTY = {"channel_names": "", "as_dtype": None, "overlap": "", "grid": "", "order": "raster"}


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWAY_GALAXY_DOMAIN", "lab.example")
    monkeypatch.setenv("GATEWAY_INBOXES", json.dumps([str(tmp_path / "scope")]))
    monkeypatch.setenv("GATEWAY_GALAXY_HOSTS", '["127.0.0.1"]')
    (tmp_path / "scope/mouse1").mkdir(parents=True)
    tifffile.imwrite(tmp_path / "scope/plain.tif", VOXELS)
    for number in range(2):
        tifffile.imwrite(tmp_path / f"scope/mouse1/tile_{number}_0.tif", VOXELS + number)
    (tmp_path / "scope/mouse1/positions.csv").write_text(
        "file,nominal_z,nominal_y,nominal_x\ntile_0_0.tif,0,0,0\ntile_1_0.tif,0,6,0\n"
    )
    init_home(tmp_path / "home")
    opened = open_gateway(tmp_path / "home")
    with opened.catalogue:
        ensure_person(opened, "ana")
        yield opened


@pytest.fixture
def ingest(gateway, tmp_path):
    """Ingest as Galaxy would: `ingest({"from": "inbox", "place": ...}, what="image")`."""

    def run(source, *, limits=None, user=ANA, version=VERSION, save=None, **form):
        work = tmp_path / f"work{len(list(tmp_path.glob('work*')))}"
        work.mkdir()
        whole = {"source": source, "what": "image", "voxel_um": "2,1,1", **form}
        whole |= {"more": EMPTY | {"in_place": False}, "save": save or {}}
        (work / "form.json").write_text(json.dumps(whole))
        settings = gateway.settings.model_copy(update=limits or {})
        path = run_ingest(
            replace(gateway, settings=settings),
            version=version,
            form=work / "form.json",
            user=user,
            folder=work,
        )
        return read_volref(path)

    return run


def of_history(path, ext, name="My cells 3.tif"):
    given = {"element_identifier": name, "ext": ext, "source_path": str(path)}
    return {"from": "history", "file": given | {"staging_path": f"{name}.{ext}"}}


def inbox(place):
    return {"from": "inbox", "place": place}


def test_tiles_of_an_inbox_become_a_grid_of_ones_own(ingest, gateway):
    made = ingest(inbox("scope/mouse1"), what="tiles")
    assert (made.ref, made.kind) == ("mouse1/tiles", "tiles")
    assert grants_of(gateway, "mouse1") == {"person:ana": Role.OWNER}
    assert ingest(inbox("scope/mouse1"), what="tiles") == made, "the same again is found done"


def test_a_file_of_an_inbox_becomes_a_volume_with_its_run_recorded(ingest, gateway):
    made = ingest(inbox("scope/plain.tif"), save={"dataset": "m2", "name": "dapi"})
    assert (made.ref, made.kind) == ("m2/dapi", "image")
    assert made.facts["voxel_um"] == [2, 1, 1]
    volume = open_ref(gateway.store, Ref("m2", "dapi"))
    assert np.array_equal(volume.read(Box.of_shape(VOXELS.shape))[0], VOXELS)
    assert volume.info.made_by is not None


def test_what_it_is_must_be_what_was_chosen(ingest):
    with pytest.raises(CallError, match=r"2 tiles of .* that is not image; choose tiles as what"):
        ingest(inbox("scope/mouse1"))
    with pytest.raises(CallError, match="that is not tiles; choose image as what it is"):
        ingest(inbox("scope/plain.tif"), what="tiles")


def test_nothing_outside_an_inbox_is_read(ingest, tmp_path):
    (tmp_path / "scope/out.tif").symlink_to("/etc/hostname")
    for place, error, message in (
        ("scope/../home/gateway.toml", ForbiddenError, "leads out of its inbox"),
        ("scope/out.tif", ForbiddenError, "leads out of its inbox"),
        ("/etc/passwd", NotFoundError, "there is no inbox 'etc'"),
        ("elsewhere/x", NotFoundError, "there is no inbox 'elsewhere'; there are scope, uploads"),
    ):
        with pytest.raises(error, match=message):
            ingest(inbox(place))


def test_a_dataset_of_the_history_is_copied_in_under_its_name(ingest, tmp_path):
    path = tmp_path / "dataset_7.dat"
    tifffile.imwrite(path, VOXELS)
    made = ingest(of_history(path, "tiff"), what="labels")
    assert made.ref.startswith("My-cells-3/labels-")
    assert made.kind == "labels"
    assert ingest(of_history(path, "tiff"), what="labels") == made, "the same again is found"
    named = ingest(of_history(path, "tiff"), save={"dataset": "m3", "name": "dapi"})
    assert named.ref == "m3/dapi"


def test_a_zarr_folder_of_the_history_is_copied_in(ingest, gateway, tmp_path):
    put_fixture(gateway.store, "two_blobs", Ref("examples", "two_blobs"))
    (tmp_path / "dataset_8_files").mkdir()
    export(gateway, Ref("examples", "two_blobs"), tmp_path / "dataset_8_files/x.ome.zarr")
    (tmp_path / "dataset_8.dat").touch()
    made = ingest(of_history(tmp_path / "dataset_8.dat", "ome_zarr", "blobs"), voxel_um="")
    assert made.digest == open_ref(gateway.store, Ref("examples", "two_blobs")).info.digest


@pytest.mark.parametrize(("ext", "between"), [("csv", ","), ("tabular", "\t")])
def test_a_table_of_the_history_becomes_points(ingest, gateway, tmp_path, ext, between):
    path = tmp_path / "dataset_9.dat"
    lines = ("z_um,y_um,x_um,label,kind", "1,2,3.5,7,soma", "2,2,2,8,")
    path.write_text("\n".join(lines).replace(",", between) + "\n")
    made = ingest(of_history(path, ext, "cells"), what="points")
    assert made.ref.startswith("cells/points-")
    rows = open_ref(gateway.store, made.parsed).read()
    assert sorted(rows["label"].tolist()) == [7, 8]
    assert sorted(rows["kind"].tolist()) == ["", "soma"]
    assert ingest(of_history(path, ext, "cells"), what="points").digest == made.digest
    path.write_text(f"z_um{between}y_um{between}x_um\n1{between}1{between}1\n")
    name = {"name": made.parsed.name}
    with pytest.raises(ExistsError, match=f"{made.ref} already exists"):
        ingest(of_history(path, ext, "cells"), what="points", save=name)
    path.write_text(f"a{between}b\n1{between}1\n")
    with pytest.raises(FormatError, match="a points table lacks z_um, y_um, x_um"):
        ingest(of_history(path, ext, "more"), what="points")


def test_what_is_too_large_to_copy_is_refused_with_the_limit(ingest, tmp_path):
    path = tmp_path / "dataset_7.dat"
    tifffile.imwrite(path, VOXELS)
    with pytest.raises(CallError, match=r"at most 100 \(the setting cutout\) .* into an inbox"):
        ingest(of_history(path, "tiff"), limits={"cutout": 100})
    with pytest.raises(CallError, match=r"'My cells 3\.tif' of the history cannot be read"):
        ingest(of_history(tmp_path / "gone.dat", "tiff"))


@pytest.fixture
def web(tmp_path):
    """Serve a folder over HTTP on this machine; returns its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *given, **named):
            super().__init__(*given, directory=str(tmp_path), **named)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_deferred_volume_is_registered_where_it_lies(ingest, gateway, web, tmp_path):
    put_fixture(gateway.store, "two_blobs", Ref("examples", "two_blobs"))
    export(gateway, Ref("examples", "two_blobs"), tmp_path / "far.ome.zarr")
    made = ingest(of_history(f"{web}/far.ome.zarr", "ome_zarr"), voxel_um="")
    assert (made.ref, made.kind) == ("far/raw", "image")
    original = open_ref(gateway.store, Ref("examples", "two_blobs"))
    assert open_ref(gateway.store, made.parsed).info.shape == original.info.shape
    again = ingest({"from": "address", "url": f"{web}/far.ome.zarr/"}, voxel_um="")
    assert again == made
    with pytest.raises(CallError, match="only a volume is registered at its address, but tiles"):
        ingest({"from": "address", "url": f"{web}/far.ome.zarr"}, what="tiles")


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        (
            "http://10.0.0.1/x.zarr",
            ForbiddenError,
            r"not read from 10\.0\.0\.1; it reads from 127",
        ),
        ("http://127.0.0.1.evil.example/x", ForbiddenError, "does not read from 127.0.0.1.evil"),
        ("http://ana:pw@127.0.0.1/x", CallError, "is no web address; expected https://HOST/PATH"),
        ("file:///etc/passwd", CallError, "is no web address"),
        ("s3://bucket/x", CallError, "is no web address"),
    ],
)
def test_an_address_on_an_arbitrary_host_is_refused(gateway, url, error, message):
    with pytest.raises(error, match=message):
        check_host(gateway, url)


def test_a_host_may_be_named_by_its_domain(gateway):
    hosts = {"galaxy_hosts": ("*.example.org",)}
    gateway = replace(gateway, settings=gateway.settings.model_copy(update=hosts))
    check_host(gateway, "https://data.Example.org/x.zarr")
    with pytest.raises(ForbiddenError, match=r"it reads from \*\.example\.org; ask its admin"):
        check_host(gateway, "https://example.com/x.zarr")


def test_only_editors_bring_things_into_a_dataset(ingest, gateway):
    ensure_person(gateway, "eve")
    ingest(inbox("scope/plain.tif"), save={"dataset": "m2"})
    with pytest.raises(ForbiddenError, match="eve has no role on the dataset m2"):
        ingest(inbox("scope/plain.tif"), user="eve@lab.example", save={"dataset": "m2"})


@pytest.mark.parametrize(
    ("source", "change", "message"),
    [
        ({"from": "moon"}, {}, "the source is said to be 'moon'; expected inbox, history or addr"),
        (None, {}, "the source is said to be None"),
        (
            inbox("scope/plain.tif"),
            {"what": "film"},
            "said to be 'film'; expected one of tiles",
        ),
        (
            inbox("scope/plain.tif"),
            {"voxel_um": "5"},
            "the field 'voxel_um' is '5'; expected thr",
        ),
        (inbox("scope/plain.tif"), {"save": "x"}, "the section 'save' of the form is 'x'"),
        (inbox("scope/plain.tif"), {"version": "0.1"}, r"of ingest 0\.1, but 1\.0\.0 is installed"),
        (of_history("/x.dat", "pdf"), {}, "the dataset is of type 'pdf'; expected one of tiff"),
    ],
)
def test_a_form_that_does_not_suit_is_refused_by_name(ingest, source, change, message):
    with pytest.raises(CallError, match=message):
        ingest(source, **change)


def test_any_name_gives_a_name_of_a_dataset():
    assert suggest_stem("https://x/y/brain 1.ome.zarr/") == "brain-1"
    assert suggest_stem("cells (2).csv") == "cells--2-"[:-1]
    assert suggest_stem("µ") == "sample"
