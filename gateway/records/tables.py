"""The tables of the catalogue, the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

# Named constraints, so that a later migration can change them on SQLite too.
_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
_NAME = String(120)
_REF = Text()
_DIGEST = String(100)


class UtcTime(TypeDecorator[datetime]):
    """A time with zone, kept in UTC; SQLite, which has no zones, gets it without."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn the time into UTC."""
        if value is None:
            return None
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the time its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Root of the tables."""

    metadata = MetaData(naming_convention=_NAMING)


class DatasetRow(Base):
    """A dataset: one sample."""

    __tablename__ = "datasets"

    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
    info: Mapped[dict[str, Any]] = mapped_column(JSON)
    search: Mapped[str] = mapped_column(Text)
    """Lower-case words of the name and of `info`."""
    title: Mapped[str] = mapped_column(Text, server_default="")
    """In lower case, else the name: what lists are sorted by."""
    made: Mapped[datetime | None] = mapped_column(UtcTime)
    """When the first of it was made, as far as runs tell."""
    changed: Mapped[datetime | None] = mapped_column(UtcTime, index=True)
    """When something was last made in it, or its description changed."""
    facets: Mapped[str] = mapped_column(Text, server_default="")
    """Its facets in one text, to count those of thousands of datasets at once."""


class FacetRow(Base):
    """A value by which datasets can be narrowed down, such as a species."""

    __tablename__ = "facets"

    dataset: Mapped[str] = mapped_column(
        _NAME, ForeignKey("datasets.name", ondelete="CASCADE"), primary_key=True
    )
    facet: Mapped[str] = mapped_column(String(20), primary_key=True)
    value: Mapped[str] = mapped_column(Text, primary_key=True)

    __table_args__ = (Index("ix_facets_facet", "facet", "value", "dataset"),)


class EntryRow(Base):
    """A volume, table, tile grid or transform of a dataset."""

    __tablename__ = "entries"

    dataset: Mapped[str] = mapped_column(
        _NAME, ForeignKey("datasets.name", ondelete="CASCADE"), primary_key=True
    )
    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str | None] = mapped_column(_DIGEST)
    made_by: Mapped[str | None] = mapped_column(_NAME, index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Shape, voxel size, dtype, levels, columns: what the kind has."""


class RunRow(Base):
    """One execution of a call, however it ended."""

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(_NAME, primary_key=True)
    tool: Mapped[str] = mapped_column(_NAME, index=True)
    version: Mapped[str] = mapped_column(String(60))
    image: Mapped[str] = mapped_column(String(300))
    call: Mapped[dict[str, Any]] = mapped_column(JSON)
    call_digest: Mapped[str] = mapped_column(_DIGEST, index=True)
    status: Mapped[str] = mapped_column(String(20), index=True)
    started: Mapped[datetime] = mapped_column(UtcTime, index=True)
    ended: Mapped[datetime | None] = mapped_column(UtcTime)
    wall_s: Mapped[float | None] = mapped_column(Float(53))
    person: Mapped[str | None] = mapped_column(String(200))
    orcid: Mapped[str | None] = mapped_column(String(20))
    host: Mapped[str] = mapped_column(String(255))
    engine: Mapped[str] = mapped_column(String(60))
    workers: Mapped[int] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(Text)
    gateway: Mapped[str] = mapped_column(String(60))
    ports: Mapped[list["RunPortRow"]] = relationship(
        cascade="all, delete-orphan", order_by="RunPortRow.position", lazy="selectin"
    )


class RunPortRow(Base):
    """What a run took or gave at one port."""

    __tablename__ = "run_ports"

    run: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    direction: Mapped[str] = mapped_column(String(6), primary_key=True)
    """`input` or `output`."""
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    port: Mapped[str] = mapped_column(_NAME)
    ref: Mapped[str] = mapped_column(_REF, index=True)
    dataset: Mapped[str | None] = mapped_column(_NAME, index=True)
    """The dataset of the ref; None for a file outside the store."""
    kind: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str | None] = mapped_column(_DIGEST)


class SourceFileRow(Base):
    """A file from outside the store that a run read, with its checksum."""

    __tablename__ = "source_files"

    run: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(Integer, primary_key=True)
    path: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(BigInteger)
    checksum: Mapped[str] = mapped_column(_DIGEST, index=True)
