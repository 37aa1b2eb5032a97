"""What Galaxy itself loads of ours reads volrefs as the gateway does, and believes as little."""

import importlib.util
import json

import pytest

from gateway.galaxy import volref
from gateway.galaxy.formats import VOLREF_KINDS
from gateway.galaxy.server.environment import PLUGIN

FILE = PLUGIN / "gateway_volref/content.py"
spec = importlib.util.spec_from_file_location("gateway_volref_content", FILE)
content = importlib.util.module_from_spec(spec)
spec.loader.exec_module(content)

FACTS = {"shape": [1, 40, 96, 112], "voxel_um": [5, 2.5, 2.5], "channels": [{"name": "nuclei"}]}


def text(**changes):
    given = {"ref": "m1/brain", "kind": "image", "digest": "blake3:00", "facts": FACTS}
    return volref.Volref(**(given | changes)).to_text()


def test_it_agrees_with_the_gateway_on_what_a_volref_is():
    assert content.MARK == volref.MARK
    assert content.LARGEST_BYTES == volref._LARGEST_BYTES
    assert set(content.KINDS) == set(VOLREF_KINDS) == set(volref._KINDS)


def test_the_facts_are_short_texts():
    facts = content.facts_of(content.parse(text()))
    assert facts == {
        "ref": "m1/brain",
        "kind": "image",
        "digest": "blake3:00",
        "shape": "1 x 40 x 96 x 112",
        "voxel_um": "5 x 2.5 x 2.5",
        "channels": "nuclei",
    }
    assert content.one_line(facts) == "image, 1 x 40 x 96 x 112 voxels"
    points = content.facts_of(content.parse(text(kind="points", facts={"rows": 12})))
    assert content.one_line(points) == "points, 12 rows"


@pytest.mark.parametrize(
    "bad",
    [
        "voxels",
        "[]",
        "{}",
        json.dumps({"format": volref.MARK, "ref": "../../etc", "kind": "image"}),
        json.dumps({"format": volref.MARK, "ref": "https://evil.example/x", "kind": "image"}),
        json.dumps({"format": volref.MARK, "ref": 'a/b"><script>', "kind": "image"}),
        json.dumps({"format": volref.MARK, "ref": "m1/brain", "kind": "secret"}),
        json.dumps({"format": volref.MARK, "ref": "m1/brain", "kind": "image"}) + " " * 20_000,
    ],
)
def test_what_is_no_volref_is_nothing(bad):
    assert content.parse(bad) is None


def test_facts_that_are_odd_are_left_out():
    odd = {"shape": "1 x 2", "voxel_um": [None], "channels": 7, "rows": [1], "tiles": {}}
    assert set(content.facts_of(content.parse(text(facts=odd)))) == {"ref", "kind", "digest"}


def test_a_picture_is_asked_of_the_gateway_and_of_nobody_else():
    facts = content.facts_of(content.parse(text()))
    base = "https://brains.example.org/lab/"
    picture = "https://brains.example.org/lab/api/v1/entries/m1/brain/thumbnail.png"
    assert content.thumbnail(base, facts) == picture
    assert content.thumbnail("", facts) is None
    assert content.thumbnail(base, facts | {"kind": "points"}) is None
