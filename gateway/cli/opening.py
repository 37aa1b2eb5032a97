"""Opens the gateway a command works in and closes it afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.cli.shared import Shared
from gateway.service.gateway import Gateway, open_gateway


@contextmanager
def opened(shared: Shared) -> Iterator[Gateway]:
    """Open the gateway of `--home` or `GATEWAY_HOME`.

    Raises:
        SettingsError: No home is selected, or it is none.
    """
    gateway = open_gateway(shared.home)
    with gateway.catalogue:
        yield gateway
