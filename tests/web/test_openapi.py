"""The description of the API is complete, and nothing that it allows breaks the server."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error

from gateway.service.access.people import ensure_person
from gateway.service.access.sessions import open_session
from gateway.service.home import init_home
from gateway.web.app import all_routes

_SETTINGS = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


THERE = {"dataset": "brain", "entry": "raw", "tool": "smooth_gaussian", "port": "image"}


SCHEMA = schemathesis.openapi.from_dict(all_routes().openapi())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    serving: Callable[..., Any],
    put_volume: Callable[..., Any],
) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("openapi") / "home"
    init_home(home)
    with serving(home) as server:
        put_volume(server.gateway.store, "brain/raw", (8, 8, 8))
        yield server


@pytest.fixture(scope="module")
def document(site: Any) -> dict[str, Any]:
    answer = httpx.get(f"{site.url}/api/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


@pytest.fixture(scope="module")
def administrator(site: Any) -> dict[str, str]:
    ensure_person(site.gateway, "tester", administrator=True)
    return {"Authorization": f"Bearer {open_session(site.gateway, 'tester', kind='token')}"}


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.label)
@pytest.mark.parametrize("caller", ["nobody", "administrator"])
def test_nothing_breaks(operation: Any, caller: str, site: Any, administrator: Any) -> None:
    headers = administrator if caller == "administrator" else {}

    @_SETTINGS
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        if caller == "administrator":  # beyond the names, which are nearly always of nothing
            case.path_parameters |= {k: v for k, v in THERE.items() if k in case.path_parameters}
        _check(case, site.url, headers)

    ask()


def _check(case: Any, url: str, headers: dict[str, str]) -> None:
    answer = case.call(base_url=url, headers=headers, timeout=60, allow_redirects=False)
    case.validate_response(answer, checks=(not_a_server_error,))
    if answer.status_code >= 400 and case.method != "HEAD":
        said = answer.json()["error"]
        assert said["type"]
        assert said["message"]


def test_every_operation_says_what_it_does_and_how_it_fails(document) -> None:
    known = {tag["name"] for tag in document["tags"]}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation.get("description"), f"{where} has no docstring"
            assert operation["tags"], where
            assert set(operation["tags"]) <= known, f"{where}: describe its tag in openapi.py"
            assert operation["security"], where
            for code in ("401", "403", "429"):
                content = operation["responses"][code]["content"]["application/json"]
                assert content["schema"]["$ref"].endswith("/Faulty"), f"{where} {code}"


def test_who_may_come_unsigned_is_told(document) -> None:
    assert {} in document["paths"]["/api/me"]["get"]["security"]
    assert {} not in document["paths"]["/api/jobs"]["get"]["security"]
    assert set(document["components"]["securitySchemes"]) == {"token", "browser"}


def test_the_framework_shows_no_page_of_its_own(site) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert httpx.get(f"{site.url}{path}").status_code == 404
    assert FastAPI().docs_url == "/docs", "the page that is switched off still has this name"
