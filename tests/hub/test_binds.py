"""What a container may see: from rights to binds, without an engine."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.hub.binds import MOUNT, Places, Thing, choose_binds, named_thing, thing_target
from gateway.volumes.dataset import entry_key
from gateway.volumes.ref import Ref

STORE = Path("/srv/home/store")
PLACES = Places(store=STORE, roots=(Path("/data/scope"),), private=(Path("/srv/home"),))


def stored(ref, kind="image"):
    return Thing(ref, kind, STORE / entry_key(ref, kind))


def test_only_things_of_datasets_one_may_see_are_bound():
    things = [stored(Ref("ana", "raw")), stored(Ref("ben", "raw")), stored(Ref("open", "raw"))]
    chosen = choose_binds(things, frozenset({"ana", "open"}), PLACES)
    assert [bind.source for bind in chosen.binds] == [
        "/srv/home/store/ana/raw.ome.zarr",
        "/srv/home/store/open/raw.ome.zarr",
    ]
    assert chosen.binds[0].target == f"{MOUNT}/ana/raw.ome.zarr"
    assert chosen.over_http == ()  # what one may not see is not even named


def test_an_administrator_gets_every_thing_but_never_the_store():
    things = [stored(Ref(name, "raw")) for name in ("a", "b")]
    chosen = choose_binds(things, None, PLACES)
    assert len(chosen.binds) == 2
    assert str(STORE) not in {bind.source for bind in chosen.binds}


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("/data/scope/run7/brain.ome.zarr", None),
        ("/data/scope", "linked elsewhere"),
        ("/data/scope2/brain.ome.zarr", "linked elsewhere"),
        ("/data", "linked elsewhere"),
        ("/", "linked elsewhere"),
        ("/srv/home/store/ben/raw.ome.zarr", "linked elsewhere"),
        ("/srv/home/secret.key", "linked elsewhere"),
        ("/data/scope/../../etc", "odd place"),
        ("/data/scope/a\nb", "odd place"),
        ("/data/scope/a\\b", "odd place"),
    ],
)
def test_data_registered_in_place_is_bound_only_inside_the_folders_of_the_settings(place, reason):
    thing = Thing(Ref("ana", "linked"), "image", Path(place), linked=True)
    chosen = choose_binds([thing], frozenset({"ana"}), PLACES)
    if reason is None:
        assert [bind.source for bind in chosen.binds] == [place]
        assert chosen.binds[0].target == f"{MOUNT}/ana/linked.ome.zarr"
    else:
        assert chosen.binds == ()
        assert chosen.over_http == ((Ref("ana", "linked"), reason),)


def test_a_folder_of_data_that_holds_the_store_opens_no_way_around():
    places = Places(store=Path("/data/scope/store"), roots=(Path("/data/scope"),))
    thing = Thing(Ref("ana", "x"), "image", Path("/data/scope/store/ben/raw.ome.zarr"), linked=True)
    assert choose_binds([thing], None, places).binds == ()


def test_a_symbolic_link_inside_the_store_is_not_bound():
    alias = Thing(Ref("open", "raw"), "image", STORE / "ben/raw.ome.zarr")
    chosen = choose_binds([alias], frozenset({"open"}), PLACES)
    assert chosen.over_http == ((Ref("open", "raw"), "odd place"),)


def test_what_goes_beyond_the_number_of_binds_is_read_over_http():
    things = [stored(Ref("ana", f"v{i}")) for i in range(5)]
    chosen = choose_binds(things, frozenset({"ana"}), PLACES, most=3)
    assert len(chosen.binds) == 3
    assert [reason for _, reason in chosen.over_http] == ["too many", "too many"]


@pytest.mark.parametrize(
    "file",
    [
        "dataset.json",
        "ro-crate-metadata.json",
        "tiles.tiles",
        "raw.link.json",
        ".staging",
        "report.report",
        "..ome.zarr",
        "a b.ome.zarr",
        ".ome.zarr",
    ],
)
def test_files_that_name_other_datasets_people_or_paths_are_never_bound(file):
    assert named_thing("ana", file) is None


def test_a_thing_is_told_by_its_file():
    assert named_thing("ana", "raw.ome.zarr") == (Ref("ana", "raw"), "image")
    assert named_thing("ana", "cells.points.parquet") == (Ref("ana", "cells"), "points")
    assert thing_target(Ref("ana", "cells"), "points", "/m") == "/m/ana/cells.points.parquet"


NAMES = st.sampled_from(["ana", "ben", "open", "lab.x"])
PARTS = st.lists(st.sampled_from(["data", "scope", "srv", "home", "store", "ben", "raw.ome.zarr"]))
THINGS = st.builds(
    lambda dataset, name, kind, parts, linked: Thing(
        Ref(dataset, name),
        kind,
        Path("/", *parts) if linked or len(parts) % 2 else STORE / f"{dataset}/{name}.ome.zarr",
        linked=linked,
    ),
    NAMES,
    st.sampled_from(["raw", "labels"]),
    st.sampled_from(["image", "points", "mesh", "skeleton"]),
    PARTS,
    st.booleans(),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(THINGS, max_size=12), st.none() | st.frozensets(NAMES))
def test_no_bind_ever_shows_the_store_the_home_or_a_closed_dataset(things, seen):
    for bind in choose_binds(things, seen, PLACES).binds:
        source = Path(bind.source)
        dataset = bind.target.removeprefix(f"{MOUNT}/").split("/")[0]
        assert seen is None or dataset in seen
        for closed in (STORE, Path("/srv/home"), Path("/data/scope")):
            assert not closed.is_relative_to(source)
        if source.is_relative_to(STORE):
            assert source.relative_to(STORE).parts[0] == dataset
        else:
            assert source.is_relative_to("/data/scope")
            assert not source.is_relative_to("/srv/home")
