"""Renders how Galaxy runs jobs from the gateway's settings; pure.

Every job is the same small program outside of any container, `gateway-galaxy run`: it asks whether
the person may do this, takes a lease where a GPU is wanted, and has the tool run by the gateway,
in its container where the engine is one. So containers need neither catalogue nor secrets.
"""

from collections.abc import Iterable
from typing import Any

import yaml

from gateway.galaxy.placement import Needs, needs_of
from gateway.galaxy.server.site import Site
from gateway.toolkit.spec import ToolSpec

_LOADERS = {
    "here": "galaxy.jobs.runners.local:LocalJobRunner",
    "gateway": "gateway_volref.runner:VolrefRunner",
}
_SLURM = "galaxy.jobs.runners.cli:ShellJobRunner"
"""By `sbatch` and `squeue`, which need no library of Slurm in Galaxy's environment."""
GALAXYS_OWN = ("__DATA_FETCH__", "__SET_METADATA__", "__EXPORT_HISTORY__", "__IMPORT_HISTORY__")
"""Jobs of Galaxy itself, which stay on its machine."""


def render_jobs(site: Site, *, workers: int, specs: Iterable[ToolSpec] = ()) -> str:
    """Return `job_conf.yml`.

    Args:
        site: The Galaxy.
        workers: Jobs that run at a time on this machine.
        specs: The tools, which say what they need of a node of Slurm.
    """
    runners: dict[str, Any] = {
        name: {"load": load, "workers": workers} for name, load in _LOADERS.items()
    }
    environments: dict[str, Any] = {
        "here": {"runner": "here"},
        "gateway": {"runner": "gateway", "env": job_environment(site)},
    }
    tools = [{"id": name, "environment": "here"} for name in GALAXYS_OWN]
    if site.settings.galaxy_runner == "slurm":
        runners["slurm"] = {"load": _SLURM, "workers": workers}
        memory = int(site.settings.memory)
        for spec in specs:
            needs = needs_of(spec, memory)
            environments[needs.name] = _on_slurm(site, needs)
            tools.append({"id": f"gateway_{spec.id}", "environment": needs.name})
    document = {
        "runners": runners,
        "execution": {"default": "gateway", "environments": environments},
        "tools": tools,
    }
    text: str = yaml.safe_dump(document, sort_keys=False)
    return text


def _on_slurm(site: Site, needs: Needs) -> dict[str, Any]:
    """Return the environment of jobs that Slurm runs; their GPU is Slurm's to give."""
    settings = site.settings
    values: dict[str, Any] = {
        "runner": "slurm",
        "shell_plugin": "LocalShell",
        "job_plugin": "Slurm",
        "job_ncpus": needs.cores,
        "job_time": f"{settings.galaxy_slurm_hours}:00:00",
        "job_--mem": f"{needs.memory_gb}G",
        "env": job_environment(site),
    }
    if settings.galaxy_slurm_partition is not None:
        values["job_partition"] = settings.galaxy_slurm_partition
    if needs.gpus:
        values["job_--gres"] = f"gpu:{needs.gpus}"
    return values


def job_environment(site: Site) -> list[dict[str, str]]:
    """Return the variables of a job of the gateway."""
    values = {
        "PATH": f"{site.programs}:/usr/local/bin:/usr/bin:/bin",
        "GATEWAY_HOME": str(site.home),
    }
    if site.packages:
        values["PYTHONPATH"] = site.packages
    if site.behind_hub:
        # people of the hub are people of the gateway by what stands before this domain
        values["GATEWAY_GALAXY_DOMAIN"] = site.domain
    return [{"name": name, "value": value} for name, value in values.items()]
