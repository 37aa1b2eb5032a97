"""Which headers go to Galaxy and which come back; pure. What a client says of itself is dropped."""

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Of one connection only (RFC 9110, section 7.6.1)."""
SPOOFED = frozenset(
    {
        b"remote-user",
        b"x-remote-user",
        b"x-forwarded-user",
        b"x-forwarded-email",
        b"x-forwarded-groups",
        b"gx-secret",
        b"x-gx-secret",
        b"http-remote-user",
        b"http-gx-secret",
    }
)
"""By which a proxy says who somebody is: ours to say. `_` and `-` are one to Galaxy."""
_OURS = frozenset({b"authorization"})
"""Meant for us, not for Galaxy."""
_COOKIES = (b"gateway-galaxy", b"jupyterhub-", b"gateway-", b"_xsrf")
"""Beginnings of the names of cookies that are none of Galaxy's."""


def to_galaxy(headers: Iterable[tuple[bytes, bytes]], address: str, secret: str) -> Headers:
    """Return the headers of a request as Galaxy gets them.

    Args:
        headers: As the client sent them.
        address: Address of whom the hub says it is.
        secret: Shows Galaxy that we say it.
    """
    sent: Headers = []
    for name, value in headers:
        plain = name.lower().replace(b"_", b"-").strip()
        if plain in _HOP or plain in SPOOFED or plain in _OURS:
            continue
        if plain == b"cookie":
            kept = _cookies_of_galaxy(value)
            if kept:
                sent.append((name, kept))
        else:
            sent.append((name, value))
    return [*sent, (b"remote-user", address.encode()), (b"gx-secret", secret.encode())]


def to_client(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of an answer as the client gets them."""
    return [(name.lower(), value) for name, value in headers if name.lower() not in _HOP]


def _cookies_of_galaxy(value: bytes) -> bytes:
    parts = [part.strip() for part in value.split(b";")]
    return b"; ".join(part for part in parts if part and not part.startswith(_COOKIES))
