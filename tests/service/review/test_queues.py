"""Queues: order, filter, one pair of hands an object, what is done and how fast."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import CallError, ConflictError, NotFoundError
from gateway.records.annotation_layers import get_layer
from gateway.records.annotation_queues import change_items, get_queue
from gateway.records.database import writing
from gateway.service.access.actor import Actor
from gateway.service.review.edits import apply_edits
from gateway.service.review.queues import (
    decide,
    make_queue,
    next_object,
    release,
    remove_queue,
)
from gateway.service.review.tempo import show_queue

ANA, BEN = Actor(person="ana"), Actor(person="ben")
LINK = Actor(link="abc")


@pytest.fixture
def layer(gateway, make) -> str:
    """Return a layer of eight points; the seventh and eighth have no score."""
    name = make()
    scores = [0.3, 0.9, 0.1, 0.7, 0.5, 0.2]
    edits = [
        {"op": "create", "points": [[n, 1, 1]], "class": "glia", "properties": {"score": score}}
        for n, score in enumerate(scores)
    ]
    edits += [{"op": "create", "points": [[9, 1, 1]]}] * 2
    apply_edits(gateway, ANA, "brain", name, base=0, edits=edits)
    return name


def queue_of(gateway, layer, **values):
    return make_queue(gateway, ANA, "brain", layer, **values)["id"]


def walk(gateway, layer, queue, actor=ANA, verdict="accepted"):
    """Decide on all there is; return the objects in the order they came."""
    seen = []
    told = next_object(gateway, actor, "brain", layer, queue)
    while told["object"]:
        number = told["object"]["id"]
        seen.append(number)
        edits = [{"op": "set", "id": number, "status": verdict}]
        told = decide(
            gateway, actor, "brain", layer, queue,
            object_id=number, base=told["version"], edits=edits, seconds=2.0,
        )["next"]  # fmt: skip
    return seen


def test_the_order_is_that_of_a_column_or_random_by_a_seed(gateway, layer) -> None:
    def order(**values):
        queue = queue_of(gateway, layer, status=None, **values)
        return walk(gateway, layer, queue, verdict="accepted")

    assert order(column="score", descending=True) == [2, 4, 5, 1, 6, 3, 7, 8]
    assert order(column="score") == [3, 6, 1, 5, 4, 2, 7, 8]
    assert order(column="z_um", descending=True)[:3] == [7, 8, 6]
    assert order() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert order(seed=1) == order(seed=1) != order(seed=2)
    assert sorted(order(seed=1)) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_filter_narrows_and_what_changes_meanwhile_is_left_out(gateway, layer) -> None:
    queue = queue_of(gateway, layer, label="glia")
    apply_edits(
        gateway, BEN, "brain", layer, base=1,
        edits=[{"op": "set", "id": 1, "status": "rejected"}, {"op": "delete", "id": 2}],
    )  # fmt: skip
    assert walk(gateway, layer, queue) == [3, 4, 5, 6]
    told = show_queue(gateway, "brain", layer, queue)
    assert (told["total"], told["done"], told["gone"], told["left"]) == (6, 4, 2, 0)


def test_no_object_is_with_two_at_once(gateway, layer) -> None:
    queue = queue_of(gateway, layer)

    def take(actor, client=None):
        return next_object(gateway, actor, "brain", layer, queue, client=client)["object"]["id"]

    assert [take(ANA), take(BEN), take(LINK, "a"), take(LINK, "b")] == [1, 2, 3, 4]
    assert [take(ANA), take(LINK, "b")] == [1, 4], "asked again, the one in hand"
    release(gateway, BEN, "brain", layer, queue)
    assert take(ANA, "second page") == 2
    with pytest.raises(ConflictError, match="object 2 is not in your hands: it is out with ana"):
        decide(gateway, BEN, "brain", layer, queue, object_id=2, base=1)
    assert show_queue(gateway, "brain", layer, queue)["out"] == 4


def test_what_was_not_decided_in_time_comes_back(gateway, layer) -> None:
    queue = queue_of(gateway, layer)
    assert next_object(gateway, ANA, "brain", layer, queue)["object"]["id"] == 1
    with writing(gateway.database) as connection:
        found = get_queue(connection, get_layer(connection, "brain", layer), queue)
        change_items(connection, found, [1], until=datetime.now(UTC) - timedelta(seconds=1))
    assert next_object(gateway, BEN, "brain", layer, queue)["object"]["id"] == 1
    with pytest.raises(ConflictError, match="out with ben"):
        decide(gateway, ANA, "brain", layer, queue, object_id=1, base=1)


def test_decisions_are_counted_and_timed_for_each_person(gateway, layer) -> None:
    queue = queue_of(gateway, layer)
    for actor, seconds in ((ANA, 1.0), (BEN, 3.0), (ANA, 5.0)):
        told = next_object(gateway, actor, "brain", layer, queue)
        edits = [{"op": "set", "id": told["object"]["id"], "status": "accepted"}]
        answer = decide(
            gateway, actor, "brain", layer, queue, object_id=told["object"]["id"],
            base=told["version"], edits=edits, seconds=seconds,
        )  # fmt: skip
        assert answer["decided"]
        release(gateway, actor, "brain", layer, queue)
    told = next_object(gateway, ANA, "brain", layer, queue)
    decide(
        gateway, ANA, "brain", layer, queue, object_id=told["object"]["id"],
        base=told["version"], skip=True,
    )  # fmt: skip
    shown = show_queue(gateway, "brain", layer, queue)
    assert (shown["done"], shown["skipped"], shown["left"], shown["decisions"]) == (3, 1, 4, 4)
    people = {each["person"]: each for each in shown["people"]}
    assert people["ben"]["measured"] == {"mean_s": 3.0, "median_s": 3.0, "total_s": 3.0}
    assert people["ana"]["decisions"] == 3
    assert people["ana"]["server"]["total_s"] >= 0


def test_a_decision_that_conflicts_stays_in_hand(gateway, layer) -> None:
    queue = queue_of(gateway, layer, status=None)
    told = next_object(gateway, ANA, "brain", layer, queue)
    apply_edits(
        gateway, BEN, "brain", layer, base=1, edits=[{"op": "set", "id": 1, "class": "neuron"}]
    )
    edits = [{"op": "set", "id": 1, "class": None}]
    answer = decide(
        gateway, ANA, "brain", layer, queue, object_id=1, base=told["version"], edits=edits
    )
    assert (answer["decided"], answer["next"]) == (False, None)
    assert answer["conflicts"][0]["by"] == "ben"
    assert next_object(gateway, ANA, "brain", layer, queue)["object"]["id"] == 1


def test_a_decision_that_comes_twice_counts_once(gateway, layer) -> None:
    queue = queue_of(gateway, layer)
    next_object(gateway, ANA, "brain", layer, queue)
    edits = [{"op": "set", "id": 1, "status": "accepted"}]
    one, two = (
        decide(gateway, ANA, "brain", layer, queue, object_id=1, base=1, edits=edits, key="k")
        for _ in range(2)
    )
    assert one["version"] == two["version"] == 2
    assert one["next"]["object"]["id"] == two["next"]["object"]["id"] == 2
    assert show_queue(gateway, "brain", layer, queue)["done"] == 1


def test_bad_queues_say_what_there_is(gateway, layer) -> None:
    with pytest.raises(CallError, match="no column 'sccore' to order by; there is id, z_um"):
        queue_of(gateway, layer, column="sccore")
    with pytest.raises(CallError, match="not both"):
        queue_of(gateway, layer, column="score", seed=1)
    with pytest.raises(CallError, match="the class 'bird'"):
        queue_of(gateway, layer, label="bird")
    with pytest.raises(CallError, match="the status 'fine'; expected one of"):
        queue_of(gateway, layer, status="fine")
    queue = queue_of(gateway, layer)
    with pytest.raises(CallError, match="does not hold object 99"):
        decide(gateway, ANA, "brain", layer, queue, object_id=99, base=1)
    remove_queue(gateway, "brain", layer, queue)
    with pytest.raises(NotFoundError, match="has no queue"):
        next_object(gateway, ANA, "brain", layer, queue)
