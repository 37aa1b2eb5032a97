"""A catalogue of the first version keeps what it knows and learns what was added since."""

import json

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text

from gateway.records import migrations
from gateway.records.catalogue import open_catalogue
from gateway.records.tables import DatasetRow, FacetRow
from gateway.service.browse.search import FACETS

INFO = {
    "title": "First Mouse",
    "species": "Mus musculus",
    "stain": "",
    "people": ["Ana", "Bo"],
    "tags": ["cortex"],
}
RUN = (
    "INSERT INTO runs (id, tool, version, image, call, call_digest, status, started, ended, host,"
    " engine, workers, gateway) VALUES ('run-1', 'stitch', '1', '', '{}', 'd', 'done',"
    " '2020-01-02 03:04:05', '2020-01-02 04:00:00', '', 'local', 1, '1')"
)
PORT = (
    "INSERT INTO run_ports (run, direction, position, port, ref, kind)"
    " VALUES ('run-1', :direction, 0, 'p', :ref, :kind)"
)


@pytest.fixture
def first_version(catalogue_url):
    """Return the URL of a database as the first version made it."""
    url = make_url(catalogue_url)
    if url.get_backend_name() == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    config = Config()
    config.set_main_option("script_location", str(next(iter(migrations.__path__))))
    engine = create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "r0001")
        values = {"info": json.dumps(INFO)}
        connection.execute(
            text("INSERT INTO datasets (name, info, search) VALUES ('m1', :info, 'm1')"), values
        )
        connection.execute(
            text("INSERT INTO entries VALUES ('m1', 'raw', 'image', NULL, 'run-1', '{}')")
        )
        connection.execute(text(RUN))
        for direction, ref, kind in (
            ("input", "/inbox/a/b.tif", "file"),
            ("output", "m1/raw", "image"),
        ):
            connection.execute(text(PORT), {"direction": direction, "ref": ref, "kind": kind})
    engine.dispose()
    return catalogue_url


def test_an_older_catalogue_is_widened_and_loses_nothing(first_version):
    with open_catalogue(first_version) as catalogue:
        assert catalogue.dataset("m1").info == INFO
        assert [entry.name for entry in catalogue.entries("m1")] == ["raw"]
        assert [run.id for run in catalogue.runs(dataset="m1")] == ["run-1"]
        with catalogue.engine.connect() as connection:
            facets = connection.execute(FacetRow.__table__.select()).all()
            (row,) = connection.execute(DatasetRow.__table__.select()).all()
    wanted = {("person", "Ana"), ("person", "Bo"), ("species", "Mus musculus"), ("tag", "cortex")}
    assert {(facet, value) for _, facet, value in facets} == wanted
    assert {item.split("=")[0] for item in row.facets.split("\x1f")} <= set(FACETS)
    assert row.title == "first mouse"
    assert (row.made.year, row.changed.hour) == (2020, 4)
