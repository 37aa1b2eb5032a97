"""Citations and the digest of a whole dataset."""

from datetime import UTC, datetime

from gateway.service.browse.citation import cite, content_digest
from gateway.volumes.dataset import DatasetInfo

MADE = datetime(2025, 3, 4, tzinfo=UTC)
URL = "https://lab.example/d/m1"


def test_a_citation_says_who_when_what_and_where():
    info = DatasetInfo(
        title="Mouse cortex", people=("Ana Ruiz", "Bo Chen", "Cy"), licence="CC0-1.0", date="2024"
    )
    made = cite("m1", info, made=MADE, digest="blake3:0123456789abcdef99", url=URL)
    assert made.text == (
        "Ana Ruiz, Bo Chen and Cy (2024). Mouse cortex [Data set]. Licence CC0-1.0. "
        "Content blake3:0123456789abcdef. https://lab.example/d/m1"
    )
    assert made.bibtex.startswith("@misc{m12024,\n  author = {Ana Ruiz and Bo Chen and Cy},\n")


def test_what_is_not_known_is_left_out():
    made = cite("m_1", DatasetInfo(), made=MADE, digest=None, url=URL)
    assert made.text == "Anonymous (2025). m_1 [Data set]. https://lab.example/d/m1"
    assert "author" not in made.bibtex
    assert "note" not in made.bibtex
    assert cite("m1", DatasetInfo(), made=None, digest=None, url=URL).text.startswith(
        "Anonymous (n.d.)"
    )


def test_letters_that_tex_takes_for_commands_are_escaped():
    info = DatasetInfo(title=r"50 % of \it{a}_b & c", people=("A & B",))
    made = cite("m1", info, made=MADE, digest=None, url=URL)
    assert r"title = {{50 \% of /it\{a\}\_b \& c}}" in made.bibtex
    assert r"author = {A \& B}" in made.bibtex


def test_the_digest_of_a_dataset_changes_with_any_of_its_things():
    first = content_digest({"a": "blake3:1", "b": "blake3:2"})
    assert first == content_digest({"b": "blake3:2", "a": "blake3:1"})
    assert first != content_digest({"a": "blake3:1", "b": "blake3:3"})
    assert first != content_digest({"a": "blake3:1", "c": "blake3:2"})
    assert content_digest({"a": "blake3:1", "b": None}) is None
    assert content_digest({}) is None
