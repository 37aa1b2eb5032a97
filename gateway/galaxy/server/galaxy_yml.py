"""Renders Galaxy's main configuration from the gateway's settings; pure."""

from typing import Any

import yaml

from gateway.galaxy.server.site import Site


def render_galaxy(site: Site, *, id_secret: str, admin_key: str, proxy_secret: str) -> str:
    """Return `galaxy.yml`.

    Args:
        site: The Galaxy.
        id_secret: With which it encodes the numbers of things.
        admin_key: With which the gateway itself administers it.
        proxy_secret: Which a proxy must show that says who somebody is.
    """
    values = {
        **_places(site),
        **_people(site, proxy_secret),
        **_jobs(),
        **_quiet(),
        "id_secret": id_secret,
        "bootstrap_admin_api_key": admin_key,
        "brand": "Brain Gateway",
    }
    if site.prefix:
        values["galaxy_url_prefix"] = site.prefix
    if site.settings.galaxy_database is not None:
        values["database_connection"] = site.settings.galaxy_database.get_secret_value()
    text: str = yaml.safe_dump({"galaxy": values}, sort_keys=True, allow_unicode=True)
    return text


def _places(site: Site) -> dict[str, Any]:
    config = site.config
    return {
        "config_dir": str(config),
        "data_dir": str(site.data),
        "tool_path": str(config / "tools"),
        "tool_config_file": str(config / "tool_conf.xml"),
        "job_config_file": str(config / "job_conf.yml"),
        "datatypes_config_file": str(config / "datatypes_conf.xml"),
        "tool_data_table_config_path": str(config / "tool_data_table_conf.xml"),
    }


def _people(site: Site, proxy_secret: str) -> dict[str, Any]:
    values: dict[str, Any] = {
        "admin_users": ",".join(site.admins),
        "require_login": True,
        "allow_user_creation": False,
        "new_user_dataset_access_role_default_private": True,
    }
    if site.behind_hub:
        values |= {
            "use_remote_user": True,
            "remote_user_secret": proxy_secret,
            "remote_user_maildomain": site.domain,
            "remote_user_logout_href": "/hub/logout",
        }
    return values


def _jobs() -> dict[str, Any]:
    return {
        # a container gets the files of the history read-only, and its own folder to write
        "outputs_to_working_directory": True,
        # the other resolvers fetch things when Galaxy starts
        "container_resolvers": [{"type": "explicit"}, {"type": "explicit_singularity"}],
        "conda_auto_init": False,
        "tool_dependency_dir": "none",
        "enable_celery_tasks": False,
    }


def _quiet() -> dict[str, Any]:
    """Return what keeps Galaxy from things that the gateway has no use for."""
    return {
        "edam_panel_views": "",
        "watch_tools": "false",
        "enable_old_display_applications": False,
    }
