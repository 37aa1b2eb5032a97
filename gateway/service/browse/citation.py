"""How to cite a dataset: as text and as BibTeX, from what its description says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from blake3 import blake3

from gateway.volumes.dataset import DatasetInfo

_SPECIAL = re.compile(r"([&%$#_{}])")
_BACKSLASH = "\\"
_SHORT = 23
"""Letters of the digest that a text shows: its kind and 16 digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """A dataset as a reference list names it."""

    text: str
    bibtex: str


def content_digest(digests: Mapping[str, str | None]) -> str | None:
    """Return one digest over the digests of all things of a dataset; None where one has none."""
    if not digests or not all(digests.values()):
        return None
    lines = "".join(f"{name} {digest}\n" for name, digest in sorted(digests.items()))
    return f"blake3:{blake3(lines.encode()).hexdigest()}"


def cite(
    name: str, info: DatasetInfo, *, made: datetime | None, digest: str | None, url: str
) -> Citation:
    """Return how to cite a dataset.

    Args:
        name: Name of the dataset.
        info: Its description.
        made: When it was made; tells the year where the description does not.
        digest: Of its content.
        url: Where it is found.
    """
    year = info.date[:4] or (str(made.year) if made else "n.d.")
    title = info.title or name
    content = f" Content {digest[:_SHORT]}." if digest else ""
    licence = f" Licence {info.licence}." if info.licence else ""
    people = _list(info.people)
    text = f"{people} ({year}). {title} [Data set].{licence}{content} {url}"
    fields = {
        "author": " and ".join(map(_escape, info.people)),
        "title": f"{{{_escape(title)}}}",
        "year": year if year != "n.d." else "",
        "howpublished": f"\\url{{{url}}}",
        "note": _escape(
            "; ".join(part for part in (info.licence and f"Licence {info.licence}", digest) if part)
        ),
    }
    lines = "".join(f"  {field} = {{{value}}},\n" for field, value in fields.items() if value)
    key = re.sub(r"[^A-Za-z0-9]", "", name) + (year if year != "n.d." else "")
    return Citation(text=text, bibtex=f"@misc{{{key},\n{lines}}}")


def _list(people: tuple[str, ...]) -> str:
    if not people:
        return "Anonymous"
    if len(people) == 1:
        return people[0]
    return f"{', '.join(people[:-1])} and {people[-1]}"


def _escape(text: str) -> str:
    plain = text.replace(_BACKSLASH, "/")
    return _SPECIAL.sub(r"\\\1", plain)
