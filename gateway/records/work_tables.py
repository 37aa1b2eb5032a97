"""The tables of what people work on: jobs, saved views, the history of a dataset's description."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Float, ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.records.tables import Base, UtcTime

_NAME = String(120)


class JobRow(Base):
    """A person's wish to have a call run: waiting, running, or how it ended."""

    __tablename__ = "jobs"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    person: Mapped[str] = mapped_column(_NAME, index=True)
    tool: Mapped[str] = mapped_column(_NAME, index=True)
    call: Mapped[dict[str, Any]] = mapped_column(JSON)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Workers and block, where the person chose them."""
    status: Mapped[str] = mapped_column(String(20), index=True)
    asked: Mapped[datetime] = mapped_column(UtcTime, index=True)
    """When it was last put into the queue: a job that goes on waits its turn again."""
    made: Mapped[datetime] = mapped_column(UtcTime, index=True)
    started: Mapped[datetime | None] = mapped_column(UtcTime)
    ended: Mapped[datetime | None] = mapped_column(UtcTime)
    host: Mapped[str | None] = mapped_column(String(255))
    pid: Mapped[int | None] = mapped_column(Integer)
    pid_started: Mapped[float | None] = mapped_column(Float(53))
    """When the process of that number began, which tells it from a later one."""
    beat: Mapped[datetime | None] = mapped_column(UtcTime)
    """When its process was last heard of."""
    stop: Mapped[bool] = mapped_column(Boolean)
    """Whether somebody asked it to stop."""
    run: Mapped[str | None] = mapped_column(_NAME, index=True)
    """The run of the catalogue that it led to."""
    error: Mapped[str | None] = mapped_column(Text)


class UploadRow(Base):
    """A file on its way from a browser into the upload area of its person."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    person: Mapped[str] = mapped_column(_NAME, index=True)
    name: Mapped[str] = mapped_column(String(255))
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the whole file, once it is complete."""
    made: Mapped[datetime] = mapped_column(UtcTime)
    touched: Mapped[datetime] = mapped_column(UtcTime, index=True)
    complete: Mapped[bool] = mapped_column(Boolean)


class DescriptionRow(Base):
    """What was said of a dataset at one time; the last version is what its folder says."""

    __tablename__ = "descriptions"

    dataset: Mapped[str] = mapped_column(_NAME, primary_key=True)
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """Counted from 1."""
    info: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Content of `dataset.json`."""
    who: Mapped[str | None] = mapped_column(_NAME)
    """None where it was found in the folder, written there by a command or by hand."""
    at: Mapped[datetime] = mapped_column(UtcTime)
    note: Mapped[str] = mapped_column(String(200), default="")


class ViewRow(Base):
    """A saved view of a dataset, as its short link names it."""

    __tablename__ = "views"

    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    dataset: Mapped[str] = mapped_column(_NAME, index=True)
    name: Mapped[str] = mapped_column(String(200))
    made_by: Mapped[str] = mapped_column(_NAME)
    made: Mapped[datetime] = mapped_column(UtcTime)
    version: Mapped[int] = mapped_column(Integer)
    """The last one."""


class ViewVersionRow(Base):
    """What a saved view showed at one time."""

    __tablename__ = "view_versions"

    view: Mapped[str] = mapped_column(
        String(20), ForeignKey("views.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """Counted from 1."""
    name: Mapped[str] = mapped_column(String(200))
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A Neuroglancer state; `{gateway}` stands for the address of this service in its URLs."""
    who: Mapped[str] = mapped_column(_NAME)
    at: Mapped[datetime] = mapped_column(UtcTime)
