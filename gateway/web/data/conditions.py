"""Conditions of a request: whether the asker has the bytes already, or a part of the same ones."""


def is_unchanged(header: bytes, etag: bytes) -> bool:
    """Tell whether If-None-Match names this content, compared weakly (RFC 9110, 13.1.2)."""
    if header.strip() == b"*":
        return True
    return any(_opaque(tag) == _opaque(etag) for tag in header.split(b","))


def holds_range(header: bytes, etag: bytes, modified: bytes) -> bool:
    """Tell whether If-Range names this content, so that a part of it may be sent (13.1.5)."""
    value = header.strip()
    if value.startswith((b'"', b"W/")):
        return value == etag  # a weak tag never holds
    return bool(modified) and value == modified


def _opaque(tag: bytes) -> bytes:
    return tag.strip().removeprefix(b"W/")
