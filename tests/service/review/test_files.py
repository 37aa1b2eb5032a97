"""Layers as files and at rest: the same after a round trip, and back after the database is lost."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from gateway.errors import BoxError, CallError, FormatError
from gateway.service.access.actor import Actor
from gateway.service.gateway import open_gateway
from gateway.service.rebuild import rebuild_catalogue
from gateway.service.review.edits import apply_edits
from gateway.service.review.exchange import exported, import_objects
from gateway.service.review.keeping import store_layers
from gateway.service.review.layers import make_layer, remove_layer, show_layer
from gateway.service.review.undoing import redo, undo
from gateway.service.review.versions import list_versions, objects_in_box
from gateway.service.verification import verify
from gateway.volumes.layers import layer_key
from gateway.volumes.points import open_points

ANA, BEN = Actor(person="ana"), Actor(person="ben")
FORMATS = ("json", "csv", "hdf5", "parquet")
ODD = [
    {"op": "create", "points": [[0.1, 1e-300, 99.0]], "class": "neuron", "status": "accepted"},
    {"op": "create", "points": [[1, 2, 3]], "comment": 'a "quoted",\nline; ünïcödé\r'},
    {"op": "create", "shape": "line", "points": [[1, 2, 3], [4.5, 5, 6]], "class": "glia"},
    {"op": "create", "shape": "polygon", "points": [[1, 2, 3], [4, 5, 6], [7, 8, 10.25]]},
    {
        "op": "create",
        "points": [[1 / 3, 2, 3]],
        "properties": {"n": 3, "x": 1.0, "t": "1.0", "flag": True, "mixed": "NaN", "a/b": 1},
    },
    {
        "op": "create",
        "points": [[5, 5, 5]],
        "properties": {"n": -(2**63), "x": 0.1, "t": "", "flag": False, "mixed": 2},
    },
    {"op": "create", "points": [[6, 6, 6]], "properties": {"mixed": True, "t": "=cmd()"}},
]


def everything(gateway, name, version=None):
    found = objects_in_box(gateway, "brain", name, None, limit=20_000, version=version)
    items = sorted(found["objects"], key=lambda item: item["id"])
    return [{k: v for k, v in item.items() if k != "version"} for item in items]


def edit(gateway, actor, name, *edits):
    base = show_layer(gateway, "brain", name).version
    return apply_edits(gateway, actor, "brain", name, base=base, edits=edits)


@pytest.mark.parametrize("form", FORMATS)
def test_a_layer_is_the_same_after_a_round_trip(gateway, make, form) -> None:
    name = make()
    edit(gateway, ANA, name, *ODD)
    edit(gateway, ANA, name, {"op": "delete", "id": 2})
    before = everything(gateway, name)
    other = make(classes=[])
    with exported(gateway, "brain", name, form) as path:
        content = path.read_bytes()
        done = import_objects(gateway, BEN, "brain", other, path=path, form=form)
    assert done == {"version": 1, "count": len(ODD) - 1}
    after = everything(gateway, other)
    assert after == before
    kinds = [json.dumps(items, sort_keys=True) for items in (after, before)]
    assert kinds[0] == kinds[1], "types are the same too: 1 is not 1.0 nor true"
    assert {c["name"] for c in show_layer(gateway, "brain", other).classes} >= {"neuron", "glia"}
    with exported(gateway, "brain", other, form) as path:
        if form == "csv":
            assert path.read_bytes() == content
    with exported(gateway, "brain", name, form, version=1) as path:
        assert path.stat().st_size > 0


def test_an_exported_table_opens_as_points_and_begins_with_positions(gateway, make) -> None:
    name = make()
    edit(gateway, ANA, name, *ODD)
    with exported(gateway, "brain", name, "parquet") as path:
        assert pq.read_schema(path).names[:4] == ["z_um", "y_um", "x_um", "id"]
        gateway.store.put("brain/again.points.parquet", path.read_bytes())
    assert open_points(gateway.store, "brain/again.points.parquet").count == len(ODD)
    gateway.store.delete("brain/again.points.parquet")
    with exported(gateway, "brain", name, "csv") as path:
        assert path.read_text().startswith("z_um,y_um,x_um,id,shape")


def test_a_plain_table_of_positions_is_taken_in(gateway, make, tmp_path) -> None:
    name = make()
    edit(gateway, ANA, name, ODD[0])
    path = tmp_path / "mine.csv"
    path.write_text("x_um,y_um,z_um,class,score\n3,2,1,bird,0.5\n6,5,4,,\n")
    import_objects(gateway, ANA, "brain", name, path=path, form="csv")
    items = everything(gateway, name)
    assert [item["id"] for item in items] == [1, 2, 3]
    assert items[1]["points"] == [[1, 2, 3]]
    assert (items[1]["class"], items[1]["properties"]) == ("bird", {"score": 0.5})
    assert (items[2]["class"], items[2]["properties"]) == (None, {})


BAD = [
    ("csv", "x_um,y_um\n1,2\n", FormatError, "lacks z_um"),
    ("csv", "", FormatError, "the file is empty"),
    ("csv", "z_um,y_um,x_um\n1,2\n", FormatError, "row 1 has 2 cells; expected 3"),
    ("csv", "z_um,y_um,x_um\n1,2,here\n", FormatError, "x_um holds 'here' in row 1"),
    ("csv", "z_um,y_um,x_um\n1,2,nan\n", CallError, "object 0 of the file has the position"),
    ("csv", "z_um,y_um,x_um\n1,2,500\n", BoxError, "object 0 of the file has x = 500 um, outside"),
    ("csv", "z_um,y_um,x_um,id\n1,2,3,4\n1,2,3,4\n", CallError, "two objects of the file have"),
    ("csv", "z_um,y_um,x_um,status\n1,2,3,odd\n", CallError, "has the status 'odd'"),
    ("json", "{}", FormatError, "cannot be read as json: 'objects'"),
    ("json", "[1]", FormatError, "no list of objects"),
    ("json", "{", FormatError, "cannot be read as json"),
    ("parquet", "PAR1", FormatError, "cannot be read as parquet"),
    ("hdf5", "nothing", FormatError, "cannot be read as hdf5"),
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_bad_file_is_refused_and_nothing_comes_in(gateway, make, tmp_path, bad) -> None:
    form, text, kind, words = bad
    name, path = make(), tmp_path / "bad"
    path.write_text(text)
    with pytest.raises(kind, match=words.replace("(", r"\(")):
        import_objects(gateway, ANA, "brain", name, path=path, form=form)
    assert show_layer(gateway, "brain", name).version == 0


def lose_database(gateway, home, tmp_path):
    """Return a gateway over the same store whose database is new."""
    del gateway
    for file in home.glob("catalogue.sqlite*"):
        shutil.move(file, tmp_path / file.name)
    return open_gateway(home)


@pytest.fixture
def mine(gateway, tmp_path):
    """Return a gateway of one's own over a copy of the home."""
    gateway.catalogue.engine.dispose()
    home = tmp_path / "copy"
    shutil.copytree(gateway.home, home)
    opened = open_gateway(home)
    yield opened
    opened.catalogue.close()


def make_edited(gateway) -> str:
    make_layer(gateway, ANA, "brain", "kept", volume="raw", classes=["neuron", "glia"])
    edit(gateway, ANA, "kept", *ODD)
    edit(gateway, BEN, "kept", {"op": "delete", "id": 1}, {"op": "set", "id": 2, "class": "glia"})
    return "kept"


def test_layers_come_back_from_the_store_with_every_version(mine, tmp_path) -> None:
    name = make_edited(mine)
    assert "brain/kept" in store_layers(mine)
    edit(mine, ANA, name, {"op": "set", "id": 3, "comment": "after the snapshot"})
    undo(mine, BEN, "brain", name)
    edit(mine, ANA, name, {"op": "create", "points": [[9, 9, 9]]})
    undo(mine, ANA, "brain", name)
    assert store_layers(mine) == ["brain/kept"]
    assert store_layers(mine) == []
    folder = mine.store.local_path(layer_key("brain", name))
    assert len(list(folder.glob("objects-*"))) == 1, "few edits need no new snapshot"
    versions = [everything(mine, name, version) for version in range(7)]
    told = list_versions(mine, "brain", name)
    layer = show_layer(mine, "brain", name)
    mine.catalogue.close()
    again = lose_database(mine, mine.home, tmp_path)
    report = rebuild_catalogue(again)
    assert "brain/kept" in report.layers_restored
    assert report.problems == ()
    assert [everything(again, name, version) for version in range(7)] == versions
    assert list_versions(again, "brain", name) == told
    found = show_layer(again, "brain", name)
    for field in ("uid", "version", "count", "next_id", "classes", "columns", "bounds_um"):
        assert getattr(found, field) == getattr(layer, field)
    assert redo(again, BEN, "brain", name)["target"] == 2, "what was undone can be redone"
    assert undo(again, ANA, "brain", name)["target"] == 3
    again.catalogue.close()


def test_the_newer_of_database_and_folder_wins(mine) -> None:
    name = make_edited(mine)
    store_layers(mine)
    old = {file.name: file.read_bytes() for file in mine.home.glob("catalogue.sqlite*")}
    edit(mine, ANA, name, {"op": "set", "id": 3, "comment": "in the database only"})
    report = rebuild_catalogue(mine)
    assert (report.layers_restored, show_layer(mine, "brain", name).stored) == ((), 3)
    mine.catalogue.close()
    for file in mine.home.glob("catalogue.sqlite*"):
        file.unlink()
    for file, content in old.items():
        (mine.home / file).write_bytes(content)
    again = open_gateway(mine.home)
    assert show_layer(again, "brain", name).version == 2
    assert rebuild_catalogue(again).layers_restored == ("brain/kept",)
    assert show_layer(again, "brain", name).version == 3
    again.catalogue.close()


def test_a_damaged_folder_is_told_and_left(mine, tmp_path) -> None:
    name = make_edited(mine)
    store_layers(mine)
    folder = Path(mine.store.local_path(layer_key("brain", name)))
    lines = next(folder.glob("edits-*"))
    lines.write_bytes(lines.read_bytes().splitlines(keepends=True)[0])
    mine.catalogue.close()
    again = lose_database(mine, mine.home, tmp_path)
    report = rebuild_catalogue(again)
    assert any("its manifest says 2" in problem for problem in report.problems)
    assert lines.exists()
    again.catalogue.close()


def test_a_deleted_layer_leaves_the_folder_too(mine) -> None:
    name = make_edited(mine)
    store_layers(mine)
    assert mine.store.exists(layer_key("brain", name))
    remove_layer(mine, ANA, "brain", name)
    assert not mine.store.exists(layer_key("brain", name))
    assert "brain/kept" not in rebuild_catalogue(mine).layers_restored


def test_a_layer_is_no_unrecorded_file(mine) -> None:
    make_edited(mine)
    store_layers(mine)
    assert not [file for file in verify(mine, "brain").unrecorded if ".layer" in file]


def test_the_command_writes_layers(mine) -> None:
    make_edited(mine)
    program = Path(sys.executable).with_name("gateway")
    command = [program, "catalog", "layers", "--home", str(mine.home), "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "brain/kept" in json.loads(done.stdout)["stored"]
