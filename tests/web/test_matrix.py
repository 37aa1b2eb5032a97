"""Who may call what: every route, asked by every kind of caller, on every kind of dataset.

The expected outcome follows from the route's rule alone; a route without a rule fails here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute, iter_route_contexts

from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import grant
from gateway.service.access.groups import add_member
from gateway.service.access.links import make_link
from gateway.service.access.people import ensure_person
from gateway.service.access.sessions import open_session
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.web import rules
from gateway.web.app import all_routes
from gateway.web.openapi import rules_of

DATASETS = ("private", "shared", "public")
PERSONS = {
    "stranger": Role.NONE,
    "viewer": Role.VIEWER,
    "annotator": Role.ANNOTATOR,
    "editor": Role.EDITOR,
    "owner": Role.OWNER,
}
"""People and their role on `private`; on the others they have none of their own."""
LINKS = {"link-viewer": Role.VIEWER, "link-annotator": Role.ANNOTATOR, "link-elsewhere": Role.NONE}
CALLERS = ("nobody", *PERSONS, "member", "administrator", *LINKS)
OUTSIDE = {"/api/openapi.json", "/static"}
"""The description of the API and the files of the pages tell of no data."""
SIGNS_IN = re.compile(r"/(login|logout|oauth2?)\b.*")
"""These refuse a wrong password or key, or a link that has no session, whoever asks."""


@dataclass(frozen=True)
class Route:
    path: str
    method: str
    rules: tuple[rules.Rule, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def routes_of(app: FastAPI) -> Iterator[Route]:
    for context in iter_route_contexts(app.routes):
        route, path = context.original_route, context.path or ""
        if isinstance(route, APIRoute):
            for method in sorted((context.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Route(path, method, tuple(dict.fromkeys(rules_of(route.dependant))))
        elif path not in OUTSIDE:
            yield Route(path, "GET", ())


ROUTES = list(routes_of(all_routes()))


def unruled(routes: list[Route]) -> list[str]:
    return [str(route) for route in routes if len(route.rules) != 1]


def test_every_route_has_one_rule() -> None:
    assert len(ROUTES) > 40
    assert unruled(ROUTES) == []


def test_a_new_route_without_a_rule_is_found() -> None:
    router = APIRouter(prefix="/api")
    router.get("/secrets")(lambda: "all of them")
    app = FastAPI(openapi_url="/api/openapi.json", docs_url=None, redoc_url=None)
    app.include_router(router)
    assert unruled(list(routes_of(app))) == ["GET /api/secrets"]


def role_of(caller: str, dataset: str) -> Role:
    """Return the role a caller should have, by the words of the design alone."""
    if caller == "administrator":
        return Role.OWNER
    if caller in LINKS:
        return LINKS[caller]
    own = PERSONS.get(caller, Role.NONE) if dataset == "private" else Role.NONE
    by_group = Role.VIEWER if (caller, dataset) == ("member", "shared") else Role.NONE
    for_all = Role.VIEWER if dataset == "public" else Role.NONE
    return max(own, by_group, for_all)


def allowed(rule: rules.Rule, caller: str, dataset: str) -> bool:
    if isinstance(rule, rules.Open | rules.Watchers):  # the tests are on this machine
        return True
    if isinstance(rule, rules.SignedIn):
        return caller != "nobody" and caller not in LINKS
    if isinstance(rule, rules.Administrators):
        return caller == "administrator"
    if isinstance(rule, rules.OnDataset):
        return role_of(caller, dataset) >= rule.role
    pytest.fail(f"the matrix does not know the rule {rule!r}: say here whom it lets in")


@dataclass(frozen=True)
class Site:
    url: str
    callers: dict[tuple[str, str], tuple[str, dict[str, str]]]
    """Caller and dataset to what leads the path, and the headers."""


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory,
    serving: Callable[..., Any],
    put_volume: Callable[..., Any],
) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("matrix") / "home"
    init_home(home)
    gateway = open_gateway(home)
    for dataset in (*DATASETS, "elsewhere"):
        put_volume(gateway.store, f"{dataset}/raw", (8, 8, 8))
    callers = _callers(gateway)
    with gateway.catalogue, serving(home) as server:
        yield Site(server.url, callers)


def _callers(gateway: Gateway) -> dict[tuple[str, str], tuple[str, dict[str, str]]]:
    root = Actor(person="administrator", administrator=True)
    ensure_person(gateway, "administrator", administrator=True)
    ensure_person(gateway, "member")
    for name, role in PERSONS.items():
        ensure_person(gateway, name)
        grant(gateway, "private", f"person:{name}", role)
    add_member(gateway, root, "lab", "member")
    grant(gateway, "shared", "group:lab", Role.VIEWER)
    grant(gateway, "public", "everyone", Role.VIEWER)
    found: dict[tuple[str, str], tuple[str, dict[str, str]]] = {}
    for dataset in DATASETS:
        found["nobody", dataset] = ("", {})
        for name in (*PERSONS, "member", "administrator"):
            secret = open_session(gateway, name, kind="token")
            found[name, dataset] = ("", {"Authorization": f"Bearer {secret}"})
        for name, role in LINKS.items():
            target = dataset if role else "elsewhere"
            _, token = make_link(gateway, root, target, role=role or Role.VIEWER)
            found[name, dataset] = (f"/s/{token}", {})
    return found


def address(path: str, dataset: str) -> str:
    """Fill in a path: things that exist where rights depend on them, else names of nothing."""
    values = {"dataset": dataset, "entry": "raw"}
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda m: values.get(m[1], "1"), path)


def refused(answer: httpx.Response) -> bool:
    to_login = answer.is_redirect and "/login" in answer.headers["location"]
    return answer.status_code in (401, 403) or to_login


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_route_lets_in_whom_its_rule_lets_in(route: Route, site: Site) -> None:
    datasets = DATASETS if "{dataset}" in route.path else DATASETS[:1]
    wrong = []
    with httpx.Client(timeout=60) as client:
        for caller in CALLERS:
            for dataset in datasets:
                lead, headers = site.callers[caller, dataset]
                url = f"{site.url}{lead}{address(route.path, dataset)}"
                body = {} if route.method in ("POST", "PUT", "PATCH") else None
                answer = client.request(route.method, url, headers=headers, json=body)
                expected = allowed(route.rules[0], caller, dataset)
                assert answer.status_code < 500, f"{caller} {dataset}: {answer.text[:300]}"
                if expected and SIGNS_IN.fullmatch(route.path):
                    continue
                if refused(answer) == expected:
                    wrong.append(f"{caller} on {dataset}: {answer.status_code}")
    assert not wrong, f"{route} has the rule {route.rules[0]!r}"


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("dataset", DATASETS)
def test_bytes_are_for_viewers(caller: str, dataset: str, site: Site) -> None:
    lead, headers = site.callers[caller, dataset]
    answer = httpx.get(f"{site.url}{lead}/data/{dataset}/raw.ome.zarr/zarr.json", headers=headers)
    assert (answer.status_code == 200) == (role_of(caller, dataset) >= Role.VIEWER), answer.text
    assert answer.status_code in (200, 401, 403)
