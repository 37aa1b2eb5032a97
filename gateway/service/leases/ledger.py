"""The ledger of devices: asked for, held by heartbeat, given back. No device is held twice."""

import secrets
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update

from gateway.errors import ConflictError, LimitError, NotFoundError
from gateway.records.database import reading, writing
from gateway.records.lease_tables import DeviceRow, LeasePartRow, LeaseRow
from gateway.service.gateway import Gateway
from gateway.service.leases.line import Request, choose, in_line
from gateway.service.leases.model import Active, Device, Holder, Lease, Purpose

BEAT = timedelta(seconds=10)
"""How often a holder is written down as heard, however often it speaks."""
_LOCK = 0x6761746577617902
"""Key of the PostgreSQL advisory lock under which devices are given out."""


def set_devices(gateway: Gateway, devices: Sequence[Device]) -> None:
    """Record what devices there are; one that is missing is lent no more once it is free."""
    with writing(gateway.database) as connection:
        _serialize(connection)
        known = set(connection.scalars(select(DeviceRow.name)))
        connection.execute(update(DeviceRow).values(present=False))
        for device in devices:
            values = {
                "host": device.host,
                "model": device.model,
                "memory_bytes": device.memory_bytes,
                "shares": device.shares,
                "present": True,
            }
            if device.name in known:
                same = update(DeviceRow).where(DeviceRow.name == device.name)
                connection.execute(same.values(**values))
            else:
                connection.execute(insert(DeviceRow).values(name=device.name, **values))
        _serve(connection, datetime.now(UTC))


def list_devices(gateway: Gateway) -> list[Device]:
    """Return the devices that are lent, by name."""
    columns = (DeviceRow.name, DeviceRow.host, DeviceRow.model, DeviceRow.memory_bytes)
    found = select(*columns, DeviceRow.shares).where(DeviceRow.present).order_by(DeviceRow.name)
    with reading(gateway.database) as connection:
        return [Device(**row) for row in connection.execute(found).mappings()]


def ask(
    gateway: Gateway,
    person: str,
    holder: Holder,
    *,
    purpose: Purpose,
    devices: int = 1,
    whole: bool = True,
) -> Lease:
    """Ask for devices; the lease is held at once where they are free, else it waits in line.

    Args:
        gateway: The gateway.
        person: Who asks.
        holder: What uses them: when it dies, they come back.
        purpose: What for.
        devices: How many.
        whole: Whether alone; else one share of each.

    Raises:
        LimitError: There are not so many, whoever holds them.
    """
    now = datetime.now(UTC)
    key = secrets.token_hex(8)
    with writing(gateway.database) as connection:
        _serialize(connection)
        there = len(_present(connection))
        if not 1 <= devices <= there:
            raise LimitError(
                f"{devices} GPUs were asked for and this gateway has {there}; ask for "
                + (f"1 to {there}" if there else "none, or list them in the setting devices")
            )
        values = {"id": key, "person": person, "purpose": purpose, "devices": devices}
        times = {"asked": now, "beat": now}
        given = {"whole": whole, "status": "waiting", "holder": holder.to_json()}
        connection.execute(insert(LeaseRow).values(**values, **given, **times))
        _serve(connection, now)
        return _lease(connection, key)


def refresh(gateway: Gateway, lease: str) -> Lease:
    """Say that the holder lives; a waiting lease may be held from now on.

    Raises:
        NotFoundError: There is no such lease.
        ConflictError: It has ended: it was given back, revoked, or its holder seemed dead.
    """
    now = datetime.now(UTC)
    with reading(gateway.database) as connection:
        row = _live_row(connection, lease)
        if now - row.beat < BEAT:
            return _lease(connection, lease)  # heard just now: the line need not wait for a write
    with writing(gateway.database) as connection:
        _serialize(connection)
        _live_row(connection, lease)
        connection.execute(update(LeaseRow).where(LeaseRow.id == lease).values(beat=now))
        _serve(connection, now)
        return _lease(connection, lease)


def hand_over(gateway: Gateway, lease: str, holder: Holder) -> Lease:
    """Let another holder keep a lease, such as the container that it was taken for.

    Raises:
        NotFoundError: There is no such lease.
        ConflictError: It has ended: whoever shall hold it must not use its devices.
    """
    now = datetime.now(UTC)
    with writing(gateway.database) as connection:
        _serialize(connection)
        row = _row(connection, lease)
        if row.status == "ended":
            raise ConflictError(f"the lease {lease} has ended: {row.reason}; its devices are lent")
        values = {"holder": holder.to_json(), "beat": now}
        connection.execute(update(LeaseRow).where(LeaseRow.id == lease).values(**values))
        return _lease(connection, lease)


def give_back(gateway: Gateway, lease: str, reason: str = "given back") -> Lease:
    """End a lease; nothing happens where it has ended.

    Raises:
        NotFoundError: There is no such lease.
    """
    now = datetime.now(UTC)
    with writing(gateway.database) as connection:
        _serialize(connection)
        _row(connection, lease)
        _end(connection, lease, reason, now)
        _serve(connection, now)
        return _lease(connection, lease)


def ask_back(gateway: Gateway, lease: str, reason: str) -> Lease:
    """Take a lease back: one that waits ends, one that is held ends when its holder has stopped.

    The holder learns it at its next heartbeat. Until it gives back, nobody else gets its devices.

    Raises:
        NotFoundError: There is no such lease.
    """
    with writing(gateway.database) as connection:
        _serialize(connection)
        if _row(connection, lease).status == "waiting":
            _end(connection, lease, reason, datetime.now(UTC))
        held = update(LeaseRow).where(LeaseRow.id == lease, LeaseRow.status == "held")
        connection.execute(held.values(reason=func.coalesce(LeaseRow.reason, reason)))
        return _lease(connection, lease)


def reclaim(gateway: Gateway, dead: dict[str, tuple[datetime, str]]) -> list[str]:
    """End the leases of holders that were found dead, and serve who waits.

    Args:
        gateway: The gateway.
        dead: Lease to its heartbeat when it was judged, and why. One that was heard since is
            left alone.

    Returns:
        The leases that were ended.
    """
    now = datetime.now(UTC)
    with writing(gateway.database) as connection:
        _serialize(connection)
        ended = []
        for lease, (beat, reason) in dead.items():
            row = _row(connection, lease)
            if row.status != "ended" and row.beat <= beat:
                _end(connection, lease, reason, now)
                ended.append(lease)
        _serve(connection, now)
    return ended


def list_leases(gateway: Gateway, *, ended: int = 0) -> list[Lease]:
    """Return the leases that are held or wait, in line, then the last `ended` that ended."""
    with reading(gateway.database) as connection:
        active = select(LeaseRow.id).where(LeaseRow.status != "ended").order_by(LeaseRow.asked)
        past = select(LeaseRow.id).where(LeaseRow.status == "ended")
        keys = list(connection.scalars(active))
        keys += connection.scalars(past.order_by(LeaseRow.ended.desc()).limit(ended))
        return [_lease(connection, key) for key in keys]


def active_holders(gateway: Gateway) -> list[Active]:
    """Return what is held or waits, with its holder and when that was last heard."""
    found = select(LeaseRow.id, LeaseRow.beat, LeaseRow.holder).where(LeaseRow.status != "ended")
    with reading(gateway.database) as connection:
        rows = connection.execute(found).all()
    return [Active(lease=row.id, beat=row.beat, holder=Holder(**row.holder)) for row in rows]


def find_lease(gateway: Gateway, lease: str) -> Lease:
    """Return a lease, ended or not.

    Raises:
        NotFoundError: There is no such lease.
    """
    with reading(gateway.database) as connection:
        _row(connection, lease)
        return _lease(connection, lease)


def _serve(connection: Connection, now: datetime) -> None:
    """Give free devices to who waits.

    The first in line is not overtaken, or one who wants several would never get them; only a
    request for more devices than are present lets others pass.
    """
    shares = _present(connection)
    free = _free(connection, shares)
    for request in in_line(_waiting(connection), _held(connection)):
        if request.devices > len(shares):
            continue
        parts = choose(request, free, shares)
        if not parts:
            return
        rows = [
            {"device": device, "share": share, "lease": request.id}
            for device, taken in parts.items()
            for share in sorted(taken)
        ]
        connection.execute(insert(LeasePartRow), rows)
        mine = update(LeaseRow).where(LeaseRow.id == request.id)
        # heard of from now on: the time in line must not count as silence
        connection.execute(mine.values(status="held", granted=now))
        free = {name: free[name] - parts.get(name, frozenset()) for name in free}


def _end(connection: Connection, lease: str, reason: str, now: datetime) -> None:
    connection.execute(delete(LeasePartRow).where(LeasePartRow.lease == lease))
    open_ = update(LeaseRow).where(LeaseRow.id == lease, LeaseRow.status != "ended")
    why = func.coalesce(LeaseRow.reason, reason)  # what it was asked back for comes first
    connection.execute(open_.values(status="ended", ended=now, reason=why))


def _serialize(connection: Connection) -> None:
    """Let one process at a time give out devices; on SQLite every write does that."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _present(connection: Connection) -> dict[str, int]:
    found = select(DeviceRow.name, DeviceRow.shares).where(DeviceRow.present)
    return {row.name: row.shares for row in connection.execute(found.order_by(DeviceRow.name))}


def _free(connection: Connection, shares: dict[str, int]) -> dict[str, frozenset[int]]:
    taken: dict[str, set[int]] = defaultdict(set)
    for row in connection.execute(select(LeasePartRow.device, LeasePartRow.share)):
        taken[row.device].add(row.share)
    return {name: frozenset(range(count)) - taken[name] for name, count in shares.items()}


def _waiting(connection: Connection) -> list[Request]:
    columns = (LeaseRow.id, LeaseRow.person, LeaseRow.devices, LeaseRow.whole, LeaseRow.asked)
    found = select(*columns).where(LeaseRow.status == "waiting")
    return [Request(*row) for row in connection.execute(found)]


def _held(connection: Connection) -> Counter[str]:
    held: Counter[str] = Counter()
    found = select(LeaseRow.person, LeaseRow.devices).where(LeaseRow.status == "held")
    for row in connection.execute(found):
        held[row.person] += row.devices
    return held


def _live_row(connection: Connection, lease: str) -> Row[str, datetime, str | None]:
    row = _row(connection, lease)
    if row.status == "ended":
        raise ConflictError(f"the lease {lease} has ended: {row.reason}; ask for a new one")
    if row.reason is not None:
        raise ConflictError(f"the lease {lease} is over: {row.reason}; ask for a new one")
    return row


def _row(connection: Connection, lease: str) -> Row[str, datetime, str | None]:
    found = select(LeaseRow.status, LeaseRow.beat, LeaseRow.reason).where(LeaseRow.id == lease)
    row = connection.execute(found).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no lease {lease!r}; see `gateway leases`")
    return row


def _lease(connection: Connection, key: str) -> Lease:
    row = connection.execute(select(LeaseRow.__table__).where(LeaseRow.id == key)).one()
    shares = _present(connection)
    free = _free(connection, shares)
    parts = select(LeasePartRow.device).where(LeasePartRow.lease == key).distinct()
    position = None
    if row.status == "waiting":
        line = [request.id for request in in_line(_waiting(connection), _held(connection))]
        position = line.index(key) + 1
    return Lease(
        id=row.id,
        person=row.person,
        purpose=row.purpose,
        wanted=row.devices,
        whole=row.whole,
        status=row.status,
        devices=tuple(sorted(connection.scalars(parts))),
        asked=row.asked,
        granted=row.granted,
        ended=row.ended,
        reason=row.reason,
        position=position,
        free=sum(len(free[name]) == shares[name] for name in shares),
        total=len(shares),
    )
