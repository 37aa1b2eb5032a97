"""Channels kept apart: stacks or planes whose names differ in a channel token."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from natsort import natsorted
from numpy.typing import NDArray

from gateway.errors import FormatError
from gateway.volumes.box import Box
from gateway.volumes.formats.format import FileSource, Format, OpenOptions
from gateway.volumes.formats.metadata import name_channels
from gateway.volumes.formats.planes import is_plane, open_planes, plane_files
from gateway.volumes.model import Channel

Open = Callable[[Path, OpenOptions], FileSource]
_TOKEN = re.compile(r"(?:^|[_\-. ])((?:channel|chan|ch|c|w)[_\-]?\d+)(?=$|[_\-. ])", re.IGNORECASE)


def make_format(open_source: Open) -> Format:
    """Return the format for folders of images, which opens the files in them with `open_source`."""
    return Format(
        name="folder of images",
        suffixes=(),
        sniff=lambda path, _head: path.is_dir(),
        open=lambda path, options: _open(path, options, open_source),
    )


def group_channels(entries: Sequence[Path], pattern: str | None) -> Mapping[str, list[Path]]:
    """Group files or folders by the channel their names tell, in natural order.

    Returns:
        Channel name to entries; one nameless channel where no name has a token.

    Raises:
        FormatError: The pattern is no regular expression with a group, or only some names match.
    """
    token = _token(pattern)
    groups: dict[str, list[Path]] = {}
    without = []
    for entry in entries:
        found = token.search(entry.name if entry.is_dir() else entry.stem)
        if found is None:
            without.append(entry.name)
        else:
            groups.setdefault(found.group(1), []).append(entry)
    if without and (pattern is not None or len(groups) > 1):
        raise FormatError(
            f"{entries[0].parent}: the channel is in some names but not in {', '.join(without[:5])}"
            f" ({len(without)} of {len(entries)}); move them away or give another --pattern"
        )
    if len(groups) < 2 and pattern is None:  # noqa: PLR2004
        return {"": list(entries)}
    return {name: groups[name] for name in natsorted(groups)}


def _token(pattern: str | None) -> re.Pattern[str]:
    if pattern is None:
        return _TOKEN
    try:
        token = re.compile(pattern)
    except re.error as error:
        raise FormatError(f"--pattern {pattern!r} is no regular expression: {error}") from error
    if token.groups < 1:
        raise FormatError(
            f"--pattern {pattern!r} has no group for the channel; write e.g. '_ch(\\d+)'"
        )
    return token


def _open(path: Path, options: OpenOptions, open_source: Open) -> FileSource:
    files = plane_files(path)
    folders = natsorted(
        (p for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")),
        key=lambda p: p.name,
    )
    if not files and not folders:
        raise FormatError(
            f"{path} holds no images (no .tif, .tiff or .png file); is it the right folder?"
        )
    groups = group_channels(files or folders, options.pattern)
    single = replace(options, channel_names=None)
    parts = [_open_channel(path, entries, single, open_source) for entries in groups.values()]
    if len(parts) == 1:
        info = parts[0].info
        names = name_channels(path, len(info.channels), options, info.channels)
        return replace(parts[0], info=replace(info, channels=names))
    return _join(path, list(groups), parts, options)


def _open_channel(
    path: Path, entries: Sequence[Path], options: OpenOptions, open_source: Open
) -> FileSource:
    if len(entries) == 1 and (entries[0].is_dir() or not is_plane(entries[0])):
        inner = replace(options, pattern=None)
        return open_source(entries[0], inner)
    if entries[0].is_dir():
        names = ", ".join(p.name for p in entries[:5])
        raise FormatError(
            f"{path} holds {len(entries)} folders ({names}) that are no channels of one image; "
            "name one of them, or give --pattern if they are channels"
        )
    if not is_plane(entries[0]):
        raise FormatError(
            f"{path} holds {len(entries)} stacks ({entries[0].name}, …), not planes; if they are "
            "tiles give --positions FILE.csv (or --overlap), if they are channels give --pattern"
        )
    return open_planes(path, entries, options)


def _join(
    path: Path, names: list[str], parts: list[FileSource], options: OpenOptions
) -> FileSource:
    first = parts[0].info
    for name, part in zip(names, parts, strict=True):
        if len(part.info.channels) != 1:
            raise FormatError(f"channel {name} of {path} holds {len(part.info.channels)} channels")
        for what in ("shape", "dtype", "voxel_um", "times"):
            got, expected = getattr(part.info, what), getattr(first, what)
            if got != expected:
                raise FormatError(
                    f"{path}: channel {name} has {what} {got}, channel {names[0]} has {expected}; "
                    "channels of one volume must be alike"
                )
    known = [
        Channel(name=name, colour=c.colour, window=part.info.channels[0].window)
        for name, part, c in zip(
            names, parts, name_channels(path, len(parts), OpenOptions()), strict=True
        )
    ]

    def fetch(box: Box, channel: int, time: int) -> NDArray[Any]:
        return parts[channel].fetch(box, 0, time)

    units = [part.read_unit for part in parts]
    z, y, x = (max(axis) for axis in zip(*units, strict=True))
    return replace(
        parts[0],
        info=replace(first, channels=name_channels(path, len(parts), options, known)),
        read_unit=(z, y, x),
        fetch=fetch,
        path=path,
        files=tuple(f for part in parts for f in part.files),
        format=f"{len(parts)} channels of {parts[0].format}",
    )
