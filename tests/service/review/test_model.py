"""Merging, undo, redo and restoring against a model that keeps every version as a plain dict."""

import copy
import uuid
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)

from gateway.records.annotation_layers import add_layer
from gateway.records.database import writing
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.review.edits import apply_edits, edits_since
from gateway.service.review.undoing import redo, undo
from gateway.service.review.versions import counts_in_box, objects_in_box, restore

PEOPLE = ("ana", "ben")
FIELDS = ("class", "status", "comment", "p", "q", "points")
VALUES: dict[str, list[Any]] = {
    "class": [None, "neuron", "glia"],
    "status": ["undecided", "accepted", "rejected"],
    "comment": ["", "odd"],
    "p": [None, 1, 2],
    "q": [None, "a"],
    "points": [[[1, 2, 3]], [[50, 2, 3]], [[1, 2, 3], [60, 60, 60]]],
}
State = dict[int, dict[str, Any]]
_FOLDER = TemporaryDirectory()
_HOME = Path(_FOLDER.name) / "home"


def _open() -> Gateway:
    if not _HOME.exists():
        init_home(_HOME)
    return open_gateway(_HOME)


def blank() -> dict[str, Any]:
    fields: dict[str, Any] = {"class": None, "status": "undecided", "comment": ""}
    return {**fields, "p": None, "q": None, "points": [[1, 2, 3]]}


def as_edit(number: int, field: str, value: Any) -> dict[str, Any]:
    if field in ("p", "q"):
        return {"op": "set", "id": number, "properties": {field: value}}
    shape = {"shape": "line" if len(value) == 2 else "point"} if field == "points" else {}
    return {"op": "set", "id": number, field: value, **shape}


class Layers(RuleBasedStateMachine):
    """Two people and one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.gateway = _open()
        self.name = f"m{uuid.uuid4().hex}"
        now = datetime.now(UTC)
        with writing(self.gateway.database) as connection:
            add_layer(
                connection, uid=self.name, dataset="brain", name=self.name, volume="raw",
                classes=[{"name": n, "color": "#000000", "key": None} for n in ("neuron", "glia")],
                columns=[], lowest=[0.0] * 3, highest=[100.0] * 3, block_um=8.0, extended=False,
                version=0, count=0, next_id=1, made_by="ana", made=now, changed=now, stored=-1,
                snapshot=-1,
            )  # fmt: skip
        self.versions: list[State] = [{}]
        self.made: list[tuple[str, str]] = [("", "")]
        self.undos: dict[str, list[tuple[State, State]]] = {who: [] for who in PEOPLE}
        self.redos: dict[str, list[tuple[State, State]]] = {who: [] for who in PEOPLE}
        self.next_id = 1

    def teardown(self) -> None:
        self.gateway.catalogue.close()

    @property
    def now(self) -> State:
        return self.versions[-1]

    def push(self, who: str, state: State) -> None:
        self.undos[who].append((self.now, state))
        self.redos[who].clear()
        self.versions.append(state)

    def send(self, who: str, base: int, *edits: dict[str, Any]) -> dict[str, Any]:
        actor = Actor(person=who)
        return apply_edits(self.gateway, actor, "brain", self.name, base=base, edits=edits)

    @rule(who=st.sampled_from(PEOPLE), many=st.integers(1, 2))
    def create(self, who: str, many: int) -> None:
        edits = [{"op": "create", "points": [[1, 2, 3]]}] * many
        answer = self.send(who, len(self.versions) - 1, *edits)
        assert answer["created"] == list(range(self.next_id, self.next_id + many))
        state = copy.deepcopy(self.now) | {n: blank() for n in answer["created"]}
        self.next_id += many
        self.push(who, state)

    @precondition(lambda self: self.now)
    @rule(who=st.sampled_from(PEOPLE), data=st.data())
    def change(self, who: str, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.now)))
        field = data.draw(st.sampled_from(FIELDS))
        value = data.draw(st.sampled_from(VALUES[field]))
        base = data.draw(st.integers(max(0, len(self.versions) - 4), len(self.versions) - 1))
        answer = self.send(who, base, as_edit(number, field, value))
        current = self.now[number][field]
        seen = self.versions[base].get(number)
        if current == value:
            assert (answer["applied"], answer["conflicts"]) == (0, [])
        elif seen is None or seen[field] != current:
            assert answer["applied"] == 0
            assert answer["conflicts"][0]["id"] == number
        else:
            assert (answer["applied"], answer["conflicts"]) == (1, [])
            state = copy.deepcopy(self.now)
            state[number][field] = value
            self.push(who, state)

    @precondition(lambda self: self.now)
    @rule(who=st.sampled_from(PEOPLE), data=st.data())
    def delete(self, who: str, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.now)))
        base = data.draw(st.integers(max(0, len(self.versions) - 3), len(self.versions) - 1))
        answer = self.send(who, base, {"op": "delete", "id": number})
        if self.versions[base].get(number) != self.now[number]:
            assert answer["conflicts"]
        else:
            assert answer["applied"] == 1
            state = copy.deepcopy(self.now)
            del state[number]
            self.push(who, state)

    @rule(who=st.sampled_from(PEOPLE))
    def undo(self, who: str) -> None:
        answer = undo(self.gateway, Actor(person=who), "brain", self.name)
        if not self.undos[who]:
            assert answer["target"] is None
            return
        before, after = self.undos[who][-1]
        state = turned(self.now, after, before)
        assert bool(answer["conflicts"]) == (state is None)
        if state is not None:
            self.redos[who].append(self.undos[who].pop())
            self.versions.append(state)

    @rule(who=st.sampled_from(PEOPLE))
    def redo(self, who: str) -> None:
        answer = redo(self.gateway, Actor(person=who), "brain", self.name)
        if not self.redos[who]:
            assert answer["target"] is None
            return
        before, after = self.redos[who][-1]
        state = turned(self.now, before, after)
        assert bool(answer["conflicts"]) == (state is None)
        if state is not None:
            self.undos[who].append(self.redos[who].pop())
            self.versions.append(state)

    @precondition(lambda self: len(self.versions) > 2)
    @rule(who=st.sampled_from(PEOPLE), data=st.data())
    def restore(self, who: str, data: st.DataObject) -> None:
        version = data.draw(st.integers(0, len(self.versions) - 1))
        actor, base = Actor(person=who), len(self.versions) - 1
        answer = restore(self.gateway, actor, "brain", self.name, version=version, base=base)
        if self.versions[version] == self.now:
            assert answer["applied"] == 0
        else:
            self.push(who, copy.deepcopy(self.versions[version]))

    @invariant()
    def every_version_is_as_it_was(self) -> None:
        latest = len(self.versions) - 1
        for version in {0, latest // 2, max(0, latest - 1), latest}:
            found = objects_in_box(
                self.gateway, "brain", self.name, None, limit=20_000, version=version
            )
            assert plain(found["objects"]) == self.versions[version], version

    @invariant()
    def counts_boxes_and_the_log_agree(self) -> None:
        cells = counts_in_box(self.gateway, "brain", self.name, None)["cells"]
        assert sum(cell[3] for cell in cells) == len(self.now)
        near = objects_in_box(self.gateway, "brain", self.name, "49:51,1:3,2:4")["objects"]
        far = {n for n, item in self.now.items() if [50, 2, 3] in item["points"]}
        assert {i["id"] for i in near if i["shape"] == "point"} == far
        told = edits_since(self.gateway, "brain", self.name, 0)
        assert [batch["version"] for batch in told["batches"]] == list(range(1, len(self.versions)))


def turned(now: State, expected: State, wanted: State) -> State | None:
    """Return a state with what one batch changed turned round; None where others changed it."""
    state = copy.deepcopy(now)
    for number in {*expected, *wanted}:
        was, will = expected.get(number), wanted.get(number)
        if was == will:
            continue
        there = now.get(number)
        if was is None or will is None or there is None:
            if there != was:
                return None
        elif any(was[f] != will[f] and there[f] != was[f] for f in FIELDS):
            return None
        if will is None:
            del state[number]
        elif was is None:
            state[number] = copy.deepcopy(will)
        else:
            state[number].update({f: will[f] for f in FIELDS if was[f] != will[f]})
    return state


def plain(objects: list[dict[str, Any]]) -> State:
    return {
        item["id"]: {
            **{field: item[field] for field in ("class", "status", "comment", "points")},
            **{name: item["properties"].get(name) for name in ("p", "q")},
        }
        for item in objects
    }


TestLayers = pytest.mark.slow(Layers.TestCase)
TestLayers.settings = settings(
    max_examples=8,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_an_object_made_after_the_base_conflicts_whatever_is_set() -> None:
    layers = Layers()
    layers.send("ana", 0, {"op": "create", "points": [[1, 2, 3]]})
    answer = layers.send("ben", 0, {"op": "set", "id": 1, "properties": {"q": "a"}})
    layers.teardown()
    assert (answer["applied"], answer["conflicts"][0]["fields"]) == (0, ["properties.q"])
