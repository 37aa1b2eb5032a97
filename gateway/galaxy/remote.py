"""Which Galaxy is meant and as whom: the one of a home, or another one by address and key."""

import os
from pathlib import Path

import requests
from bioblend import ConnectionError as BioblendError
from bioblend.galaxy import GalaxyInstance

from gateway.errors import ConflictError, ForbiddenError
from gateway.galaxy.accounts import ensure_account
from gateway.galaxy.client import GalaxyClient
from gateway.galaxy.publish import workflow_files
from gateway.galaxy.server.configuration import ADMIN_KEY
from gateway.galaxy.server.process import answers
from gateway.galaxy.server.site import Site

KEY_VARIABLE = "GALAXY_API_KEY"


def client_elsewhere(url: str) -> GalaxyClient:
    """Return a client of any Galaxy, as whose key is in the environment.

    Raises:
        ForbiddenError: There is no key.
    """
    key = os.environ.get(KEY_VARIABLE)
    if not key:
        raise ForbiddenError(
            f"no key for the Galaxy at {url}; put your API key, from User, Preferences, Manage API "
            f"key there, into the environment variable {KEY_VARIABLE}"
        )
    return GalaxyClient(url, key)


def client_here(site: Site, address: str) -> GalaxyClient:
    """Return a client of a home's own Galaxy as any of its users, whom it then knows.

    Whoever may read the home administers its Galaxy, so this gives nobody more than they have.

    Raises:
        ConflictError: It does not run.
        ForbiddenError: The home is somebody else's.
    """
    key = _admin_key(site.root / f"{ADMIN_KEY}.secret")
    if key is None or not answers(site):
        raise ConflictError(
            f"the Galaxy of {site.home} does not answer at {site.url}/; start it with "
            "`gateway-galaxy up`, or name another one with --url"
        )
    admin = GalaxyInstance(site.url, key=key)
    user = ensure_account(admin, address, remote=site.behind_hub)
    try:
        return GalaxyClient(site.url, admin.users.get_or_create_user_apikey(user))
    except (BioblendError, requests.RequestException) as error:
        raise ConflictError(
            f"the Galaxy at {site.url} gives no key for {address!r}: {error}"
        ) from error


def publish_workflows(site: Site) -> list[str]:
    """Put the gateway's workflows into a home's own Galaxy, for all; returns their names.

    Raises:
        ConflictError: It does not run.
        StoreError: It does not take one.
    """
    client = client_here(site, site.admins[0])
    for text in workflow_files().values():
        client.publish_workflow(text, published=True)
    return list(workflow_files())


def _admin_key(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ForbiddenError(
            f"{path} cannot be read: {error.strerror}; ask who runs this Galaxy for a key, and "
            f"put it into the environment variable {KEY_VARIABLE}"
        ) from error
