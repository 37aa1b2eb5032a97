"""A gateway on each kind of database: what passes on one must pass on the other."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.records.catalogue import open_catalogue
from gateway.service.gateway import Gateway


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def either(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[Gateway]:
    if request.param == "sqlite":
        yield gateway
        return
    with open_catalogue(str(request.getfixturevalue("postgres_url"))) as catalogue:
        yield replace(gateway, catalogue=catalogue)
