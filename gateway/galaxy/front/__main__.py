"""`python -m gateway.galaxy.front`: starts Galaxy and stands before it, as a service of a hub."""

import os
import sys
import threading
from urllib.parse import urlsplit

import uvicorn
from bioblend.galaxy import GalaxyInstance

from gateway.errors import GatewayError
from gateway.galaxy.accounts import ensure_account
from gateway.galaxy.front.app import Front, make_app
from gateway.galaxy.front.hub import Hub, HubPlace
from gateway.galaxy.remote import publish_workflows
from gateway.galaxy.server import environment, process
from gateway.galaxy.server.configuration import ADMIN_KEY, PROXY_SECRET, write_configuration
from gateway.galaxy.server.site import PREFIX, Site
from gateway.galaxy.server_command import open_site


class _Starting:
    """Galaxy while it is installed and started, in a thread of its own."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.state: str | None = "preparing"

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="start-galaxy", daemon=True).start()

    def _run(self) -> None:
        try:
            postgres = self._site.settings.galaxy_database is not None
            environment.install(self._site.environment, self._say, postgres=postgres)
            write_configuration(self._site)
            process.stop(self._site)  # one that a front which was killed left behind
            while self._keep_running():
                self._say("Galaxy ended by itself and is started again")
        except GatewayError as error:
            self._say(str(error))

    def _keep_running(self) -> bool:
        """Start Galaxy and wait for its end; tells whether it ended without being stopped."""
        running = process.start(self._site)
        process.wait_ready(self._site, running, self._say)
        publish_workflows(self._site)
        self._say("Galaxy answers")
        self.state = None
        running.wait()
        return process.is_meant_to_run(self._site)

    def _say(self, text: str) -> None:
        self.state = text.split("\n", 1)[0]
        sys.stderr.write(f"galaxy: {text}\n")
        sys.stderr.flush()


def main() -> int:
    """Serve until told to stop; Galaxy stops too."""
    try:
        prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", PREFIX).rstrip("/")
        site = open_site(None, behind_hub=True, prefix=prefix)
        site.make_folders()
        place = HubPlace.of_environment(os.environ, site.prefix)
    except GatewayError as error:
        sys.stderr.write(f"galaxy: {error}\n")
        return 1
    listen = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:0"))
    starting = _Starting(site)
    admin = GalaxyInstance(site.url, key=site.secret(ADMIN_KEY))
    front = Front(
        hub=Hub(place),
        galaxy=f"http://127.0.0.1:{site.port}",
        prefix=site.prefix,
        secret=site.secret(PROXY_SECRET),
        domain=site.domain,
        reserved=site.admins,
        secure=(site.settings.base_url or "").startswith("https://"),
        state=lambda: starting.state,
        make_account=lambda address: ensure_account(admin, address, remote=True),
    )
    starting.start()
    try:
        uvicorn.run(
            make_app(front),
            host=listen.hostname or "127.0.0.1",
            port=listen.port or 0,
            log_level="warning",
            access_log=False,  # addresses may hold keys
        )
    finally:
        process.stop(site)
    return 0


if __name__ == "__main__":
    sys.exit(main())
