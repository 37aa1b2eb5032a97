"""Sending to Galaxy: offered where there is one, by those who may see the thing."""

import pytest

from gateway.errors import ConflictError, ForbiddenError, RunError, SignInError
from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import grant
from gateway.service.access.people import ensure_person
from gateway.service.galaxy import galaxy_url, has_galaxy, send_to_galaxy
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home
from gateway.toolkit.fixtures import put_fixture
from gateway.volumes.ref import Ref

THING = Ref("m1", "points")


@pytest.fixture
def gateway(tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWAY_GALAXY_PORT", "1")
    init_home(tmp_path / "home")
    opened = open_gateway(tmp_path / "home")
    with opened.catalogue:
        put_fixture(opened.store, "three_points", THING)
        for name in ("ana", "eve"):
            ensure_person(opened, name)
        grant(opened, "m1", "person:ana", Role.VIEWER)
        yield opened


def start(gateway):
    """Leave what a Galaxy leaves that was started once."""
    folder = gateway.home / "galaxy"
    folder.mkdir()
    (folder / "admin_key.secret").write_text("key")


def test_where_there_is_no_galaxy_nothing_is_offered(gateway):
    assert not has_galaxy(gateway)
    with pytest.raises(ConflictError, match="this gateway has no Galaxy; start one with"):
        send_to_galaxy(gateway, Actor(person="ana"), [THING])


def test_only_who_may_see_a_thing_sends_it(gateway):
    start(gateway)
    assert has_galaxy(gateway)
    with pytest.raises(ForbiddenError, match="eve has no role on m1/points"):
        send_to_galaxy(gateway, Actor(person="eve"), [THING])
    with pytest.raises(SignInError):
        send_to_galaxy(gateway, Actor(), [THING])


def test_a_galaxy_that_does_not_run_says_so(gateway):
    start(gateway)
    with pytest.raises(RunError, match=r"it was not sent to Galaxy: the Galaxy of .* does not ans"):
        send_to_galaxy(gateway, Actor(person="ana"), [THING])


def test_behind_the_hub_its_address_is_known(gateway, monkeypatch):
    assert galaxy_url(gateway) is None
    monkeypatch.setenv("GATEWAY_BASE_URL", "https://b.example.org/services/gateway")
    assert galaxy_url(open_gateway(gateway.home)) == "https://b.example.org/services/galaxy/"
