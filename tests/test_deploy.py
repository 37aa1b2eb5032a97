"""The files of `deploy/` hold values that the program takes."""

import tomllib
from pathlib import Path

import pytest
import yaml

from gateway import __version__ as version
from gateway.service.settings import Settings, read_settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"

pytestmark = pytest.mark.skipif(not DEPLOY.is_dir(), reason="the files are in the checkout only")


@pytest.mark.parametrize("place", ["kubernetes", "slurm"])
def test_settings_are_valid_and_name_the_spawner(tmp_path, place) -> None:
    content = (DEPLOY / place / "gateway.toml").read_text(encoding="utf-8")
    (tmp_path / "gateway.toml").write_text(content, encoding="utf-8")
    settings = read_settings(tmp_path)
    assert settings.hub_spawner == {"kubernetes": "kube"}.get(place, place)


def test_the_manifests_agree_with_the_settings() -> None:
    folder = DEPLOY / "kubernetes"
    settings = Settings(**tomllib.loads((folder / "gateway.toml").read_text(encoding="utf-8")))
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    found = {}
    for name in kustomization["resources"]:
        for item in yaml.safe_load_all((folder / name).read_text(encoding="utf-8")):
            found[item["kind"]] = item
    assert kustomization["namespace"] == settings.hub_namespace
    assert found["Namespace"]["metadata"]["name"] == settings.hub_namespace
    assert found["Service"]["metadata"]["name"] == settings.hub_inner_host
    assert found["Service"]["spec"]["ports"][0]["port"] == settings.hub_port
    pod = found["Deployment"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == found["ServiceAccount"]["metadata"]["name"]
    assert pod["securityContext"]["runAsNonRoot"]
    (container,) = pod["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    (claim,) = (v["persistentVolumeClaim"] for v in pod["volumes"] if v["name"] == "home")
    assert claim["claimName"] == found["PersistentVolumeClaim"]["metadata"]["name"]


def test_the_compose_file_names_images_that_are_built_and_settings_that_there_are() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))
    targets = (ROOT / "images" / "Dockerfile").read_text(encoding="utf-8")
    for name in ("web", "hub"):
        service = compose["services"][name]
        assert service["image"] == f"brain-gateway/{name}:${{GATEWAY_VERSION:-{version}}}"
        assert f"-packages AS {name}\n" in targets
        assert service["cap_drop"] == ["ALL"]
        said = service["environment"]
        assert {key.removeprefix("GATEWAY_").lower() for key in said} <= set(Settings.model_fields)
        mounted = {volume.partition(":")[0] for volume in service["volumes"]}
        assert {one for one in mounted if not one.startswith("$")} <= set(compose["volumes"])
        (port,) = service["ports"]
        assert port.startswith("127.0.0.1:")
        assert f"EXPOSE {port.rpartition(':')[2]}\n" in targets
    assert compose["services"]["hub"]["profiles"] == ["hub"]


def test_the_configuration_of_the_hub_only_hands_over() -> None:
    lines = (DEPLOY / "jupyterhub_config.py").read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line and not line.startswith(('"""', "#"))]
    assert len(code) <= 6
