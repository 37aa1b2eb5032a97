"""The tables of who may do what: people, groups, grants, sessions, share links, the audit log."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from gateway.records.tables import Base, UtcTime

_NAME = String(120)


class PersonRow(Base):
    """Somebody who signs in."""

    __tablename__ = "people"

    name: Mapped[str] = mapped_column(_NAME, primary_key=True)
    display: Mapped[str] = mapped_column(String(200), default="")
    administrator: Mapped[bool] = mapped_column(Boolean, default=False)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    password: Mapped[str | None] = mapped_column(Text)
    """An Argon2 hash; None where the person signs in another way."""
    provider: Mapped[str] = mapped_column(String(20), default="local")
    """Who vouches for the person: `local`, `oauth2` or `hub`."""
    made_by: Mapped[str] = mapped_column(_NAME, default="")
    """The administrator who added them, the provider that did, or empty for the gateway itself."""
    made: Mapped[datetime] = mapped_column(UtcTime)


class MemberRow(Base):
    """A person of a group; a group exists as long as it has members."""

    __tablename__ = "members"

    group: Mapped[str] = mapped_column("group_name", _NAME, primary_key=True)
    person: Mapped[str] = mapped_column(
        _NAME, ForeignKey("people.name", ondelete="CASCADE"), primary_key=True, index=True
    )
    source: Mapped[str] = mapped_column(String(20), default="local")
    """`local`, or the identity provider that says so and may take it back."""


class GrantRow(Base):
    """A role that somebody has on a dataset."""

    __tablename__ = "grants"

    dataset: Mapped[str] = mapped_column(_NAME, primary_key=True)
    subject: Mapped[str] = mapped_column(String(130), primary_key=True, index=True)
    """`person:NAME`, `group:NAME`, or `everyone`, which includes those who have not signed in."""
    role: Mapped[str] = mapped_column(String(20))


class SessionRow(Base):
    """A browser's session or a program's token: known by the hash of its secret."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(
        _NAME, ForeignKey("people.name", ondelete="CASCADE"), index=True
    )
    kind: Mapped[str] = mapped_column(String(10))
    """`browser`, `token`, or `notebook` for that of a notebook server."""
    note: Mapped[str] = mapped_column(String(200), default="")
    made: Mapped[datetime] = mapped_column(UtcTime)
    expires: Mapped[datetime] = mapped_column(UtcTime)
    ended: Mapped[datetime | None] = mapped_column(UtcTime)
    vouched: Mapped[str | None] = mapped_column(String(80))
    """The hub's number of the sign-in there, without which this session does not hold."""


class LoginLinkRow(Base):
    """A link that signs one person in, once."""

    __tablename__ = "login_links"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    person: Mapped[str] = mapped_column(
        _NAME, ForeignKey("people.name", ondelete="CASCADE"), index=True
    )
    made_by: Mapped[str] = mapped_column(_NAME)
    made: Mapped[datetime] = mapped_column(UtcTime)
    expires: Mapped[datetime] = mapped_column(UtcTime)
    used: Mapped[datetime | None] = mapped_column(UtcTime)
    """When it was used, or withdrawn."""


class AttemptRow(Base):
    """A sign-in that failed: too many of one name, or from one address, must wait."""

    __tablename__ = "attempts"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    subject: Mapped[str] = mapped_column(String(140))
    """`name:…` or `address:…`."""
    at: Mapped[datetime] = mapped_column(UtcTime)

    __table_args__ = (Index("ix_attempts_subject_at", "subject", "at"),)


class AccessVersionRow(Base):
    """One number, counted up whenever rights, people, sessions or links change."""

    __tablename__ = "access_version"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger)


class LinkRow(Base):
    """A share link: whoever has it may see, or annotate, one dataset or one volume of it."""

    __tablename__ = "links"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    dataset: Mapped[str] = mapped_column(_NAME, index=True)
    entry: Mapped[str | None] = mapped_column(_NAME)
    """The one thing it opens; None opens the whole dataset."""
    role: Mapped[str] = mapped_column(String(20))
    """`viewer` or `annotator`."""
    note: Mapped[str] = mapped_column(String(200), default="")
    made_by: Mapped[str] = mapped_column(_NAME)
    made: Mapped[datetime] = mapped_column(UtcTime)
    expires: Mapped[datetime] = mapped_column(UtcTime)
    revoked: Mapped[datetime | None] = mapped_column(UtcTime)


class AuditRow(Base):
    """Somebody did something to a dataset, or to the rights on it."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime, index=True)
    who: Mapped[str] = mapped_column(_NAME, index=True)
    """A person, `link:ID`, or `nobody`."""
    action: Mapped[str] = mapped_column(String(60), index=True)
    dataset: Mapped[str | None] = mapped_column(_NAME, index=True)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    address: Mapped[str] = mapped_column(String(60), default="")
