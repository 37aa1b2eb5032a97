"""The ingest of Galaxy: what its form names is brought into the store, and a volref tells it."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from blake3 import blake3

from gateway.errors import CallError, ForbiddenError
from gateway.galaxy.copying import check_file
from gateway.galaxy.formats import INGESTED
from gateway.galaxy.ingest_xml import MADE, TOOL, VERSION
from gateway.galaxy.job import actor_of_user, describe, read_json
from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import own_new_dataset
from gateway.service.access.rights import require
from gateway.service.gateway import Gateway
from gateway.service.ingest import (
    IngestOptions,
    Recognised,
    ingest_call,
    ingest_run_options,
    link,
    links_in_place,
    recognise,
)
from gateway.service.jobs.ingesting import look, read_wish, suggest_ref
from gateway.service.jobs.places import find_place
from gateway.service.runs import run_tool
from gateway.service.table_import import import_points
from gateway.volumes.dataset import find_entry
from gateway.volumes.link import read_link
from gateway.volumes.ref import Ref, parse_ref

_DIRECTORIES = ("zarr", "ome_zarr")
_PROTOCOLS = ("http", "https")
_NAMES = {"image": "raw"}
"""What a thing is called, where not as what it is."""
_MARK_DIGITS = 10
_ENDING = re.compile(r"(\.ome)?\.[A-Za-z0-9]{1,8}(\.gz)?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What the form says, but for where the data are."""

    what: str
    options: IngestOptions
    dataset: str
    name: str

    def ref(self, suggested: str) -> Ref:
        """Return the name to give; what is left empty is taken from the source's own name."""
        dataset, _, name = suggested.partition("/")
        return parse_ref(f"{self.dataset or dataset}/{self.name or name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One job: for whom, and where it may write files."""

    gateway: Gateway
    actor: Actor
    wanted: _Wanted
    folder: Path
    cancel: threading.Event


def run_ingest(
    gateway: Gateway,
    *,
    version: str,
    form: Path,
    user: str,
    folder: Path,
    cancel: threading.Event | None = None,
) -> Path:
    """Bring in what a form names and write the volref of it.

    Args:
        gateway: The gateway.
        version: The version of the tool that the form is of.
        form: JSON file that Galaxy wrote.
        user: E-mail address of the Galaxy user, as Galaxy itself says it.
        folder: The job's working folder.
        cancel: Set it, from any thread, to stop.

    Raises:
        CallError: The form says nothing useful; names the field.
        ForbiddenError: The user may not write the dataset, or nobody may read from that host.
        GatewayError: As `gateway.service.ingest`.
    """
    if version != VERSION:
        raise CallError(
            f"the form is of {TOOL} {version}, but {VERSION} is installed; ask the administrator "
            "to publish the tools of this gateway to Galaxy again"
        )
    document = read_json(form)
    work = _Work(
        gateway=gateway,
        actor=actor_of_user(gateway, user),
        wanted=_read_wanted(document),
        folder=folder,
        cancel=cancel or threading.Event(),
    )
    return _write(work, _bring(work, document.get("source")))


def bring_from_history(
    gateway: Gateway,
    actor: Actor,
    file: object,
    *,
    what: str,
    dataset: str,
    folder: Path,
) -> Path:
    """Copy a dataset of a history into the store as it is, and write the volref of it.

    Args:
        gateway: The gateway.
        actor: Who asks.
        file: What Galaxy's form says of the dataset.
        what: Image, labels or points.
        dataset: The dataset it goes into; its content gives the name.
        folder: The job's working folder.

    Raises:
        GatewayError: As `run_ingest`.
    """
    values = {} if what == "points" else {"kind": what}
    options = read_wish(values).options
    wanted = _Wanted(what=what, options=options, dataset=dataset, name="")
    work = _Work(
        gateway=gateway, actor=actor, wanted=wanted, folder=folder, cancel=threading.Event()
    )
    return _write(work, _from_history(work, file))


def _write(work: _Work, ref: Ref) -> Path:
    path = work.folder / "made.volref"
    path.write_text(describe(work.gateway, str(ref)).to_text(), encoding="utf-8")
    return path


def _read_wanted(document: Mapping[str, Any]) -> _Wanted:
    what = str(document.get("what"))
    if what not in MADE:
        raise CallError(f"what it is is said to be {what!r}; expected one of {', '.join(MADE)}")
    more, save = (_section(document, name) for name in ("more", "save"))
    given = {"voxel_um": document.get("voxel_um"), **more}
    values = {name: _text(value) for name, value in given.items()}
    if what in ("image", "labels"):
        values["kind"] = what
    if what != "tiles":  # these speak of tiles, and would make a folder one of tiles
        values |= dict.fromkeys(("order", "overlap", "grid"), "")
    wish = read_wish(values)
    for name, wrong in wish.errors.items():
        raise CallError(f"the field {name!r} {wrong}" if name else wrong)
    return _Wanted(
        what=what,
        options=wish.options,
        dataset=_text(save.get("dataset")),
        name=_text(save.get("name")),
    )


def _bring(work: _Work, source: object) -> Ref:
    """Bring in from where the form says."""
    given = source if isinstance(source, Mapping) else {}
    match given.get("from"):
        case "inbox":
            return _from_inbox(work, _text(given.get("place")))
        case "address":
            return _from_address(work, _text(given.get("url")))
        case "history":
            return _from_history(work, given.get("file"))
        case other:
            raise CallError(
                f"the source is said to be {other!r}; expected inbox, history or address"
            )


def _from_inbox(work: _Work, place: str) -> Ref:
    if work.wanted.what == "points":
        person = str(work.actor.person)
        return _points(work, find_place(work.gateway, person, place), place)
    found = look(work.gateway, work.actor, place, work.wanted.options)
    return _ingest(work, found, suggest_ref(place, found))


def _from_history(work: _Work, file: object) -> Ref:
    """Copy a dataset of the history in, or register what a deferred one names."""
    given = file if isinstance(file, Mapping) else {}
    path, kind = _text(given.get("source_path")), _text(given.get("ext"))
    if urlsplit(path).scheme in _PROTOCOLS:
        return _from_address(work, path)
    if not path or kind not in INGESTED:
        known = ", ".join(INGESTED)
        raise CallError(f"the dataset is of type {kind!r}; expected one of {known}")
    title = _text(given.get("element_identifier")) or "sample"
    real = _store_root(Path(path)) if kind in _DIRECTORIES else Path(path)
    check_file(work.gateway, real, title)
    # its content gives the name: the same again, in a workflow that is run again, is found there
    what = work.wanted.what
    ref = work.wanted.ref(f"{suggest_stem(title)}/{_NAMES.get(what, what)}-{_mark(real)}")
    _begin(work, ref)
    if not work.wanted.name and find_entry(work.gateway.store, ref) is not None:
        return ref
    # formats are told by the end of the name, which Galaxy's own files do not have
    named = work.folder / f"source{INGESTED[kind]}"
    named.symlink_to(real)
    if what == "points":
        import_points(work.gateway, named, ref)
        return ref
    return _ingest(work, recognise(named, work.wanted.options), str(ref))


def _from_address(work: _Work, url: str) -> Ref:
    """Register the volume at an address whose host is one of the setting's."""
    check_host(work.gateway, url)
    wanted = work.wanted
    if wanted.what not in ("image", "labels"):
        raise CallError(
            f"only a volume is registered at its address, but {wanted.what} are asked for; choose "
            "image or labels, or bring in a copy from an inbox"
        )
    stem = suggest_stem(urlsplit(url).path)
    ref = wanted.ref(f"{stem}/{_NAMES.get(wanted.what, wanted.what)}")
    _begin(work, ref)
    taken = find_entry(work.gateway.store, ref)
    same = taken is not None and taken.linked and read_link(work.gateway.store, taken.key)
    if not same or same.url.rstrip("/") != url.rstrip("/"):
        link(work.gateway, url, ref, wanted.options)
    return ref


def _ingest(work: _Work, found: Recognised, suggested: str) -> Ref:
    wanted = work.wanted
    if (found.what == "tiles") != (wanted.what == "tiles"):
        other = "tiles" if found.what == "tiles" else found.kind
        raise CallError(f"{found}: that is not {wanted.what}; choose {other} as what it is")
    ref = wanted.ref(suggested)
    _begin(work, ref)
    if links_in_place(found.path, wanted.options):
        link(work.gateway, found.path, ref, wanted.options)
        return ref
    call = ingest_call(found, ref, wanted.options)
    options = ingest_run_options(work.gateway, found)
    run_tool(work.gateway, call, options, cancel=work.cancel, person=work.actor.person)
    return ref


def _points(work: _Work, file: Path, title: str) -> Ref:
    ref = work.wanted.ref(f"{suggest_stem(title)}/points")
    _begin(work, ref)
    import_points(work.gateway, file, ref)
    return ref


def _begin(work: _Work, ref: Ref) -> None:
    """Make a new dataset the person's own; into one that is there only its editors write."""
    own_new_dataset(work.gateway, work.actor, ref.dataset)
    require(work.gateway, work.actor, ref.dataset, Role.EDITOR)


def suggest_stem(name: str) -> str:
    """Return the name of a dataset for a file or folder of any name."""
    last = _ENDING.sub("", name.rstrip("/").rpartition("/")[2])
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in last)
    return kept.strip("-_")[:100] or "sample"


def check_host(gateway: Gateway, url: str) -> None:
    """Refuse an address on a host that is not one of the setting `galaxy_hosts`.

    Raises:
        ForbiddenError: Names the host, and the setting.
        CallError: It is no web address.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PROTOCOLS or not parts.hostname or "@" in parts.netloc:
        raise CallError(f"{url!r} is no web address; expected https://HOST/PATH")
    host, allowed = parts.hostname.casefold(), gateway.settings.galaxy_hosts
    if not any(fnmatchcase(host, pattern.casefold()) for pattern in allowed):
        known = ", ".join(allowed) or "none"
        raise ForbiddenError(
            f"this gateway does not read from {host}; it reads from {known}; ask its administrator "
            "to add the host to the setting galaxy_hosts, or bring in a copy"
        )


def _store_root(path: Path) -> Path:
    """Return the folder of a zarr that Galaxy keeps beside its file, or the folder in it."""
    folder = path.with_name(f"{path.stem}_files")
    inner = sorted(folder.iterdir()) if folder.is_dir() else []
    if len(inner) == 1 and inner[0].is_dir() and not inner[0].is_symlink():
        return inner[0]
    return folder


def _mark(path: Path) -> str:
    """Return what tells the content of a file or folder from another's."""
    digest = blake3()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if file.is_file():
            digest.update(b"" if file == path else str(file.relative_to(path)).encode())
            digest.update_mmap(file)
    return digest.hexdigest(_MARK_DIGITS // 2)


def _section(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = document.get(name) or {}
    if not isinstance(section, Mapping):
        raise CallError(f"the section {name!r} of the form is {section!r}; expected fields")
    return section


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else ""
    return "" if value is None else str(value).strip()
