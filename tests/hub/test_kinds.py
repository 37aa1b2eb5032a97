"""Pods, batch jobs and local processes as they would be started, rendered without a cluster."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.objects import Hub, Server
from traitlets.config import Config

from gateway.errors import SettingsError
from gateway.hub import kubernetes, local, slurm, spawners
from gateway.hub.config import hub_config
from gateway.hub.kubernetes import GatewayKubeSpawner
from gateway.hub.local_spawner import GatewayLocalSpawner
from gateway.hub.profiles import choose, offer
from gateway.hub.slurm import GatewaySlurmSpawner
from gateway.hub.spawners import choose_kind, find_kind
from gateway.service.settings import Settings


def person(name: str = "ana") -> Any:
    user = SimpleNamespace(name=name, id=1, url=f"/user/{name}/", base_url=f"/user/{name}/")
    user.escaped_name = user.json_escaped_name = name
    user.server = Server()
    return user


def test_a_pod_is_of_an_ordinary_user_within_the_limits_chosen(facts_of, monkeypatch) -> None:
    # no cluster is asked: only the manifest is rendered
    monkeypatch.setattr("kubespawner.spawner.load_config", lambda **_: None)
    monkeypatch.setattr("kubespawner.spawner.shared_client", lambda *_, **__: None)
    facts = facts_of(
        hub_sign_in="accounts",
        hub_namespace="brains",
        hub_memory="8GB",
        hub_cores=4,
        hub_cluster_gpu="nvidia.com/gpu",
        hub_images=["lab=registry.example.org/lab:1"],
    )
    config = Config(hub_config(facts, kubernetes.KIND, proxy=["proxy"]))
    spawner = GatewayKubeSpawner(config=config, _mock=True, user=person(), hub=Hub())
    options = {"image": "lab", "size": "large", "gpu": "whole"}
    kubernetes.give(spawner, choose(offer(facts, kubernetes.KIND), options))
    spawner.environment = {"GATEWAY_URL": facts.web_url}
    spawner.api_token = "x"  # noqa: S105 - of a test
    pod = asyncio.run(spawner.get_pod_manifest())
    (container,) = pod.spec.containers
    assert (spawner.namespace, container.image) == ("brains", "registry.example.org/lab:1")
    assert pod.spec.automount_service_account_token is False
    security = container.security_context
    assert (security["runAsUser"], security["runAsNonRoot"]) == (1000, True)
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container.resources.limits == {
        "cpu": 4.0,
        "memory": 8_000_000_000,
        "nvidia.com/gpu": "1",
    }
    (volume,) = pod.spec.volumes
    assert volume.persistent_volume_claim["claimName"].startswith("home-ana")
    names = {variable.name for variable in container.env}
    assert "GATEWAY_URL" in names
    assert not {"GATEWAY_HUB_API_TOKEN", "CONFIGPROXY_AUTH_TOKEN"} & names


def test_a_batch_script_asks_for_what_was_chosen(facts_of) -> None:
    facts = facts_of(
        hub_sign_in="accounts",
        hub_memory="8GB",
        hub_cores=4,
        hub_cluster_gpu="gpu",
        hub_slurm_partition="interactive",
        hub_slurm_hours=6,
    )
    config = Config(hub_config(facts, slurm.KIND, proxy=["proxy"]))
    spawner = GatewaySlurmSpawner(config=config, user=person(), hub=Hub())
    spawner.req_username, spawner.req_homedir, spawner.req_keepvars = "ana", "/home/ana", "PATH"
    slurm.give(spawner, choose(offer(facts, slurm.KIND), {"size": "large", "gpu": "whole"}))
    values = {**spawner.get_req_subvars(), "cmd": "jupyterhub-singleuser"}
    script = asyncio.run(spawner._get_batch_script(**values))
    lines = script.splitlines()
    for line in (
        "--partition=interactive",
        "--mem=7630M",
        "--cpus-per-task=4",
        "--gres=gpu:1",
        "--time=6:00:00",
        "--chdir=/home/ana",
        "--export=PATH",
    ):
        assert f"#SBATCH {line}" in lines
    assert lines.index("jupyterhub-singleuser") > lines.index("set -eu")
    slurm.give(spawner, choose(offer(facts, slurm.KIND), {"size": "small"}))
    values = {**spawner.get_req_subvars(), "cmd": "jupyterhub-singleuser"}
    assert "--gres" not in asyncio.run(spawner._get_batch_script(**values))


@pytest.mark.parametrize("name", ["../ana", "..", "a/b"])
def test_a_local_server_stays_in_the_folder_of_its_person(facts_of, monkeypatch, name) -> None:
    facts = facts_of()
    config = Config(hub_config(facts, local.KIND, proxy=["proxy"]))
    started = []
    monkeypatch.setattr(
        GatewayLocalSpawner.__mro__[1], "start", lambda self: asyncio.sleep(0, started.append(self))
    )
    spawner = GatewayLocalSpawner(config=config, user=person(name), hub=Hub())
    asyncio.run(spawner.start())
    (home,) = (facts.home / "people").iterdir()
    assert spawner.notebook_dir == spawner.popen_kwargs["cwd"] == str(home)
    assert home.stat().st_mode & 0o077 == 0
    assert home.parent.stat().st_mode & 0o077 == 0


def test_a_number_that_another_process_has_now_is_not_taken_for_the_server() -> None:
    spawner = GatewayLocalSpawner(user=person(), hub=Hub())
    spawner.load_state({"pid": 1, "started": 1.0})
    assert spawner.pid == 0


def test_the_best_kind_that_works_is_chosen_and_the_others_are_named(monkeypatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(spawners, "KINDS", {"docker": "gateway.hub.nowhere", **spawners.KINDS})
    assert choose_kind(Settings(), say=said.append).name == "local"
    assert "docker" in said[0]


def test_a_kind_that_does_not_work_here_is_refused_with_the_reason(monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SettingsError, match="hub_spawner 'slurm': sbatch is not on the path"):
        choose_kind(Settings(hub_spawner="slurm"), say=print)
    with pytest.raises(SettingsError, match="no spawner 'podman'"):
        find_kind("podman")
