import json

import pytest

from gateway.errors import CallError, ToolNotFoundError
from gateway.service.calls import call_from_file, call_from_words

WORDS = ("stitch", {"tiles": "m/tiles"}, {"image": "m/brain", "positions": "m/positions"})
CALL = {
    "tool": "stitch",
    "inputs": {"tiles": "m/tiles"},
    "outputs": {"image": "m/brain", "positions": "m/positions"},
}


def put(tmp_path, document):
    path = tmp_path / "call.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_words_and_a_file_give_the_same_call(tmp_path):
    said = call_from_words(*WORDS, {"channel": "1"})
    read = call_from_file(put(tmp_path, {**CALL, "params": {"channel": 1}}))
    assert read == said
    assert read.digest == said.digest


def test_a_call_reads_back_from_its_canonical_text(tmp_path):
    call = call_from_words(*WORDS, {})
    assert call_from_file(put(tmp_path, call.canonical())) == call


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "is no JSON"),
        ([1], "is no JSON object"),
        ({}, "has no tool"),
        ({**CALL, "colour": 1}, "unknown field 'colour'"),
        ({**CALL, "inputs": ["m/tiles"]}, "inputs of the call .* expected an object"),
        ({**CALL, "inputs": {"tiles": 3}}, "inputs 'tiles' of the call .* expected a ref"),
        ({**CALL, "version": "0.0.1"}, "wants stitch 0.0.1, but .* is installed"),
        ({**CALL, "params": {"channel": -1}}, "parameter 'channel' is -1"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, document, message):
    with pytest.raises(CallError, match=message):
        call_from_file(put(tmp_path, document))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CallError, match=r"nothing\.json cannot be read"):
        call_from_file(tmp_path / "nothing.json")


def test_an_unknown_tool_is_named(tmp_path):
    with pytest.raises(ToolNotFoundError, match="no tool 'stich'; did you mean 'stitch'"):
        call_from_file(put(tmp_path, {**CALL, "tool": "stich"}))
