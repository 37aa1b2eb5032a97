"""Addresses inside saved states: whoever saves has one, whoever opens may have another.

A state names its data by URL, with the share link of whoever looks. Kept are neither the link,
which is a secret and ends, nor the address, which differs behind a proxy.
"""

import re
from typing import Any

_MARK = "{gateway}"


def free_addresses(state: dict[str, Any], base: str) -> dict[str, Any]:
    """Return a state with a mark in place of the address of this service and any share link."""
    home = re.sub(r"/s/[^/]+\Z", "", base.rstrip("/"))
    pattern = re.compile(re.escape(home) + r"(?:/s/[^/|]+)?(?=/data/)")
    freed: dict[str, Any] = _map(state, lambda text: pattern.sub(lambda _: _MARK, text))
    return freed


def bind_addresses(state: dict[str, Any], base: str) -> dict[str, Any]:
    """Return a state with the address, share link included, of whoever opens it."""
    home = base.rstrip("/")
    bound: dict[str, Any] = _map(
        state, lambda text: text.replace(f"{_MARK}/data/", f"{home}/data/")
    )
    return bound


def _map(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _map(part, change) for key, part in value.items()}
    if isinstance(value, list):
        return [_map(part, change) for part in value]
    return value
