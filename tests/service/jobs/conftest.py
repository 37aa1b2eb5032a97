"""A gateway whose jobs and rights are in SQLite or in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gateway]:
    """Yield a gateway; processes that it starts find the same database."""
    home = tmp_path / "shared"
    init_home(home)
    if request.param == "postgresql":
        monkeypatch.setenv("GATEWAY_CATALOGUE", str(request.getfixturevalue("postgres_url")))
    monkeypatch.setenv("GATEWAY_RUNS_PER_PERSON", "1")
    opened = open_gateway(home)
    with opened.catalogue:
        yield opened
