"""The files of `deploy/` hold values that the program takes."""

import tomllib
from pathlib import Path

import pytest
import yaml

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


def test_the_configuration_of_the_hub_only_hands_over() -> None:
    lines = (DEPLOY / "jupyterhub_config.py").read_text(encoding="utf-8").splitlines()
    code = [line for line in lines if line and not line.startswith(('"""', "#"))]
    assert len(code) <= 6
