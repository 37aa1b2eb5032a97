"""Roles on datasets: given, changed, taken away."""

from sqlalchemy import delete, insert, select

from gateway.errors import CallError
from gateway.records.access_tables import GrantRow
from gateway.records.database import reading
from gateway.service.access.actor import Role, parse_role
from gateway.service.access.changes import changing
from gateway.service.access.rights import EVERYONE
from gateway.service.gateway import Gateway
from gateway.volumes.ref import parse_dataset


def grant(gateway: Gateway, dataset: str, subject: str, role: Role) -> None:
    """Give a role on a dataset, in place of an earlier one; `Role.NONE` takes it away.

    Args:
        gateway: The gateway.
        dataset: Name of the dataset.
        subject: `person:NAME`, `group:NAME` or `everyone`, who can only be viewer.
        role: The role.

    Raises:
        CallError: The subject is malformed, or everyone is to be more than viewer.
    """
    parse_dataset(dataset)
    kind, _, name = subject.partition(":")
    if subject != EVERYONE and (kind not in ("person", "group") or not name):
        raise CallError(
            f"the subject {subject!r} is none; expected person:NAME, group:NAME or everyone"
        )
    if subject == EVERYONE and role > Role.VIEWER:
        raise CallError(f"everyone cannot be {role.label} of {dataset}; at most viewer")
    same = (GrantRow.dataset == dataset, GrantRow.subject == subject)
    with changing(gateway) as connection:
        connection.execute(delete(GrantRow).where(*same))
        if role:
            values = {"dataset": dataset, "subject": subject, "role": role.label}
            connection.execute(insert(GrantRow).values(**values))


def grants_of(gateway: Gateway, dataset: str) -> dict[str, Role]:
    """Return who has which role on a dataset, by subject."""
    statement = select(GrantRow.subject, GrantRow.role).where(GrantRow.dataset == dataset)
    with reading(gateway.database) as connection:
        return {row.subject: parse_role(row.role) for row in connection.execute(statement)}
