"""Keys: where a thing lies inside a store, parsed so that none can point outside it."""

from dataclasses import dataclass

from gateway.errors import RefError

ROOT_FILES = ("zarr.json", "tiles.json", "info")
"""The file at the root of a folder that makes it a volume, tile grid or mesh: written last."""

_LONGEST_PART = 255


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies one level below a prefix: bare names, sorted."""

    folders: tuple[str, ...]
    files: tuple[str, ...]


def parse_key(key: str) -> str:
    """Check a '/'-separated key relative to a store and return it; '' is the store itself.

    Raises:
        RefError: The key is absolute, has an empty, `.` or `..` part, or an odd character.
    """
    if key == "":
        return key
    for part in key.split("/"):
        reason = _fault(part)
        if reason:
            raise RefError(
                f"key {key[:200]!r} is refused: {reason}; "
                "expected names separated by '/', relative to the store, e.g. m1/raw.ome.zarr"
            )
    return key


def join_key(*parts: str) -> str:
    """Join parts into one checked key, leaving out empty ones."""
    return parse_key("/".join(part for part in parts if part))


def _fault(part: str) -> str:
    if part == "":
        return "it has an empty part (a leading, trailing or double '/')"
    if part in {".", ".."}:
        return f"{part!r} would leave its folder"
    if "\\" in part or not part.isprintable():
        odd = next(c for c in part if c == "\\" or not c.isprintable())
        return f"it holds the character {odd!r}"
    if len(part.encode()) > _LONGEST_PART:
        return f"the part {part[:20]!r}… is longer than {_LONGEST_PART} bytes"
    return ""
