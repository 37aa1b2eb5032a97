"""Conversions that Galaxy asks for: small things of the store to files, and files to things."""

from pathlib import Path

from gateway.errors import CallError, FormatError
from gateway.galaxy.converters import COPIED
from gateway.galaxy.copying import check_table, check_volume
from gateway.galaxy.ingest_job import bring_from_history, suggest_stem
from gateway.galaxy.job import actor_of_user, read_json
from gateway.galaxy.volref import read_volref
from gateway.service.access.actor import Role
from gateway.service.access.rights import require
from gateway.service.exports import export
from gateway.service.gateway import Gateway
from gateway.volumes.open import open_ref
from gateway.volumes.points import PointsTable
from gateway.volumes.volume import Volume

MADE = "made"


def copy_out(
    gateway: Gateway, volref: Path, *, to: str, user: str, work: Path, folder: Path | None = None
) -> Path:
    """Write what a volref names as a file, or as a folder, of another datatype.

    Args:
        gateway: The gateway, whose setting `cutout` is the limit.
        volref: The volref.
        to: Galaxy's datatype.
        user: E-mail address of the Galaxy user, as Galaxy itself says it.
        work: The job's working folder, which gets the file `made`.
        folder: Where the folder of an `ome_zarr` goes.

    Raises:
        CallError: It is too large to copy, or is not copied to such a file.
        ForbiddenError: The user may not read it.
    """
    read = read_volref(volref)
    ref = read.parsed
    require(gateway, actor_of_user(gateway, user), ref.dataset, Role.VIEWER, ref.name)
    suffix = COPIED.get(read.kind, {}).get(to)
    if suffix is None:
        known = ", ".join(COPIED.get(read.kind, {})) or "nothing"
        raise CallError(f"{ref} is {read.kind}, which is not copied to {to}; expected {known}")
    thing = open_ref(gateway.store, ref)
    if isinstance(thing, Volume):
        check_volume(gateway, thing, str(ref))
    elif isinstance(thing, PointsTable):
        check_table(gateway, thing, str(ref))
    made = work / MADE
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        export(gateway, ref, folder / f"{ref.name}{suffix}", overwrite=True)
        made.write_text(f"{ref}\n", encoding="utf-8")
        return made
    file = work / f"{MADE}{suffix}"
    export(gateway, ref, file, overwrite=True)
    return file.rename(made)


def take_in(gateway: Gateway, *, kind: str, form: Path, user: str, work: Path) -> Path:
    """Copy a dataset of a history into the store, and write its volref.

    It goes into the person's own dataset for such copies, under a name that its content gives: the
    same again is found there.

    Raises:
        CallError: It is too large to copy.
        FormatError: It is of no known format, or does not say how large its voxels are.
    """
    given = read_json(form).get("input1")
    actor = actor_of_user(gateway, user)
    dataset = f"galaxy-{suggest_stem(str(actor.person).replace('@', '-at-').replace('.', '-'))}"
    try:
        made = bring_from_history(gateway, actor, given, what=kind, dataset=dataset, folder=work)
    except FormatError as error:
        raise FormatError(f"{error}; the tool Ingest asks for what a file does not say") from error
    return made.rename(work / MADE)
