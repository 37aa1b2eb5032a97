"""A catalogue on each kind of database: what passes on one must pass on the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.records.catalogue import Catalogue, open_catalogue


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def catalogue_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture
def catalogue(catalogue_url: str) -> Iterator[Catalogue]:
    with open_catalogue(catalogue_url) as opened:
        yield opened
