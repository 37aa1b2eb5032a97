"""Galaxy as the other faces know it: whether there is one, and that things can be sent there.

The Galaxy face itself is another program: it is started, never imported.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from gateway.errors import ConflictError, RunError
from gateway.service.access.actor import Actor, Role
from gateway.service.access.rights import require, require_person
from gateway.service.gateway import Gateway
from gateway.service.settings import Settings
from gateway.volumes.ref import Ref

HISTORY = "Brain Gateway"
"""The history that things are sent to."""
SENT_KINDS = ("image", "labels", "points", "tiles", "transform")
USUAL_DOMAIN = "gateway.invalid"
"""Of people of a Galaxy for which the setting galaxy_domain names none."""
_WEB, _GALAXY = "/services/gateway", "/services/galaxy/"
_LONGEST_S = 180.0


def has_galaxy(gateway: Gateway) -> bool:
    """Whether the home has a Galaxy, so that things can be sent to it."""
    try:
        made = (gateway.home / "galaxy/admin_key.secret").is_file()
    except OSError:  # somebody else's
        made = False
    return gateway.settings.galaxy or made


def hub_url(settings: Settings) -> str | None:
    """Return where people reach the hub that the web service stands behind; None without one."""
    base = settings.base_url or ""
    return base.removesuffix(_WEB) if base.endswith(_WEB) else None


def galaxy_url(gateway: Gateway) -> str | None:
    """Return where people reach it; None where only this machine does."""
    hub = hub_url(gateway.settings)
    return None if hub is None else f"{hub}{_GALAXY}"


def send_to_galaxy(gateway: Gateway, actor: Actor, refs: Sequence[Ref]) -> None:
    """Put things into a person's history of Galaxy, by name: nothing is copied.

    Raises:
        ForbiddenError: They may not see one.
        SignInError: Nobody is signed in.
        ConflictError: There is no Galaxy, or it does not answer in time.
        RunError: Galaxy did not take one; says why.
    """
    if not has_galaxy(gateway):
        raise ConflictError(
            "this gateway has no Galaxy; start one with `gateway-galaxy up`, or "
            "`gateway up --galaxy`"
        )
    person = require_person(actor)
    for ref in refs:
        require(gateway, actor, ref.dataset, Role.VIEWER, ref.name)
    domain = gateway.settings.galaxy_domain or USUAL_DOMAIN
    address = person if "@" in person else f"{person}@{domain}"
    command = [sys.executable, "-m", "gateway.galaxy", "send", f"--home={gateway.home}"]
    command += [f"--as={address}", f"--history={HISTORY}"]
    command += ["--behind-hub"] if galaxy_url(gateway) else []
    environment = os.environ | {"GATEWAY_GALAXY_DOMAIN": domain}
    try:
        done = subprocess.run(  # noqa: S603 - our own module; refs and address are checked
            [*command, *map(str, refs)],
            check=False,
            capture_output=True,
            text=True,
            env=environment,
            timeout=_LONGEST_S,
        )
    except subprocess.TimeoutExpired as error:
        raise ConflictError(f"Galaxy did not answer in {_LONGEST_S:g} s; try again") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RunError(f"it was not sent to Galaxy: {said[0] if said else 'it said nothing'}")
