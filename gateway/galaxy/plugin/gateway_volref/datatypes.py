"""Galaxy's datatypes for volrefs: told by content, with facts and a picture in the history."""

import os
from html import escape
from pathlib import Path
from typing import Any

from galaxy.datatypes.metadata import MetadataElement
from galaxy.datatypes.sniff import build_sniff_from_prefix
from galaxy.datatypes.text import Json

from .content import LARGEST_BYTES, facts_of, one_line, parse, thumbnail

_BASE = "BRAIN_GATEWAY_URL"
_SHOWN = ("ref", "shape", "voxel_um", "channels", "rows", "columns", "tiles", "digest")


@build_sniff_from_prefix
class VolumeReference(Json):
    """The name of a thing in a store of the gateway; never the thing itself."""

    file_ext = "volref"
    kind = ""

    MetadataElement(name="ref", desc="Name in the store", readonly=True, no_value="")
    MetadataElement(name="kind", desc="Kind", readonly=True, visible=False, no_value="")
    MetadataElement(name="digest", desc="Digest", readonly=True, optional=True, no_value="")
    MetadataElement(name="shape", desc="Shape, czyx", readonly=True, optional=True, no_value="")
    MetadataElement(
        name="voxel_um", desc="Voxel size in µm, zyx", readonly=True, optional=True, no_value=""
    )
    MetadataElement(name="channels", desc="Channels", readonly=True, optional=True, no_value="")
    MetadataElement(name="columns", desc="Columns", readonly=True, optional=True, no_value="")
    MetadataElement(name="rows", desc="Rows", readonly=True, optional=True, no_value="")
    MetadataElement(name="tiles", desc="Tiles", readonly=True, optional=True, no_value="")

    def sniff_prefix(self, file_prefix: Any) -> bool:
        """Tell whether a file is a volref of this kind."""
        if file_prefix.truncated or file_prefix.file_size > LARGEST_BYTES:
            return False
        document = parse(file_prefix.contents_header)
        return document is not None and (not self.kind or document["kind"] == self.kind)

    def set_meta(self, dataset: Any, overwrite: bool = True, **kwd: Any) -> None:  # noqa: FBT001, FBT002 - Galaxy's signature
        """Keep the facts of a volref."""
        super().set_meta(dataset, overwrite=overwrite, **kwd)
        for name, text in _facts(dataset).items():
            setattr(dataset.metadata, name, text)

    def set_peek(self, dataset: Any, **kwd: Any) -> None:
        """Keep the line and the facts that a history shows."""
        del kwd
        if dataset.dataset.purged:
            dataset.peek = "file does not exist"
            dataset.blurb = "file purged from disk"
            return
        facts = _facts(dataset)
        dataset.blurb = one_line(facts) if facts else "not a volref"
        dataset.peek = "\n".join(f"{name}: {facts[name]}" for name in _SHOWN if name in facts)

    def display_peek(self, dataset: Any) -> str:
        """Return the facts with a picture, which the browser asks of the gateway itself."""
        text = str(super().display_peek(dataset))
        facts = {"ref": dataset.metadata.ref, "kind": dataset.metadata.kind}
        if not facts["ref"]:
            return text
        picture = thumbnail(os.environ.get(_BASE, ""), facts)
        if picture is None:
            return text
        return f'<img src="{escape(picture)}" alt="" height="96" loading="lazy"/>{text}'

    def get_mime(self) -> str:
        """Return the type of the content."""
        return "application/json"


def _facts(dataset: Any) -> dict[str, str]:
    try:
        with Path(dataset.get_file_name()).open(encoding="utf-8") as file:
            document = parse(file.read(LARGEST_BYTES + 1))
    except (OSError, UnicodeDecodeError):
        return {}
    return {} if document is None else facts_of(document)


class VolumeImage(VolumeReference):
    """The name of an image."""

    file_ext = "volref_image"
    kind = "image"


class VolumeLabels(VolumeReference):
    """The name of labels."""

    file_ext = "volref_labels"
    kind = "labels"


class VolumePoints(VolumeReference):
    """The name of a table of points."""

    file_ext = "volref_points"
    kind = "points"


class VolumeTransform(VolumeReference):
    """The name of a transform."""

    file_ext = "volref_transform"
    kind = "transform"


class VolumeTiles(VolumeReference):
    """The name of a grid of tiles."""

    file_ext = "volref_tiles"
    kind = "tiles"
