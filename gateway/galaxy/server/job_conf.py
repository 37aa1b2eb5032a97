"""Renders how Galaxy runs jobs from the gateway's settings; pure.

Every job is the same small program outside of any container, `gateway-galaxy run`: it asks whether
the person may do this, takes a lease where a GPU is wanted, and has the tool run by the gateway,
in its container where the engine is one. So containers need neither catalogue nor secrets.
"""

from typing import Any

import yaml

from gateway.galaxy.server.site import Site

_LOADERS = {
    "here": "galaxy.jobs.runners.local:LocalJobRunner",
    "gateway": "gateway_volref.runner:VolrefRunner",
}
GALAXYS_OWN = ("__DATA_FETCH__", "__SET_METADATA__", "__EXPORT_HISTORY__", "__IMPORT_HISTORY__")
"""Jobs of Galaxy itself, which stay on its machine."""


def render_jobs(site: Site, *, workers: int) -> str:
    """Return `job_conf.yml`.

    Args:
        site: The Galaxy.
        workers: Jobs that run at a time on this machine.
    """
    runners: dict[str, Any] = {
        name: {"load": load, "workers": workers} for name, load in _LOADERS.items()
    }
    environments: dict[str, Any] = {
        "here": {"runner": "here"},
        "gateway": {"runner": "gateway", "env": job_environment(site)},
    }
    document = {
        "runners": runners,
        "execution": {"default": "gateway", "environments": environments},
        "tools": [{"id": name, "environment": "here"} for name in GALAXYS_OWN],
    }
    text: str = yaml.safe_dump(document, sort_keys=False)
    return text


def job_environment(site: Site) -> list[dict[str, str]]:
    """Return the variables of a job of the gateway."""
    values = {
        "PATH": f"{site.programs}:/usr/local/bin:/usr/bin:/bin",
        "GATEWAY_HOME": str(site.home),
    }
    if site.behind_hub:
        # people of the hub are people of the gateway by what stands before this domain
        values["GATEWAY_GALAXY_DOMAIN"] = site.domain
    return [{"name": name, "value": value} for name, value in values.items()]
