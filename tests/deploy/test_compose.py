"""The compose file sets values only, and each is one that the gateway and its images know."""

import re
from pathlib import Path

import pytest
import yaml

import gateway
from gateway.service.home import init_home
from gateway.service.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/compose.yml"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="it is in the checkout only")
GIVEN = {
    "GATEWAY_DATABASE_PASSWORD": "a-password-for-tests",
    "GATEWAY_STORE_FOLDER": "/data/brains",
}
_VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def compose() -> dict:
    """Read the file as compose does: with variables filled in, or their defaults."""

    def fill(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        return GIVEN.get(name) or (rest if kind == "-" else pytest.fail(f"{name} is not given"))

    return yaml.safe_load(_VARIABLE.sub(fill, FILE.read_text()))


def test_every_value_is_a_setting_that_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init_home(tmp_path)
    web = compose()["services"]["web"]
    for name, value in web["environment"].items():
        assert name.removeprefix("GATEWAY_").lower() in Settings.model_fields
        monkeypatch.setenv(name, value)
    settings = read_settings(tmp_path)
    assert settings.store == web["volumes"][1].rpartition(":")[2]
    assert settings.catalogue.get_secret_value().startswith("postgresql://gateway:")


def test_it_uses_the_image_of_this_version_and_its_ports_and_volumes() -> None:
    web = compose()["services"]["web"]
    assert web["image"] == f"brain-gateway/web:{gateway.__version__}"
    recipe = (ROOT / "images/Dockerfile").read_text().partition("AS web\n")[2]
    recipe = recipe.partition("\nFROM ")[0]
    assert f"EXPOSE {web['ports'][0].rpartition(':')[2]}" in recipe
    assert f"VOLUME {web['volumes'][0].rpartition(':')[2]}" in recipe
    assert "HEALTHCHECK" in recipe


def test_it_opens_nothing_to_the_outside_and_gives_no_rights_away() -> None:
    for service in compose()["services"].values():
        assert not service.get("privileged")
        assert all("docker.sock" not in volume for volume in service.get("volumes", ()))
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
