"""The lease of one kernel: taken before it starts, held by its container, given back after it."""

import logging
import threading
from pathlib import Path

from gateway.errors import ConflictError, LimitError, RunCancelledError
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.leases.command import own_name
from gateway.service.leases.ending import release
from gateway.service.leases.holding import wait_in_line
from gateway.service.leases.inventory import take_inventory
from gateway.service.leases.ledger import ask, find_lease, give_back, hand_over, refresh
from gateway.service.leases.model import Holder, Lease

_LOG = logging.getLogger("gateway.kernels")


class KernelLease:
    """Devices for a kernel; each method may be called when there is none."""

    def __init__(self, home: Path | None, gpus: int, wait_s: float) -> None:
        """Lend from the ledger of a home; nothing is asked for yet."""
        self._gateway: Gateway | None = open_gateway(home) if gpus else None
        self._gpus = gpus
        self._wait_s = wait_s
        self._lease: Lease | None = None

    @property
    def id(self) -> str:
        """Id of the lease; empty where there is none."""
        return self._lease.id if self._lease is not None else ""

    @property
    def devices(self) -> tuple[str, ...]:
        """CDI names of what is lent."""
        return self._lease.devices if self._lease is not None else ()

    def take(self) -> None:
        """Take the devices, or keep those that are held still.

        Raises:
            LimitError: There are not so many, or none became free in time.
        """
        gateway = self._gateway
        if gateway is None or self._is_held(gateway):
            return
        take_inventory(gateway)
        lease = ask(
            gateway,
            own_name(gateway),
            Holder.this_process(starting=True),
            purpose="notebook",
            devices=self._gpus,
        )
        try:
            self._lease = self._wait(gateway, lease)
        except BaseException:
            give_back(gateway, lease.id, "its kernel was not started")
            raise

    def hand_to(self, container: str, engine: str) -> None:
        """Let the container hold the lease from now on."""
        if self._gateway is not None and self._lease is not None:
            hand_over(self._gateway, self._lease.id, Holder.container(container, engine))

    def keep_for_restart(self) -> None:
        """Hold the lease in this process while one container makes way for the next."""
        if self._gateway is not None and self._lease is not None:
            try:
                hand_over(self._gateway, self._lease.id, Holder.this_process(starting=True))
            except ConflictError:
                self._lease = None  # it was lost; another will be asked for

    def is_over(self) -> str:
        """Say why the devices must not be used any more; an empty text while they may."""
        if self._gateway is None or self._lease is None:
            return ""
        try:
            refresh(self._gateway, self._lease.id)
        except ConflictError as error:
            return str(error)
        return ""

    def give_back(self, reason: str) -> None:
        """Give the devices back, unless a container still uses them."""
        if self._gateway is not None and self._lease is not None:
            release(self._gateway, self._lease.id, reason)
            self._lease = None

    def close(self) -> None:
        """Close the database."""
        if self._gateway is not None:
            self._gateway.catalogue.close()

    def _is_held(self, gateway: Gateway) -> bool:
        return self._lease is not None and find_lease(gateway, self._lease.id).status == "held"

    def _wait(self, gateway: Gateway, lease: Lease) -> Lease:
        late, said = threading.Event(), [lease.sentence()]
        timer = threading.Timer(self._wait_s, late.set)

        def waits(now: Lease) -> None:
            said[:] = [now.sentence()]
            _LOG.warning("the kernel waits: %s", said[0])

        timer.start()
        try:
            return wait_in_line(gateway, lease, waits, late)
        except RunCancelledError as error:
            raise LimitError(
                f"no GPU became free in {self._wait_s:.0f} s: {said[0]}; take a kernel without "
                "one, or try again later"
            ) from error
        finally:
            timer.cancel()
