"""A gateway with a ledger, on either kind of database."""

import pytest

from gateway.service.gateway import open_gateway
from gateway.service.home import init_home


@pytest.fixture
def gateway(tmp_path, catalogue_url, monkeypatch):
    monkeypatch.setenv("GATEWAY_CATALOGUE", catalogue_url)
    init_home(tmp_path / "home")
    opened = open_gateway(tmp_path / "home")
    with opened.catalogue:
        yield opened


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def catalogue_url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    return request.getfixturevalue("postgres_url")
