"""Notebook servers as pods of Kubernetes; they read volumes over HTTP with their token."""

from typing import Any

from kubespawner import KubeSpawner
from traitlets import Unicode

from gateway.hub.facts import Facts
from gateway.hub.spawners import Config, SpawnerKind, give_limits, meet_cluster

_USER, _GROUP = 1000, 1000
_HOME = "/home/gateway"


class GatewayKubeSpawner(KubeSpawner):  # type: ignore[misc]  # publishes no types
    """A pod of an ordinary user: no capabilities, no token of the cluster."""

    gateway_gpu = Unicode("", help="What a GPU is called at the cluster.").tag(config=True)


def configure(facts: Facts) -> Config:
    """Return how a pod starts."""
    settings = facts.settings
    values: dict[str, Any] = {
        "namespace": settings.hub_namespace,
        "cmd": ["jupyterhub-singleuser"],
        "uid": _USER,
        "gid": _GROUP,
        "fs_gid": _GROUP,
        "allow_privilege_escalation": False,
        "privileged": False,
        "service_account": None,
        "automount_service_account_token": False,
        "container_security_context": {
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "storage_pvc_ensure": True,
        "pvc_name_template": "home-{username}",
        "storage_capacity": str(int(settings.hub_disk)),
        "storage_access_modes": ["ReadWriteOnce"],
        "volumes": [{"name": "home", "persistentVolumeClaim": {"claimName": "home-{username}"}}],
        "volume_mounts": [{"name": "home", "mountPath": _HOME}],
        "notebook_dir": _HOME,
        "cpu_guarantee": 0.1,
        "mem_guarantee": "512M",
        "image_pull_policy": "IfNotPresent",
        "gateway_gpu": settings.hub_cluster_gpu or "",
    }
    return {"GatewayKubeSpawner": values}


def give(spawner: Any, profile: Any) -> None:
    """Give a pod the limits of a profile, and a GPU of the cluster where one was chosen."""
    give_limits(spawner, profile)
    wanted = {spawner.gateway_gpu: "1"} if profile.gpu == "whole" and spawner.gateway_gpu else {}
    spawner.extra_resource_limits = {**spawner.extra_resource_limits, **wanted}


KIND = SpawnerKind(
    name="kube",
    spawner="gateway.hub.kubernetes.GatewayKubeSpawner",
    title="pods of a Kubernetes cluster",
    isolates=True,
    outlive=True,
    sized=True,
    lack=lambda _: None,  # the cluster says so when a server starts
    meet=meet_cluster,
    configure=configure,
    give=give,
    elsewhere=True,
    images=True,
)
