"""Ingest from an inbox: what was recognised is said first, then a job does it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import CallError, GatewayError
from gateway.service.access.actor import Actor
from gateway.service.access.rights import require_person
from gateway.service.gateway import Gateway
from gateway.service.ingest import (
    IngestOptions,
    Recognised,
    ingest_call,
    ingest_run_options,
    recognise,
)
from gateway.service.jobs.job import Job
from gateway.service.jobs.places import check_source, find_place, without_folders
from gateway.service.jobs.requests import ask
from gateway.volumes.box import Vector
from gateway.volumes.ref import parse_ref

KINDS = ("image", "labels")
DTYPES = ("uint8", "uint16", "int16", "float32", "uint32", "uint64")
_BETWEEN = "[,;x\N{MULTIPLICATION SIGN}\\s]+"
_FLAG = re.compile(r"--([a-z]+(-[a-z]+)*)")
_ODD = re.compile(r"[^A-Za-z0-9_\-]+")
_ENDING = re.compile(r"(\.ome)?\.[A-Za-z0-9]{1,5}(\.gz)?\Z", re.IGNORECASE)


@dataclass(slots=True, kw_only=True)
class Wish:
    """What a person says about a source, read from a form."""

    values: dict[str, str]
    options: IngestOptions = field(default_factory=IngestOptions)
    errors: dict[str, str] = field(default_factory=dict)
    """Field to what is wrong with it; '' for what belongs to none."""


def read_wish(values: Mapping[str, str]) -> Wish:
    """Read the fields of the ingest form; what is wrong stands beside its field."""
    wish = Wish(values={key: text.strip() for key, text in values.items()})
    for name in set(wish.values) - set(_READERS) - {"ref", "do"}:
        wish.errors[""] = f"there is no field {name!r}; there are {', '.join(_READERS)}"
    given: dict[str, Any] = {}
    for name, read in _READERS.items():
        text = wish.values.get(name, "")
        if not text:
            continue
        try:
            given[name] = read(text)
        except ValueError as error:
            wish.errors[name] = f"is {text!r}; expected {error}"
    if not wish.errors:
        wish.options = IngestOptions(**given)
    return wish


def look(gateway: Gateway, actor: Actor, place: str, options: IngestOptions) -> Recognised:
    """Say what lies at a place of an inbox; every header is read, no voxel, nothing is written.

    Raises:
        NotFoundError: There is nothing.
        ForbiddenError: It, or something in it, leads out of the inbox.
        FormatError: It is broken, inconsistent or of no known format; names file and place.
    """
    person = require_person(actor)
    path = check_source(gateway, person, str(find_place(gateway, person, place)))
    try:
        return recognise(path, options)
    except GatewayError as error:
        # the same words as on the command line, but for its dashes and the folders of the server
        message = _FLAG.sub(r"\1", without_folders(gateway, person, str(error)))
        raise type(error)(message) from error
    except re.error as error:
        raise CallError(f"the pattern {options.pattern!r} is no expression: {error}") from error


def ask_ingest(gateway: Gateway, actor: Actor, place: str, ref: str, options: IngestOptions) -> Job:
    """Put the ingest of a place of an inbox into the queue.

    Raises:
        CallError: The files do not say how large their voxels are, and nobody does.
        GatewayError: As `look`, and as `gateway.service.jobs.requests.ask`.
    """
    named = parse_ref(ref)
    found = look(gateway, actor, place, options)
    if found.voxel_um is None:
        raise CallError(
            "the files do not say how large their voxels are: give voxel_um as z,y,x in "
            "micrometres, e.g. 5,2,2"
        )
    call = ingest_call(found, named, options)
    return ask(gateway, actor, call, {"workers": ingest_run_options(gateway, found).workers})


def suggest_ref(place: str, found: Recognised) -> str:
    """Return a name for what was recognised, from the name of its file or folder."""
    name = place.rstrip("/").rpartition("/")[2]
    stem = _ODD.sub("-", _ENDING.sub("", name)).strip("-_") or "sample"
    what = "tiles" if found.what == "tiles" else ("labels" if found.kind == "labels" else "raw")
    return f"{stem[:100]}/{what}"


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in re.split(_BETWEEN, text) if part)


def _voxel(text: str) -> Vector:
    try:
        sizes = _numbers(text)
    except ValueError:
        sizes = ()
    if len(sizes) != 3 or not all(0 < size < 1e6 for size in sizes):  # noqa: PLR2004
        raise ValueError("three sizes above 0, z,y,x in micrometres, e.g. 5,2,2")
    return (sizes[0], sizes[1], sizes[2])


def _grid(text: str) -> tuple[int, int]:
    try:
        counts = tuple(int(part) for part in re.split(_BETWEEN, text) if part)
    except ValueError:
        counts = ()
    if len(counts) != 2 or min(counts) < 1:  # noqa: PLR2004
        raise ValueError("rows and columns, e.g. 4,3")
    return (counts[0], counts[1])


def _overlap(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1
    if not 0 <= share < 1:
        raise ValueError("a share from 0 to below 1, e.g. 0.1 or 10%")
    return share


def _series(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("a whole number from 0")
    return int(text)


def _one_of(*names: str) -> Any:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"one of {', '.join(names)}")
        return text

    return read


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_READERS: Mapping[str, Any] = {
    "voxel_um": _voxel,
    "channel_names": _names,
    "kind": _one_of(*KINDS),
    "as_dtype": _one_of(*DTYPES),
    "axes": str,
    "array": str,
    "series": _series,
    "pattern": str,
    "overlap": _overlap,
    "order": _one_of("raster", "snake"),
    "grid": _grid,
    "in_place": lambda text: text in ("on", "true"),
}
