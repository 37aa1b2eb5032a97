"""Where a Galaxy keeps its files, and what it is told; plain data."""

import secrets
from dataclasses import dataclass
from pathlib import Path

from gateway.errors import SettingsError
from gateway.service.galaxy import USUAL_DOMAIN, hub_url
from gateway.service.settings import Settings

PREFIX = "/services/galaxy"
"""Where the hub has Galaxy."""
_SECRET_BYTES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One Galaxy: folders below the gateway's home, and where it answers."""

    home: Path
    """Home of the gateway."""
    environment: Path
    """The virtual environment Galaxy is installed in."""
    programs: Path
    """Folder with `gateway-galaxy`, as jobs must find it."""
    settings: Settings
    port: int
    prefix: str = ""
    """Path it is reached under; empty where it stands alone."""
    packages: str = ""
    """Where else Python finds tools than in its environment: jobs must find what is shown."""
    behind_hub: bool = False
    """Whether people are whom the proxy before it says they are."""

    @property
    def root(self) -> Path:
        """Everything of this Galaxy."""
        return self.home / "galaxy"

    @property
    def config(self) -> Path:
        """Rendered anew at every start."""
        return self.root / "config"

    @property
    def data(self) -> Path:
        """Its database and its small files."""
        return self.root / "data"

    @property
    def working(self) -> Path:
        """Where it is started: always empty, since Galaxy shows this folder to job containers."""
        return self.root / "empty"

    @property
    def url(self) -> str:
        """Where this machine reaches it."""
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    @property
    def main_file(self) -> Path:
        """Galaxy's own configuration."""
        return self.config / "galaxy.yml"

    @property
    def log(self) -> Path:
        """What it says."""
        return self.root / "galaxy.log"

    @property
    def pid_file(self) -> Path:
        """The number of its process."""
        return self.root / "galaxy.pid"

    @property
    def hub(self) -> str | None:
        """Where people reach the hub; None where there is none, or it is not known where."""
        return (hub_url(self.settings) or None) if self.behind_hub else None

    @property
    def admins(self) -> tuple[str, ...]:
        """Addresses of those who administer it."""
        return self.settings.galaxy_admins or (f"admin@{self.domain}",)

    @property
    def domain(self) -> str:
        """Domain of the addresses of people who come through the hub."""
        return self.settings.galaxy_domain or USUAL_DOMAIN

    def make_folders(self) -> None:
        """Make the folders, readable by their owner only.

        Raises:
            SettingsError: They cannot be made, or something lies where Galaxy is started.
        """
        try:
            self.root.mkdir(mode=0o700, exist_ok=True)
            for folder in (self.config, self.data, self.working):
                folder.mkdir(mode=0o700, exist_ok=True)
            found = sorted(path.name for path in self.working.iterdir())
        except OSError as error:
            raise SettingsError(
                f"the folder of Galaxy {self.root} cannot be made: {error.strerror} "
                f"({error.filename}); choose a home that you may write to"
            ) from error
        if found:
            raise SettingsError(
                f"{self.working} holds {found[0]!r}, but Galaxy shows this folder to "
                "containers of jobs, so it must be empty; move that elsewhere"
            )

    def secret(self, name: str) -> str:
        """Return a secret of this Galaxy: made once, kept where only its owner reads."""
        path = self.root / f"{name}.secret"
        if not path.is_file():
            path.touch(mode=0o600)
            path.write_text(secrets.token_hex(_SECRET_BYTES), encoding="ascii")
        return path.read_text(encoding="ascii").strip()
