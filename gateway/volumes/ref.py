"""Refs: the name `dataset/name` of a thing in a store, parsed and never joined as text."""

import re
import unicodedata
from dataclasses import dataclass

from gateway.errors import RefError

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-]*(\.[A-Za-z0-9_\-]+)*\Z")
_LONGEST = 120


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """The name of a volume, table, tile grid or transform: `dataset/name`."""

    dataset: str
    name: str

    def __str__(self) -> str:
        """Return the ref as text."""
        return f"{self.dataset}/{self.name}"


def parse_dataset(text: str) -> str:
    """Check one dataset name and return it.

    Raises:
        RefError: The name has a character, dot or length that refs do not allow.
    """
    return _part(text, text, "dataset")


def parse_ref(text: str) -> Ref:
    """Parse `dataset/name`.

    Raises:
        RefError: Not two parts, or a part with `..`, a separator, an odd character, or none.
    """
    parts = text.split("/")
    if len(parts) != 2:  # noqa: PLR2004
        raise RefError(f"ref {text!r} has {len(parts)} part(s); expected DATASET/NAME, e.g. m1/raw")
    return Ref(_part(parts[0], text, "dataset"), _part(parts[1], text, "name"))


def _part(part: str, whole: str, what: str) -> str:
    if len(part) > _LONGEST:
        raise RefError(f"the {what} in {whole[:40]!r}… has {len(part)} characters; at most 120")
    if _PART.match(part) and ".." not in part:
        return part
    odd = sorted(
        {unicodedata.name(c, repr(c)) for c in part if not re.match(r"[\w.\-]", c, re.ASCII)}
    )
    found = f" (found {', '.join(odd)})" if odd else ""
    raise RefError(
        f"the {what} {part!r} in ref {whole!r} is not allowed{found}; "
        "use letters, digits, '_', '-' and single dots, starting with a letter or digit"
    )
