"""Transforms: what is written is read, points move as the matrices say, bad ones are explained."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import FormatError, NotFoundError
from gateway.volumes.store import Store, open_store
from gateway.volumes.transform import (
    Affine,
    Identity,
    Scale,
    Sequence,
    Transform,
    Translation,
    parse_transform,
    read_transform,
    write_transform,
)

KEY = "m1/to_atlas.transform.json"
NUMBER = st.floats(-1e3, 1e3)
TRIPLE = st.tuples(NUMBER, NUMBER, NUMBER)
ROW = st.tuples(NUMBER, NUMBER, NUMBER, NUMBER)
SIMPLE = st.one_of(
    st.just(Identity()),
    st.builds(Translation, translation=TRIPLE),
    st.builds(Scale, scale=TRIPLE),
    st.builds(Affine, affine=st.tuples(ROW, ROW, ROW)),
)
STEPS = st.one_of(SIMPLE, st.builds(Sequence, transformations=st.lists(SIMPLE, max_size=3)))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(tmp_path_factory.mktemp("store"))


@given(STEPS)
def test_what_is_written_is_read(store: Store, step: Any) -> None:
    transform = Transform(step=step, source="sample", target="atlas")
    write_transform(store, KEY, transform)
    assert read_transform(store, KEY) == transform


def test_the_document_is_ome_ngff(store: Store) -> None:
    write_transform(store, KEY, Transform(step=Scale(scale=(1, 2, 3)), source="a", target="b"))
    ome = json.loads(store.get(KEY))["ome"]
    assert [system["name"] for system in ome["coordinateSystems"]] == ["a", "b"]
    assert ome["coordinateTransformations"] == [
        {"type": "scale", "scale": [1, 2, 3], "input": "a", "output": "b"}
    ]


def test_positions_move_step_by_step() -> None:
    first = Transform(step=Scale(scale=(2, 1, 1)), source="a", target="b")
    both = first.then(Transform(step=Translation(translation=(10, 0, -1)), target="c"))
    assert both.apply(np.array([[1.0, 2, 3], [0, 0, 0]])).tolist() == [[12, 2, 2], [10, 0, -1]]
    assert (both.source, both.target) == ("a", "c")


@given(st.lists(TRIPLE, min_size=1, max_size=5))
def test_the_inverse_leads_back(points: list[Any]) -> None:
    rows = ((0.0, 2.0, 0.1, 5.0), (-1.0, 0.0, 0.0, 7.0), (0.0, 0.3, 1.5, -2.0))
    transform = Transform(step=Affine(affine=rows))
    back = transform.inverse()
    assert (back.source, back.target) == ("fixed", "moving")
    np.testing.assert_allclose(back.apply(transform.apply(np.array(points))), points, atol=1e-6)


def test_a_flattening_transform_has_no_inverse() -> None:
    with pytest.raises(FormatError, match="cannot be inverted: its determinant is 0"):
        Transform(step=Scale(scale=(1, 0, 1))).inverse()


def test_a_list_of_ngff_0_4_is_a_sequence() -> None:
    listed = [
        {"type": "scale", "scale": [2, 2, 2]},
        {"type": "translation", "translation": [1, 0, 0]},
    ]
    moved = parse_transform(listed, "levels").apply(np.ones((1, 3)))
    assert moved.tolist() == [[3, 2, 2]]


UM = [{"name": name, "unit": "micrometer"} for name in "zyx"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "has no coordinateTransformations; expected a list of at least one"),
        ([], "has no coordinateTransformations"),
        ([{"type": "warp"}], "is no transformation: .*'warp'.* expected identity, translation"),
        ([{"type": "scale", "scale": [1, 2]}], r"scale\.scale\.2: Field required"),
        ([{"type": "scale", "scale": [1, 2, "x"]}], "should be a valid number"),
        ([{"type": "scale", "scale": [1, 2, float("nan")]}], "should be a finite number"),
        ([{"type": "affine", "path": "matrix"}], "keeps its parameters at 'matrix'"),
        (
            {
                "coordinateSystems": [{"name": "a", "axes": UM[::-1]}],
                "coordinateTransformations": [{"type": "identity"}],
            },
            "coordinate system 'a' of doc has the axes .* expected z, y, x in micrometer",
        ),
    ],
)
def test_what_is_wrong_is_named(document: Any, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        parse_transform(document, "doc")


def test_a_broken_file_is_named(store: Store) -> None:
    store.put("m1/bad", b"{")
    with pytest.raises(FormatError, match=r"m1/bad in .* is not JSON"):
        read_transform(store, "m1/bad")
    with pytest.raises(NotFoundError, match="there is no m1/none"):
        read_transform(store, "m1/none")
    with pytest.raises(FormatError, match="the matrix is no transformation"):
        Transform.from_matrix(np.eye(2))
