"""The Range header of HTTP: which bytes of how many are asked for (RFC 9110, section 14)."""

import re

Span = tuple[int, int]
"""First byte, and the one after the last."""

_UNIT = re.compile(rb"[ \t]*bytes[ \t]*=(.*)\Z", re.IGNORECASE | re.DOTALL)
_SPEC = re.compile(rb"[ \t]*([0-9]*)[ \t]*-[ \t]*([0-9]*)[ \t]*\Z")
_USUAL = re.compile(rb"bytes=([0-9]{1,18})-([0-9]{1,18})\Z")
"""What viewers send: one span, both ends."""
_MOST = 16
"""Spans of one request; who asks for more gets the whole."""
_DIGITS = 18


def parse_range(header: bytes, size: int) -> list[Span] | None:
    """Return the spans a header asks for.

    Args:
        header: The value, e.g. `bytes=0-99`, `bytes=100-`, `bytes=-50` or several with commas.
        size: Bytes there are.

    Returns:
        None where the header must be ignored: another unit, malformed, or too many spans.
        An empty list where no span holds a byte: the answer is 416.
    """
    usual = _USUAL.match(header)
    if usual is not None:
        one = _span(usual[1], usual[2], size)
        return None if one is None else [one] if one[0] < one[1] else []
    specs = _specs(header)
    if specs is None:
        return None
    spans = []
    for spec in specs:
        found = _SPEC.match(spec)
        if found is None or not (found[1] or found[2]):
            return None
        if max(len(found[1]), len(found[2])) > _DIGITS:
            return None
        span = _span(found[1], found[2], size)
        if span is None:
            return None
        if span[0] < span[1]:
            spans.append(span)
    return spans


def _specs(header: bytes) -> list[bytes] | None:
    unit = _UNIT.match(header)
    specs = [spec for spec in unit[1].split(b",") if spec.strip(b" \t")] if unit else []
    return specs if 0 < len(specs) <= _MOST else None


def content_range(span: Span, size: int) -> bytes:
    """Return the value of Content-Range for a span."""
    return b"bytes %d-%d/%d" % (span[0], span[1] - 1, size)


def _span(first: bytes, last: bytes, size: int) -> Span | None:
    """Return one span cut to the size, empty where it holds nothing; None if it runs backwards."""
    if not first:
        return (max(0, size - int(last)), size)
    start = int(first)
    if not last:
        return (min(start, size), size)
    if int(last) < start:
        return None
    return (min(start, size), min(int(last) + 1, size))
