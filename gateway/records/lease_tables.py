"""The tables of devices and who holds them."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.records.tables import Base, UtcTime

_NAME = String(120)


class DeviceRow(Base):
    """A GPU of a machine."""

    __tablename__ = "devices"

    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
    """Its CDI name, which a container engine takes: `nvidia.com/gpu=0`."""
    host: Mapped[str] = mapped_column(String(255))
    model: Mapped[str] = mapped_column(String(200))
    memory_bytes: Mapped[int] = mapped_column(BigInteger)
    shares: Mapped[int] = mapped_column(Integer)
    """How many may hold it at once who asked for a share."""
    present: Mapped[bool] = mapped_column(Boolean)
    """Whether it was there at the last inventory."""


class LeaseRow(Base):
    """Somebody asked for devices; kept when it has ended, as the record of use."""

    __tablename__ = "leases"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    person: Mapped[str] = mapped_column(_NAME, index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    devices: Mapped[int] = mapped_column(Integer)
    whole: Mapped[bool] = mapped_column(Boolean)
    status: Mapped[str] = mapped_column(String(10), index=True)
    """`waiting`, `held` or `ended`."""
    asked: Mapped[datetime] = mapped_column(UtcTime)
    beat: Mapped[datetime] = mapped_column(UtcTime)
    """When the holder was last heard."""
    granted: Mapped[datetime | None] = mapped_column(UtcTime)
    ended: Mapped[datetime | None] = mapped_column(UtcTime)
    reason: Mapped[str | None] = mapped_column(Text)
    """Why it ended."""
    holder: Mapped[dict[str, Any]] = mapped_column(JSON)


class LeasePartRow(Base):
    """A share of a device that is held now; its key is why no two can ever hold the same."""

    __tablename__ = "lease_parts"

    device: Mapped[str] = mapped_column(_NAME, ForeignKey("devices.name"), primary_key=True)
    share: Mapped[int] = mapped_column(Integer, primary_key=True)
    lease: Mapped[str] = mapped_column(String(40), ForeignKey("leases.id"), index=True)
