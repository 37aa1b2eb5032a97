"""One opened gateway: its settings, its store, its catalogue. What every use-case is given."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from gateway.records.catalogue import Catalogue, open_catalogue
from gateway.service.settings import Settings, find_home, read_settings
from gateway.volumes.store import Store, open_store


@dataclass(frozen=True, slots=True)
class Gateway:
    """An opened gateway; every face opens one and passes it to `gateway.service`."""

    home: Path
    settings: Settings
    store: Store
    catalogue: Catalogue

    @property
    def database(self) -> Engine:
        """The database of the catalogue, which also holds people, rights, jobs and annotations."""
        return self.catalogue.engine


def open_gateway(home: Path | None = None) -> Gateway:
    """Open the gateway of a home.

    Args:
        home: The folder `gateway init` made; None takes the one `GATEWAY_HOME` names.

    Raises:
        SettingsError: No home is selected, it is no home, or a setting is wrong.
        StoreError: The store or the catalogue cannot be reached.
    """
    path = find_home(home)
    settings = read_settings(path)
    store = open_store(settings.store)
    return Gateway(
        home=path,
        settings=settings,
        store=store,
        catalogue=open_catalogue(settings.catalogue.get_secret_value()),
    )
