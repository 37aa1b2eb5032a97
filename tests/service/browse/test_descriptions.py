"""Descriptions: versions, conflicts, restoring, and agreement of store, crate and catalogue."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway.errors import ConflictError, FormatError, NotFoundError
from gateway.service.descriptions import (
    change_description,
    current_description,
    describe_dataset,
    list_descriptions,
    restore_description,
)
from gateway.service.verification import verify
from gateway.volumes.dataset import DatasetInfo, read_dataset, write_dataset


@pytest.fixture
def described(either):
    describe_dataset(either, "m1", DatasetInfo(title="First", tags=("a",)), who="ana")
    return either


def test_a_change_is_a_version_in_store_and_catalogue(described):
    made = change_description(
        described, "m1", {"stain": "NeuN"}, base=1, who="bo", note="seen on the slide"
    )
    assert (made.version, made.who, made.note) == (2, "bo", "seen on the slide")
    assert read_dataset(described.store, "m1").stain == "NeuN"
    assert described.catalogue.dataset("m1").info["stain"] == "NeuN"
    assert described.catalogue.dataset("m1").info["title"] == "First"
    assert verify(described, "m1").ok
    assert [v.version for v in list_descriptions(described, "m1")] == [2, 1]


def test_a_change_of_an_outdated_version_is_refused_and_changes_nothing(described):
    change_description(described, "m1", {"stain": "NeuN"}, base=1, who="bo")
    with pytest.raises(ConflictError, match="changed by bo since version 1; it is of version 2"):
        change_description(described, "m1", {"stain": "TH"}, base=1, who="ana")
    assert read_dataset(described.store, "m1").stain == "NeuN"


def test_of_many_at_once_one_wins(described):
    def change(number):
        try:
            change_description(described, "m1", {"sample": str(number)}, base=1, who=f"p{number}")
        except ConflictError:
            return None
        return number

    with ThreadPoolExecutor(6) as pool:
        won = [number for number in pool.map(change, range(6)) if number is not None]
    assert len(won) == 1
    assert read_dataset(described.store, "m1").sample == str(won[0])
    assert current_description(described, "m1").version == 2


def test_a_note_is_one_line(described):
    note = "first\nsecond\0" + "x" * 300
    made = change_description(described, "m1", {"stain": "TH"}, base=1, who="bo", note=note)
    assert made.note.startswith("first second x")
    assert len(made.note) == 200


def test_saying_the_same_makes_no_version(described):
    assert change_description(described, "m1", {"title": "First"}, base=1, who="bo").version == 1


def test_what_another_hand_wrote_is_a_version_of_nobody(described):
    write_dataset(described.store, "m1", DatasetInfo(title="By hand"))
    now = current_description(described, "m1")
    assert (now.version, now.who, now.info.title) == (2, None, "By hand")
    assert described.catalogue.dataset("m1").info["title"] == "By hand"
    with pytest.raises(ConflictError, match="in its folder since version 1"):
        change_description(described, "m1", {"title": "Mine"}, base=1, who="bo")
    assert current_description(described, "m1").version == 2


def test_every_version_can_be_restored(described):
    change_description(described, "m1", {"title": "Second", "tags": []}, base=1, who="bo")
    made = restore_description(described, "m1", 1, base=2, who="cy")
    assert (made.version, made.info.title, made.info.tags) == (3, "First", ("a",))
    assert made.note == "restored version 1"
    with pytest.raises(NotFoundError, match="has no version 9"):
        restore_description(described, "m1", 9, base=3, who="cy")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"colour": "red"}, "unknown field 'colour'"),
        ({"title": "x" * 501}, "title"),
        ({"stain": "Neu\0N"}, "has the control character"),
        ({"people": ["Ana\nBo"]}, "expected one line of text"),
        ({"date": "21.11.2026"}, "date = '21.11.2026': expected a day, a month or a year"),
        ({"date": "2026-02-30"}, "expected a day, a month or a year"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(described, changes, said):
    with pytest.raises(FormatError, match=said):
        change_description(described, "m1", changes, base=1, who="bo")
    assert current_description(described, "m1").version == 1


@pytest.mark.parametrize("date", ["", "2026", "2026-11", "2026-11-21"])
def test_a_date_may_be_a_day_a_month_or_a_year(described, date):
    info = DatasetInfo(title="First", tags=("a",), date=date)
    describe_dataset(described, "m1", info)
    assert read_dataset(described.store, "m1").date == date


def test_a_dataset_that_is_not_there_has_no_description(gateway):
    for act in (
        lambda: current_description(gateway, "none"),
        lambda: change_description(gateway, "none", {}, base=0, who="bo"),
    ):
        with pytest.raises(NotFoundError, match="no dataset 'none'"):
            act()
