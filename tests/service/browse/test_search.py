"""Finding datasets: words, facets, order, pages, and only what one may see."""

from datetime import UTC, datetime

import pytest

from gateway.errors import CallError
from gateway.records.catalogue import open_catalogue
from gateway.records.rows import DatasetRecord, EntryRecord
from gateway.records.runs import PortRecord, RunRecord
from gateway.service.access.actor import NOBODY, Actor, Role
from gateway.service.access.grants import grant
from gateway.service.access.rights import visible_datasets
from gateway.service.browse.search import Query, read_card, search
from gateway.service.browse.unlisted import count_unlisted
from gateway.volumes.dataset import DatasetInfo, write_dataset

ROOT = Actor(person="root", administrator=True)
ANA = Actor(person="ana", groups=frozenset({"lab"}))


def put(gateway, name, **info):
    gateway.catalogue.put_dataset(DatasetRecord(name=name, info=info))


def names(found):
    return [card.name for card in found.datasets]


@pytest.fixture
def filled(either):
    put(either, "m1", title="Mouse cortex", species="Mus musculus", stain="NeuN", people=["Bo"])
    put(either, "m2", title="Mouse striatum", species="Mus musculus", stain="TH", tags=["lesion"])
    put(either, "r1", title="Rat cortex", species="Rattus norvegicus", stain="NeuN", date="2021")
    put(either, "cortex_9", species="Danio rerio")
    return either


def test_every_word_must_occur_somewhere(filled):
    assert set(names(search(filled, ROOT, Query(words="cortex")))) == {"m1", "r1", "cortex_9"}
    assert names(search(filled, ROOT, Query(words="CORTEX mouse"))) == ["m1"]
    assert names(search(filled, ROOT, Query(words="lesion"))) == ["m2"]
    assert names(search(filled, ROOT, Query(words="100%"))) == []
    assert names(search(filled, ROOT, Query(words="m_"))) == []


def test_names_of_fields_are_not_found(filled):
    assert names(search(filled, ROOT, Query(words="species"))) == []


def test_what_begins_with_the_words_comes_first(filled):
    assert names(search(filled, ROOT, Query(words="cortex")))[0] == "cortex_9"
    put(filled, "r1", title="Rat cortex", species="Rattus norvegicus")
    assert names(search(filled, ROOT, Query(words="cortex", sort="recent")))[0] == "r1"


def test_facets_count_what_choosing_them_leaves(filled):
    found = search(filled, ROOT, Query(chosen={"stain": ("NeuN",)}))
    assert found.total == 2
    assert {v.value: v.count for v in found.facets["species"]} == {
        "Mus musculus": 1,
        "Rattus norvegicus": 1,
    }
    # its own values stay to be chosen instead
    assert {v.value: (v.count, v.chosen) for v in found.facets["stain"]} == {
        "NeuN": (2, True),
        "TH": (1, False),
    }


def test_values_of_one_facet_add_and_facets_narrow(filled):
    both = Query(chosen={"stain": ("NeuN", "TH"), "species": ("Mus musculus",)})
    assert set(names(search(filled, ROOT, both))) == {"m1", "m2"}


def test_the_year_is_that_of_imaging_else_of_the_first_run(filled):
    found = search(filled, ROOT, Query())
    this = str(datetime.now(UTC).year)
    assert {v.value: v.count for v in found.facets["year"]} == {"2021": 1, this: 3}


def test_pages_hold_all_once(filled):
    pages = [search(filled, ROOT, Query(sort="name", size=3, page=n)) for n in (1, 2, 3)]
    assert [names(page) for page in pages] == [["cortex_9", "m1", "m2"], ["r1"], []]
    assert {page.pages for page in pages} == {2}


@pytest.mark.parametrize(
    "values", [{"page": 0}, {"size": 0}, {"size": 101}, {"sort": "odd"}, {"words": "x" * 501}]
)
def test_what_no_page_has_is_refused(values):
    with pytest.raises(CallError):
        Query(**values)


def test_one_finds_only_what_one_may_see(filled):
    grant(filled, "m1", "person:ana", Role.VIEWER)
    grant(filled, "r1", "group:lab", Role.EDITOR)
    grant(filled, "cortex_9", "everyone", Role.VIEWER)
    grant(filled, "m2", "person:bo", Role.OWNER)
    for actor in (ANA, NOBODY, Actor(person="cy"), Actor(link="l", link_dataset="m2")):
        seen = visible_datasets(filled, actor)
        found = search(filled, actor, Query())
        assert set(names(found)) == seen
        assert found.total == len(seen)
        assert sum(v.count for v in found.facets["species"]) == len(seen)
        assert search(filled, actor, Query(words="striatum")).total == ("m2" in seen)
    assert read_card(filled, ANA, "m2") is None


def test_a_link_to_one_thing_is_not_told_of_others(filled):
    for name in ("raw", "masks"):
        filled.catalogue.put_entry(EntryRecord(dataset="m1", name=name, kind="image"))
    link = Actor(link="l", link_dataset="m1", link_entry="raw", link_role=Role.VIEWER)
    (card,) = search(filled, link, Query()).datasets
    assert [entry.name for entry in card.entries] == ["raw"]


def test_a_dataset_changed_when_something_was_made_in_it(filled):
    before = {c.name: c.changed for c in search(filled, ROOT, Query()).datasets}
    filled.catalogue.put_entry(EntryRecord(dataset="m1", name="raw", kind="image"))
    after = {c.name: c.changed for c in search(filled, ROOT, Query()).datasets}
    assert after["m1"] > before["m1"]
    assert after["m2"] == before["m2"]


def test_a_rebuild_keeps_the_facets_and_learns_times_from_runs(filled, tmp_path):
    at = datetime(2020, 5, 6, tzinfo=UTC)
    run = RunRecord(
        id="run-1",
        tool="stitch",
        version="1",
        image="",
        call={},
        call_digest="d",
        status="done",
        started=at,
        ended=at,
        outputs=(PortRecord(port="image", ref="m1/raw", kind="image"),),
    )
    records = [DatasetRecord(name="m1", info={"species": "Mus musculus"})]
    with open_catalogue(f"sqlite:///{tmp_path / 'fresh.sqlite'}") as fresh:
        fresh.replace_all(records, [EntryRecord(dataset="m1", name="raw", kind="image")], [run])
        filled.catalogue.replace_all(records, [], [run])
    (card,) = search(filled, ROOT, Query(chosen={"species": ("Mus musculus",)})).datasets
    assert card.changed == at
    assert [r.id for r in filled.catalogue.runs(dataset="m1")] == ["run-1"]


def test_what_was_copied_into_the_store_is_counted(filled):
    write_dataset(filled.store, "m1", DatasetInfo())
    write_dataset(filled.store, "by_hand", DatasetInfo())
    assert count_unlisted(filled) == 1
