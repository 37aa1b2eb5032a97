"""The catalogue as people without scripts get it: a form, links, and ways out of an empty page."""

import re
from contextlib import closing

import numpy as np
import pytest

from gateway.records.rows import DatasetRecord, EntryRecord
from gateway.service.access.actor import Role
from gateway.volumes.points import write_points

POINT = {name: np.zeros(1) for name in ("z_um", "y_um", "x_um")}


@pytest.fixture
def browser(server):
    with closing(server.browser()) as client:
        yield client


def put(server, count):
    for number in range(count):
        species = "Mus musculus" if number % 3 else "Rattus norvegicus"
        info = {"title": f"Brain {number:02}", "species": species, "people": ["Ana & Bo"]}
        server.gateway.catalogue.put_dataset(DatasetRecord(name=f"m{number:02}", info=info))


def cards(page):
    return re.findall(r'class="card dataset" href="/d/(\w+)"', page.text)


def test_the_form_the_facets_and_the_pages_work_as_plain_links(server, browser):
    put(server, 30)
    first = browser.get("/", params={"sort": "name"})
    assert "30 datasets" in first.text
    assert len(cards(first)) == 24
    following = re.search(r'rel="next" href="([^"]+)"', first.text)[1].replace("&amp;", "&")
    second = browser.get(following)
    assert sorted(cards(first) + cards(second)) == [f"m{n:02}" for n in range(30)]
    rats = browser.get("/", params={"species": "Rattus norvegicus", "q": "brain"})
    assert "10 datasets found" in rats.text
    assert re.search(r'value="Rattus norvegicus"[^>]*checked', rats.text)
    removed = re.search(r'class="chip" href="([^"]+)"', rats.text)[1].replace("&amp;", "&")
    assert "30 datasets found" in browser.get(removed).text
    people = browser.get("/", params={"person": "Ana & Bo"})
    assert "Ana &amp; Bo" in people.text
    assert "30 datasets found" in people.text


def test_a_dataset_without_a_picture_has_a_sign_in_its_place(server, browser):
    put(server, 1)
    assert "no-picture.svg" in browser.get("/").text
    entry = EntryRecord(dataset="m00", name="raw", kind="image")
    server.gateway.catalogue.put_entry(entry)
    assert "/api/entries/m00/raw/thumbnail.png" in browser.get("/").text


def test_an_empty_page_says_the_way_out(server, browser):
    nobody, person = server.client(), server.client("pia")
    with nobody, person:
        assert "Sign in" in nobody.get("/").text
        assert "Nothing has been shared with you yet" in person.get("/").text
        assert 'href="/ingest"' in browser.get("/").text
        write_points(server.gateway.store, "by_hand/p.points.parquet", POINT)
        told = browser.get("/").text
        assert "gateway catalog rebuild" in told
        assert "1 dataset" in told
        # how many there are is nothing for those who may see none
        assert "does not know" not in person.get("/").text
        put(server, 1)
        assert "Nothing matches" in browser.get("/", params={"q": "zebra"}).text
        assert "There is no page 9" in browser.get("/", params={"page": 9}).text


def test_any_words_can_be_searched(server, browser):
    put(server, 1)
    for words in ("%", "_", "'", '"><script>', "\\", "z\x00z", "é" * 500):
        page = browser.get("/", params={"q": words})
        assert page.status_code == 200, words
        assert cards(page) == [], words
        assert "<script>" not in page.text
    assert browser.get("/", params={"q": "é" * 501}).status_code == 422


def test_what_somebody_may_see_is_found_as_soon_as_it_is_granted(server):
    put(server, 2)
    with server.client("pia") as before:
        assert before.get("/api/datasets").json()["total"] == 0
        with server.client("pia", m01=Role.VIEWER) as after:
            found = after.get("/api/datasets").json()
    assert [dataset["name"] for dataset in found["datasets"]] == ["m01"]
    assert [value["value"] for value in found["facets"]["species"]] == ["Mus musculus"]


def test_the_description_of_the_api_tells_answers_and_errors(browser):
    told = browser.get("/api/openapi.json").json()
    find = told["paths"]["/api/datasets"]["get"]
    assert {"q", "species", "sort", "page"} <= {value["name"] for value in find["parameters"]}
    shape = find["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    assert shape.endswith("/Found")
    change = told["paths"]["/api/datasets/{dataset}"]["patch"]
    assert {"200", "401", "403", "404", "409", "422"} <= set(change["responses"])
