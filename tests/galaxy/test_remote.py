"""Which Galaxy is meant, as whom, and what is refused before it is asked."""

import os

import pytest

from gateway.errors import CallError, ConflictError, ForbiddenError
from gateway.galaxy.client import match_label
from gateway.galaxy.command import main
from gateway.galaxy.remote import client_elsewhere, client_here
from gateway.galaxy.server_command import open_site
from gateway.service.home import init_home

LABELS = ("Tiles", "Diameter of a nucleus", "Dataset for results", "Channel of the nuclei")


def test_an_input_is_named_by_the_beginning_of_its_label():
    assert match_label("tiles", LABELS) == "Tiles"
    assert match_label("diam", LABELS) == "Diameter of a nucleus"
    with pytest.raises(CallError, match="has no input 'd'; there is 'Tiles', 'Diameter of a"):
        match_label("d", LABELS)
    with pytest.raises(CallError, match="has no input 'volume'"):
        match_label("volume", LABELS)


def test_a_galaxy_elsewhere_wants_a_key(monkeypatch):
    monkeypatch.delenv("GALAXY_API_KEY", raising=False)
    with pytest.raises(ForbiddenError, match=r"no key for the Galaxy at https://g\.example; put"):
        client_elsewhere("https://g.example")


@pytest.fixture
def home(tmp_path, monkeypatch):
    init_home(tmp_path / "home")
    monkeypatch.setenv("GATEWAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_a_galaxy_that_does_not_run_is_said_so(home):
    with pytest.raises(ConflictError, match=r"does not answer at http://127\.0\.0\.1:1/; start it"):
        client_here(open_site(home, port=1), "ana@lab.example")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read anything")
def test_the_galaxy_of_somebody_else_gives_no_key(home):
    site = open_site(home, port=1)
    site.make_folders()
    site.secret("admin_key")
    (site.root / "admin_key.secret").chmod(0)
    with pytest.raises(ForbiddenError, match="cannot be read: Permission denied; ask who runs"):
        client_here(site, "ana@lab.example")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["invoke", "tiles_to_nuclei", "--in", "tiles"], "--in 'tiles' is not INPUT=VALUE"),
        (["invoke", "tiles_to_nuclei"], "as which user of Galaxy is not said; name one with --as"),
        (["send", "m1/x"], "as which user of Galaxy is not said"),
        (["publish", "--as", "ana@lab.example"], "start it with `gateway-galaxy up`"),
        (["status"], "Galaxy is not running"),
        (["down"], "Galaxy was not running"),
    ],
)
def test_commands_say_what_is_missing(home, monkeypatch, capsys, words, said):
    monkeypatch.setenv("GATEWAY_GALAXY_PORT", "1")
    del home
    with pytest.raises(SystemExit):
        main(words)
    told = capsys.readouterr()
    assert said in told.out + told.err
