"""Search: the datasets an actor may see, narrowed by words and facets, counted and paged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast, get_args

from sqlalchemy import ColumnElement, Connection, case, func, select

from gateway.errors import CallError
from gateway.records.database import reading
from gateway.records.rows import BETWEEN, count_facets
from gateway.records.tables import DatasetRow, EntryRow, FacetRow
from gateway.service.access.actor import Actor
from gateway.service.access.rights import visible_entries
from gateway.service.access.sight import seen_by
from gateway.service.gateway import Gateway

Facet = Literal["species", "stain", "modality", "person", "year", "licence", "tag"]
Sort = Literal["best", "recent", "oldest", "title", "name"]
FACETS: tuple[Facet, ...] = get_args(Facet)
SORTS: tuple[Sort, ...] = get_args(Sort)
MOST = 100
"""Datasets of one page at most."""
_DEEPEST = 1_000_000
_LONGEST = 500
_SHOWN = 12
"""Values of a facet that are listed; those chosen are listed beside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What somebody looks for."""

    words: str = ""
    """Every word must occur in name, title, tags or sample metadata."""
    chosen: Mapping[Facet, tuple[str, ...]] = field(default_factory=dict)
    """Values per facet; any of one facet, and all facets."""
    sort: Sort = "best"
    """`best` is `recent`, with names and titles that begin with the words before others."""
    page: int = 1
    size: int = 24

    def __post_init__(self) -> None:
        """Refuse what no page has.

        Raises:
            CallError: Page, size, sort or facet is out of bounds.
        """
        if not 1 <= self.page <= _DEEPEST or not 1 <= self.size <= MOST:
            raise CallError(
                f"page {self.page} of {self.size} datasets is not possible: pages count from 1, "
                f"and one holds 1 to {MOST}"
            )
        if self.sort not in SORTS:
            raise CallError(f"the order {self.sort!r} is unknown; expected {', '.join(SORTS)}")
        if len(self.words) > _LONGEST or "\x00" in self.words:
            raise CallError(f"search for at most {_LONGEST} letters of text")


@dataclass(frozen=True, slots=True, kw_only=True)
class FacetValue:
    """A value of a facet and how many datasets choosing it would leave."""

    value: str
    count: int
    chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CardEntry:
    """A thing of a dataset, by name and kind."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A dataset in a list."""

    name: str
    title: str
    """Its title, else its name."""
    info: dict[str, Any]
    """What `dataset.json` says of the sample."""
    entries: tuple[CardEntry, ...]
    cover: str | None
    """The entry that its picture shows; None where no picture can be made."""
    made: datetime | None
    changed: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of what was found."""

    total: int
    """Datasets on all pages."""
    page: int
    pages: int
    size: int
    datasets: tuple[Card, ...]
    facets: dict[Facet, tuple[FacetValue, ...]]


def search(gateway: Gateway, actor: Actor, query: Query) -> Found:
    """Return a page of the datasets that an actor may see and a query describes.

    Raises:
        StoreError: The database failed.
    """
    with reading(gateway.database) as connection:
        wanted = _conditions(actor, query)
        total, facets = _count_facets(connection, actor, query)
        return Found(
            total=total,
            page=query.page,
            pages=max(1, -(-total // query.size)),
            size=query.size,
            datasets=_cards(connection, actor, query, wanted),
            facets=facets,
        )


def read_card(gateway: Gateway, actor: Actor, dataset: str) -> Card | None:
    """Return a dataset as it is listed; None where the catalogue does not know it."""
    same = [DatasetRow.name == dataset, seen_by(actor, DatasetRow.name)]
    with reading(gateway.database) as connection:
        cards = _cards(connection, actor, Query(size=1), same)
    return cards[0] if cards else None


def _conditions(
    actor: Actor, query: Query, besides: Facet | None = None
) -> list[ColumnElement[bool]]:
    """Return what a dataset must satisfy; `besides` leaves one facet out."""
    wanted = [] if actor.administrator else [seen_by(actor, DatasetRow.name)]
    words = query.words.lower().split()
    wanted += [DatasetRow.search.contains(word, autoescape=True) for word in words]
    for facet, values in query.chosen.items():
        if values and facet != besides:
            having = select(FacetRow.dataset)
            having = having.where(FacetRow.facet == facet, FacetRow.value.in_(values))
            wanted.append(DatasetRow.name.in_(having))
    return wanted


def _order(query: Query) -> list[ColumnElement[Any]]:
    recent, by_name = DatasetRow.changed.desc().nulls_last(), DatasetRow.name.asc()
    if query.sort == "best" and query.words.strip():
        start = query.words.strip().lower()
        first = DatasetRow.title.startswith(start, autoescape=True)
        first |= func.lower(DatasetRow.name).startswith(start, autoescape=True)
        return [case((first, 0), else_=1), recent, by_name]
    orders: dict[Sort, ColumnElement[Any]] = {
        "oldest": DatasetRow.made.asc().nulls_last(),
        "title": DatasetRow.title.asc(),
        "name": by_name,
    }
    return [orders.get(query.sort, recent), by_name]


def _cards(
    connection: Connection, actor: Actor, query: Query, wanted: Iterable[ColumnElement[bool]]
) -> tuple[Card, ...]:
    columns = (DatasetRow.name, DatasetRow.info, DatasetRow.made, DatasetRow.changed)
    statement = select(*columns).where(*wanted).order_by(*_order(query))
    statement = statement.limit(query.size).offset((query.page - 1) * query.size)
    rows = connection.execute(statement).all()
    entries = _entries(connection, actor, [row.name for row in rows])
    return tuple(
        Card(
            name=row.name,
            title=str(row.info.get("title") or row.name),
            info=row.info,
            entries=tuple(entries.get(row.name, ())),
            cover=_cover(entries.get(row.name, ())),
            made=row.made,
            changed=row.changed,
        )
        for row in rows
    )


def _entries(
    connection: Connection, actor: Actor, datasets: list[str]
) -> Mapping[str, list[CardEntry]]:
    statement = select(EntryRow.dataset, EntryRow.name, EntryRow.kind)
    statement = statement.where(EntryRow.dataset.in_(datasets))
    only = visible_entries(actor)
    if only is not None:
        statement = statement.where(EntryRow.name.in_(only))
    found: dict[str, list[CardEntry]] = {}
    for row in connection.execute(statement.order_by(EntryRow.dataset, EntryRow.name)):
        found.setdefault(row.dataset, []).append(CardEntry(name=row.name, kind=row.kind))
    return found


def _cover(entries: Iterable[CardEntry]) -> str | None:
    """Choose what shows a dataset best: an image, else labels, else points."""
    for kind in ("image", "labels", "points"):
        for entry in entries:
            if entry.kind == kind:
                return entry.name
    return None


def _count_facets(
    connection: Connection, actor: Actor, query: Query
) -> tuple[int, dict[Facet, tuple[FacetValue, ...]]]:
    """Return the number of datasets found, and how many have which value of which facet."""
    total, counts = _count(connection, _conditions(actor, query))
    for facet in FACETS:
        if query.chosen.get(facet):
            # what else of this facet could be chosen instead: it must not narrow itself down
            _, others = _count(connection, _conditions(actor, query, besides=facet))
            counts[facet] = others[facet]
    return total, {facet: _shown(facet, counts[facet], query) for facet in FACETS}


def _count(
    connection: Connection, wanted: list[ColumnElement[bool]]
) -> tuple[int, dict[Facet, list[tuple[str, int]]]]:
    """Count facets here: a database takes three times as long to join and group their rows."""
    joined = func.aggregate_strings(DatasetRow.facets, BETWEEN)
    total, text = connection.execute(select(func.count(), joined).where(*wanted)).one()
    found: dict[Facet, list[tuple[str, int]]] = {facet: [] for facet in FACETS}
    for item, number in count_facets(text or "").items():
        facet, _, value = item.partition("=")
        found[cast("Facet", facet)].append((value, number))
    return total, found


def _shown(facet: Facet, counts: list[tuple[str, int]], query: Query) -> tuple[FacetValue, ...]:
    chosen = query.chosen.get(facet, ())
    ordered = sorted(counts, key=lambda item: (-item[1], item[0].lower()))
    shown = [
        FacetValue(value=value, count=count, chosen=value in chosen)
        for number, (value, count) in enumerate(ordered)
        if number < _SHOWN or value in chosen
    ]
    if facet == "year":
        shown.sort(key=lambda value: value.value, reverse=True)
    return tuple(shown)
