from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import RefError
from gateway.volumes.keys import join_key, parse_key
from gateway.volumes.ref import parse_dataset, parse_ref

NASTY = st.text(
    alphabet=st.sampled_from(list("./\\~ab0_-%:\0\n\u202e\uff0e\u2024\u00e9é ")), max_size=12
)
ANY = st.one_of(st.text(max_size=30), NASTY)


@given(ANY)
@example("../a")
@example("a/..")
@example("..%2fa/b")
@example("a/b\n")
@example("a/..b")
@example("/a/b")
@example("a/\uff0e\uff0e")
def test_a_ref_names_one_folder_and_one_thing_or_is_refused(text: str) -> None:
    try:
        ref = parse_ref(text)
    except RefError:
        return
    assert str(ref) == text
    assert text.isascii()
    assert ".." not in text
    path = Path("/store", ref.dataset, ref.name)
    assert path.parts == ("/", "store", ref.dataset, ref.name)
    assert not ref.dataset.startswith(".")


@given(ANY)
def test_a_key_stays_below_its_store_or_is_refused(text: str) -> None:
    try:
        key = parse_key(text)
    except RefError:
        return
    assert key == text
    path = Path("/store", key)
    assert path.is_relative_to("/store")
    assert ".." not in path.parts
    assert "\0" not in key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("raw", r"has 1 part\(s\); expected DATASET/NAME"),
        ("a/b/c", r"has 3 part\(s\)"),
        ("a/..", "name '..' in ref 'a/..' is not allowed"),
        ("/b", "dataset '' in ref '/b' is not allowed"),
        ("a/b c", "found SPACE"),
        ("a/é", "found LATIN SMALL LETTER E WITH ACUTE"),
        ("a/x\u202e", "found RIGHT-TO-LEFT OVERRIDE"),
        ("a/" + "x" * 121, "has 121 characters; at most 120"),
    ],
)
def test_a_bad_ref_is_explained(text: str, message: str) -> None:
    with pytest.raises(RefError, match=message):
        parse_ref(text)


def test_a_dataset_is_checked_alone() -> None:
    assert parse_dataset("mouse-1.b") == "mouse-1.b"
    with pytest.raises(RefError, match=r"dataset '\.staging'"):
        parse_dataset(".staging")


def test_keys_are_joined_and_checked() -> None:
    assert join_key("", "a", "b/c") == "a/b/c"
    with pytest.raises(RefError, match="would leave its folder"):
        join_key("a", "..")
    with pytest.raises(RefError, match="longer than 255 bytes"):
        parse_key("a" * 256)
