"""Small things of the store become files of a history, and files things; large ones do not."""

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from gateway.errors import CallError, ForbiddenError, FormatError
from gateway.galaxy.convert_job import copy_out, take_in
from gateway.galaxy.converters import converters
from gateway.galaxy.publish import write_examples
from gateway.galaxy.server.toolbox import render_datatypes
from gateway.galaxy.volref import read_volref
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant, grants_of
from gateway.service.access.people import ensure_person
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.volumes.formats.registry import open_source

ANA = "ana@lab.example"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    home = tmp_path_factory.mktemp("convert") / "home"
    init_home(home)
    with (home / "gateway.toml").open("a") as file:
        file.write('galaxy_domain = "lab.example"\n')
    opened = open_gateway(home)
    with opened.catalogue:
        ensure_person(opened, "ana")
        ensure_person(opened, "eve")
        write_examples(opened, home.parent / "data")
        grant(opened, "examples", "person:ana", Role.VIEWER)
        yield opened


@pytest.fixture
def data(gateway):
    return gateway.home.parent / "data"


@pytest.mark.parametrize(
    ("name", "to", "suffix"),
    [
        ("two_blobs", "tiff", ".tif"),
        ("two_blobs", "nii1.gz", ".nii.gz"),
        ("two_blobs_labels", "tiff", ".tif"),
    ],
)
def test_a_volume_is_copied_whole(gateway, tmp_path, name, to, suffix):
    data = gateway.home.parent / "data"
    volref = read_volref(data / f"{name}.volref")
    made = copy_out(gateway, data / f"{name}.volref", to=to, user=ANA, work=tmp_path)
    assert made == tmp_path / "made"
    made.rename(tmp_path / f"x{suffix}")
    assert list(open_source(tmp_path / f"x{suffix}").info.shape) == volref.facts["shape"][-3:]


def test_a_folder_is_copied_beside_the_file_that_galaxy_keeps(gateway, data, tmp_path):
    folder = tmp_path / "dataset_1_files"
    volref = data / "two_blobs.volref"
    made = copy_out(gateway, volref, to="ome_zarr", user=ANA, work=tmp_path, folder=folder)
    assert made.read_text() == "examples/two_blobs\n"
    assert (folder / "two_blobs.ome.zarr/zarr.json").is_file()
    taken = take(gateway, tmp_path, tmp_path / "dataset_1.dat", "ome_zarr", "image")
    assert taken.digest == read_volref(volref).digest
    assert taken.ref.startswith("galaxy-ana/raw-")
    assert grants_of(gateway, "galaxy-ana") == {"person:ana": Role.OWNER}


@pytest.mark.parametrize(("to", "between"), [("csv", ","), ("tabular", "\t")])
def test_a_table_goes_out_and_comes_in_again(gateway, data, tmp_path, to, between):
    volref = data / "three_points.volref"
    made = copy_out(gateway, volref, to=to, user=ANA, work=tmp_path)
    head = made.read_text().splitlines()[0].replace('"', "").split(between)
    assert head[:3] == ["z_um", "y_um", "x_um"]
    again = take(gateway, tmp_path, made.rename(tmp_path / "dataset_2.dat"), to, "points")
    assert again.digest == read_volref(volref).digest


def test_the_same_file_again_is_the_same_thing(gateway, data, tmp_path):
    first, second = (
        take(gateway, tmp_path / str(number), data / "two_blobs.tif", "tiff", "image")
        for number in range(2)
    )
    assert first == second


def test_only_who_may_see_a_thing_gets_a_copy(gateway, data, tmp_path):
    volref = data / "two_blobs.volref"
    with pytest.raises(ForbiddenError, match="eve has no role on examples/two_blobs"):
        copy_out(gateway, volref, to="tiff", user="eve@lab.example", work=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_large_is_refused_with_the_limit(gateway, data, tmp_path):
    small = replace(gateway, settings=gateway.settings.model_copy(update={"cutout": 50}))
    for name, to, way_out in (
        ("two_blobs", "tiff", "export a coarser level or a box of it"),
        ("three_points", "csv", "read it by box in a notebook"),
    ):
        with pytest.raises(CallError, match=rf"at most 50 \(the setting cutout\).*{way_out}"):
            copy_out(small, data / f"{name}.volref", to=to, user=ANA, work=tmp_path)


def test_what_has_no_such_file_is_named(gateway, data, tmp_path):
    with pytest.raises(CallError, match="is points, which is not copied to tiff; expected csv"):
        copy_out(gateway, data / "three_points.volref", to="tiff", user=ANA, work=tmp_path)
    with pytest.raises(CallError, match="is tiles, which is not copied to tiff; expected nothing"):
        copy_out(gateway, data / "four_tiles.volref", to="tiff", user=ANA, work=tmp_path)


def test_a_file_that_says_too_little_leads_to_the_tool_that_asks(gateway, tmp_path):
    table = tmp_path / "dataset_3.dat"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match=r"lacks z_um.*the tool Ingest asks for what a file does"):
        take(gateway, tmp_path, table, "csv", "points")


def test_galaxy_knows_every_converter(tmp_path):
    names = {one.source for one in converters() if not one.source.startswith("volref_")}
    registered = "".join(f'<datatype extension="{name}" type="x:Y"/>' for name in names)
    sample = f"<datatypes><registration>{registered}</registration><sniffers/></datatypes>"
    root = ET.fromstring(render_datatypes(sample, None, tmp_path))  # noqa: S314 - ours
    found = {
        (datatype.get("extension"), converter.get("target_datatype"))
        for datatype in root.iter("datatype")
        for converter in datatype.findall("converter")
    }
    assert found == {(one.source, one.target) for one in converters()}


def take(gateway, work, path, ext, kind):
    """Take a dataset in as Galaxy's converter would; returns its volref."""
    folder = work / "job"
    folder.mkdir(parents=True)
    file = {"element_identifier": "x", "ext": ext, "source_path": str(path)}
    (folder / "form.json").write_text(json.dumps({"input1": file}))
    made = take_in(gateway, kind=kind, form=folder / "form.json", user=ANA, work=folder)
    return read_volref(made)
