"""The thread of a web service that writes changed layers into the folders of their datasets."""

import logging
from datetime import timedelta
from threading import Event, Thread

from gateway.errors import GatewayError
from gateway.service.gateway import Gateway
from gateway.service.review.keeping import store_layers

_LOOK_S = 2.0
_QUIET = timedelta(seconds=5)
_LONGEST = 30
"""Looks after which a layer that never rests is written all the same."""
_log = logging.getLogger("gateway.layers")


class LayerKeeper:
    """Writes layers that have come to rest, and all of them when it is stopped."""

    def __init__(self, gateway: Gateway) -> None:
        """Keep the layers of a gateway."""
        self._gateway = gateway
        self._told = Event()
        self._thread = Thread(target=self._keep, name="layer-keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Write what changed, and end."""
        self._told.set()
        self._thread.join()

    def _keep(self) -> None:
        looks = 0
        while not self._told.wait(_LOOK_S):
            looks += 1
            self._store(_QUIET if looks % _LONGEST else timedelta(0))
        self._store(timedelta(0))

    def _store(self, quiet_for: timedelta) -> None:
        try:
            store_layers(self._gateway, quiet_for=quiet_for)
        except GatewayError as error:  # the edits are safe in the database: try again later
            _log.warning("a layer was not written into its dataset: %s", error)
