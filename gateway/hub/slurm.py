"""Notebook servers as jobs of a Slurm cluster, each under the account of its person there."""

import shutil
from typing import Any

from batchspawner import SlurmSpawner
from traitlets import Unicode

from gateway.hub.facts import Facts
from gateway.hub.spawners import Config, SpawnerKind, give_limits, meet_cluster
from gateway.service.settings import Settings

_MEBIBYTE = 2**20
_SCRIPT = """#!/bin/bash
#SBATCH --job-name=notebook
#SBATCH --output={{homedir}}/.notebook-%j.log
#SBATCH --chdir={{homedir}}
#SBATCH --export={{keepvars}}
#SBATCH --time={{runtime}}
{% if partition %}#SBATCH --partition={{partition}}
{% endif %}{% if memory %}#SBATCH --mem={{memory}}
{% endif %}{% if nprocs %}#SBATCH --cpus-per-task={{nprocs}}
{% endif %}{% if gres %}#SBATCH --gres={{gres}}
{% endif %}
set -eu
{{prologue}}
{{cmd}}
{{epilogue}}
"""


class GatewaySlurmSpawner(SlurmSpawner):  # type: ignore[misc]  # publishes no types
    """A batch job; Slurm holds it to its memory, processors and GPUs."""

    gateway_gpu = Unicode("", help="What a GPU is called at the cluster.").tag(config=True)


def configure(facts: Facts) -> Config:
    """Return how a job starts."""
    settings = facts.settings
    values: dict[str, Any] = {
        "cmd": ["jupyterhub-singleuser"],
        "batch_script": _SCRIPT,
        "req_srun": "",
        "req_runtime": f"{settings.hub_slurm_hours}:00:00",
        "req_partition": settings.hub_slurm_partition or "",
        "gateway_gpu": settings.hub_cluster_gpu or "",
        "startup_poll_interval": 1.0,
    }
    return {"GatewaySlurmSpawner": values}


def give(spawner: Any, profile: Any) -> None:
    """Ask Slurm for what a profile says."""
    give_limits(spawner, profile)
    if profile.size is not None:
        spawner.req_memory = f"{-(-profile.size.memory // _MEBIBYTE)}M"
        spawner.req_nprocs = str(max(1, round(profile.size.cores)))
    whole = profile.gpu == "whole" and spawner.gateway_gpu
    spawner.req_gres = f"{spawner.gateway_gpu}:1" if whole else ""


def _lack(settings: Settings) -> str | None:
    del settings
    if shutil.which("sbatch") is None:
        return "sbatch is not on the path; install the clients of Slurm on this machine"
    return None


KIND = SpawnerKind(
    name="slurm",
    spawner="gateway.hub.slurm.GatewaySlurmSpawner",
    title="jobs of a Slurm cluster",
    isolates=True,
    outlive=True,
    sized=True,
    lack=_lack,
    meet=meet_cluster,
    configure=configure,
    give=give,
    elsewhere=True,
)
