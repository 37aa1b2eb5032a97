"""The words and facets of a search as they stand in an address, for the page and for the API."""

from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, Field

from gateway.service.browse.search import FACETS, MOST, Facet, Query, Sort

_Values = Annotated[
    list[Annotated[str, Field(max_length=500)]],
    Field(max_length=50, description="Any of these values; give the name again for more."),
]


class Terms(BaseModel):
    """What somebody looks for."""

    q: str = Field("", max_length=500, description="Words, all of which must occur.")
    species: _Values = []
    stain: _Values = []
    modality: _Values = []
    person: _Values = []
    year: _Values = []
    licence: _Values = []
    tag: _Values = []
    sort: Sort = Field("best", description="`best` is `recent`, with titles that begin so first.")
    page: int = Field(1, ge=1, le=1_000_000)
    size: int = Field(24, ge=1, le=MOST, description="Datasets of a page.")

    def query(self) -> Query:
        """Return the query of the service."""
        chosen = {facet: tuple(getattr(self, facet)) for facet in FACETS}
        # PostgreSQL keeps no NUL: such a value can match nothing
        chosen = {
            facet: tuple(value.replace("\x00", "\ufffd") for value in values)
            for facet, values in chosen.items()
            if values
        }
        words = self.q.replace("\x00", " ")
        return Query(words=words, chosen=chosen, sort=self.sort, page=self.page, size=self.size)

    def address(self, **changes: Any) -> str:
        """Return the query part of an address with some terms changed, `?` included."""
        values = {**self.model_dump(exclude_defaults=True), **changes}
        return f"?{urlencode({k: v for k, v in values.items() if v}, doseq=True)}"

    def without(self, facet: Facet, value: str) -> str:
        """Return the query part of an address with one value of a facet taken away."""
        left = [other for other in getattr(self, facet) if other != value]
        return self.address(**{facet: left, "page": None})

    @property
    def narrowed(self) -> bool:
        """Whether anything is asked for but the order and the page."""
        return bool(self.q.strip()) or any(getattr(self, facet) for facet in FACETS)
