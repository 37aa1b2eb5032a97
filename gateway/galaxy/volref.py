"""Volrefs: small JSON files in a Galaxy history, each the name of a thing in a store.

What one says is a claim of whoever made the file: rights are checked where it is used.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from gateway.errors import FormatError, RefError
from gateway.toolkit.spec import PortKind
from gateway.volumes.ref import Ref, parse_ref

MARK = "brain-gateway/volref"
VERSION = 1
_LARGEST_BYTES = 16_384
_KINDS: tuple[PortKind, ...] = ("image", "labels", "points", "tiles", "transform")


@dataclass(frozen=True, slots=True, kw_only=True)
class Volref:
    """The name of a thing, with what people want to see of it."""

    ref: str
    kind: PortKind
    digest: str | None = None
    facts: dict[str, Any]
    """Shape, voxel size, channels or columns, as they were when the file was made."""

    @property
    def parsed(self) -> Ref:
        """The ref, taken apart."""
        return parse_ref(self.ref)

    def to_text(self) -> str:
        """Return the content of the file."""
        document = {"format": MARK, "version": VERSION, **asdict(self)}
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_text(cls, text: str, name: str) -> Self:
        """Read what `to_text` gave; nothing in it is believed but the form.

        Args:
            text: The content.
            name: What to call the file in an error.

        Raises:
            FormatError: It is no volref, or of a later version.
            RefError: The ref in it is malformed.
        """
        try:
            document = json.loads(text)
        except ValueError as error:
            raise FormatError(f"{name} is no volref: it is no JSON ({error})") from error
        if not isinstance(document, dict) or document.get("format") != MARK:
            raise FormatError(
                f"{name} is no volref: it does not say {MARK!r}; give a dataset that a tool of the "
                "gateway made, or that was sent from its dataset page"
            )
        if document.get("version") != VERSION:
            raise FormatError(
                f"{name} is a volref of version {document.get('version')!r}; this gateway reads "
                f"version {VERSION}"
            )
        ref, kind = document.get("ref"), document.get("kind")
        if not isinstance(ref, str):
            raise RefError(f"the volref {name} names {ref!r}; expected DATASET/NAME")
        parse_ref(ref)
        facts, digest = document.get("facts"), document.get("digest")
        return cls(
            ref=ref,
            kind=kind_of(kind, f"the volref {name}"),
            digest=digest if isinstance(digest, str) else None,
            facts=facts if isinstance(facts, dict) else {},
        )


def kind_of(value: object, name: str = "it") -> PortKind:
    """Return the kind that a word names.

    Raises:
        FormatError: It names none.
    """
    for kind in _KINDS:
        if value == kind:
            return kind
    raise FormatError(f"{name} is of kind {value!r}; expected one of {', '.join(_KINDS)}")


def read_volref(path: Path) -> Volref:
    """Read a volref file.

    Raises:
        FormatError: It cannot be read, is too large for a volref, or is none.
        RefError: The ref in it is malformed.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_BYTES + 1)
        text = content.decode()
    except OSError as error:
        raise FormatError(f"the volref {path.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path.name} is no volref: it is no text") from error
    if len(content) > _LARGEST_BYTES:
        raise FormatError(
            f"{path.name} is no volref: it has more than {_LARGEST_BYTES} bytes; data themselves "
            "are brought in with `gateway ingest`"
        )
    return Volref.from_text(text, path.name)
