"""Range headers against a simple model: a list of bytes, cut as the header says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.data.conditions import holds_range, is_unchanged
from gateway.web.data.ranges import content_range, parse_range

SIZES = st.integers(0, 50)
NUMBERS = st.integers(0, 60)
FORMS = st.one_of(
    st.tuples(NUMBERS, NUMBERS),
    st.tuples(NUMBERS, st.none()),
    st.tuples(st.none(), NUMBERS),
)


def model(form: tuple[int | None, int | None], size: int) -> list[int] | None:
    """Name the bytes one form asks for, by the words of the standard; None if it is invalid."""
    first, last = form
    there = range(size)
    if first is None:
        return [i for i in there if i >= size - last]
    if last is not None and last < first:
        return None
    return [i for i in there if i >= first and (last is None or i <= last)]


def text(form: tuple[int | None, int | None]) -> bytes:
    return b"-".join(b"" if part is None else b"%d" % part for part in form)


@given(
    st.lists(FORMS, min_size=1, max_size=6), SIZES, st.sampled_from([b",", b", ", b" ,\t", b",,"])
)
def test_a_header_names_the_bytes_of_the_model(forms, size, comma) -> None:
    wanted = [model(form, size) for form in forms]
    found = parse_range(b"bytes=" + comma.join(map(text, forms)), size)
    if None in wanted:
        assert found is None
        return
    assert [list(range(*span)) for span in found] == [part for part in wanted if part]
    assert all(0 <= start < stop <= size for start, stop in found)


@given(st.binary(max_size=40), SIZES)
def test_any_header_gives_spans_inside_or_is_ignored(header, size) -> None:
    for value in (header, b"bytes=" + header):
        spans = parse_range(value, size)
        assert spans is None or all(0 <= a < b <= size for a, b in spans)


NO_RANGES = [
    *(b"", b"bytes", b"bytes=", b"bytes=-", b"bytes=a-b", b"items=0-1", b"bytes=1-0"),
    *(b"bytes=0--1", b"bytes=0-1;", b"bytes=+0-1", b"bytes=0x0-1", b"bytes=\xd9\xa0-"),
    b"bytes=" + b"9" * 40 + b"-",
    b"bytes=0-0" + b",1-1" * 16,
]


@pytest.mark.parametrize("header", NO_RANGES)
def test_what_is_no_range_is_ignored(header) -> None:
    assert parse_range(header, 100) is None


def test_spans_are_told_as_http_writes_them() -> None:
    assert parse_range(b"Bytes = 0-9", 100) == [(0, 10)]
    assert parse_range(b"bytes=-0", 100) == []
    assert parse_range(b"bytes=100-", 100) == []
    assert content_range((90, 100), 100) == b"bytes 90-99/100"


def test_tags_are_compared_weakly_for_the_same_and_strongly_for_a_part() -> None:
    assert is_unchanged(b'"a", W/"b"', b'"b"')
    assert is_unchanged(b"*", b'"b"')
    assert not is_unchanged(b'"a"', b'"b"')
    assert holds_range(b'"b"', b'"b"', b"")
    assert not holds_range(b'W/"b"', b'"b"', b"")
    date = b"Sat, 21 Nov 2026 05:09:18 GMT"
    assert holds_range(date, b'"b"', date)
    assert not holds_range(date, b'"b"', b"Sat, 21 Nov 2026 05:09:19 GMT")
    assert not holds_range(b"", b'"b"', b"")
