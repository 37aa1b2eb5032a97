"""Galaxy's own sessions: each is passed on for the person it was given to, and for nobody else.

Galaxy's API believes the cookie of a session alone, whoever the proxy says it is: on a machine that
two people share, the second would be the first.
"""

import hashlib
from collections.abc import Iterable

from gateway.galaxy.front.headers import Headers

_COOKIE = b"galaxysession"
_MOST = 10_000


class GalaxySessions:
    """Whose sessions of Galaxy are whose, as Galaxy gave them out."""

    def __init__(self) -> None:
        """Begin with none: those of before are given out anew."""
        # never the cookie itself: a dump of memory's tables should not be a list of keys
        self._owners: dict[bytes, str] = {}

    def learn(self, headers: Iterable[tuple[bytes, bytes]], address: str) -> None:
        """Note the sessions in an answer of Galaxy to the person of that address."""
        for name, value in headers:
            if name.lower() == b"set-cookie" and _is_session(value):
                while len(self._owners) >= _MOST:
                    self._owners.pop(next(iter(self._owners)))
                self._owners[_key(value.partition(b";")[0])] = address

    def keep_own(self, headers: Headers, address: str) -> Headers:
        """Return the headers of a request without the sessions of other people."""
        kept: Headers = []
        for name, value in headers:
            if name.lower() == b"cookie":
                parts = [part.strip() for part in value.split(b";")]
                own = [p for p in parts if not _is_session(p) or self._is_own(p, address)]
                if own:
                    kept.append((name, b"; ".join(own)))
            else:
                kept.append((name, value))
        return kept

    def _is_own(self, cookie: bytes, address: str) -> bool:
        return self._owners.get(_key(cookie)) == address


def _is_session(cookie: bytes) -> bool:
    return cookie.partition(b"=")[0].strip() == _COOKIE


def _key(cookie: bytes) -> bytes:
    return hashlib.sha256(cookie.partition(b"=")[2].strip().strip(b'"')).digest()
