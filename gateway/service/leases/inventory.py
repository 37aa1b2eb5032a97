"""What devices a machine has: those of the settings, else what the NVIDIA driver tells."""

import re
import socket
from contextlib import suppress

from gateway.errors import SettingsError
from gateway.service.gateway import Gateway
from gateway.service.leases.ledger import list_devices, set_devices
from gateway.service.leases.model import Device

_CDI = re.compile(r"[a-z0-9.\-]+/[A-Za-z0-9_.\-]+=[A-Za-z0-9_.:\-]+\Z")


def find_devices(gateway: Gateway) -> list[Device]:
    """Return the devices that may be lent.

    The setting `devices` lists CDI names; where it is empty, every GPU that the NVIDIA driver of
    this machine knows is taken. `device_shares` says how many may hold one at once.

    Raises:
        SettingsError: A name of the setting is no CDI name, or is there twice.
    """
    settings = gateway.settings
    host = socket.gethostname()
    if not settings.devices:
        return _from_driver(host, settings.device_shares)
    for name in settings.devices:
        if not _CDI.match(name):
            raise SettingsError(
                f"setting devices: {name!r} is no CDI name; expected VENDOR/CLASS=NAME, such as "
                "nvidia.com/gpu=0 (see `nvidia-ctk cdi list`)"
            )
        if settings.devices.count(name) > 1:
            raise SettingsError(f"setting devices: {name!r} is there twice")
    return [Device(name=n, host=host, shares=settings.device_shares) for n in settings.devices]


def take_inventory(gateway: Gateway) -> list[Device]:
    """Write down what devices this machine has, where that is news, and return what is lent.

    Raises:
        SettingsError: As `find_devices`.
    """
    found = find_devices(gateway)
    known = list_devices(gateway)
    if not found and all(device.host != socket.gethostname() for device in known):
        return known  # a part of the gateway that runs where there is no GPU
    if sorted(found, key=lambda device: device.name) != known:
        set_devices(gateway, found)
    return found


def _from_driver(host: str, shares: int) -> list[Device]:
    try:
        import pynvml  # noqa: PLC0415 - an extra, and only where there is a driver
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    found = []
    try:
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            device = Device(
                name=f"nvidia.com/gpu={index}",
                host=host,
                model=_text(pynvml.nvmlDeviceGetName(handle)),
                memory_bytes=int(pynvml.nvmlDeviceGetMemoryInfo(handle).total),
                shares=shares,
            )
            found.append(device)
    finally:
        with suppress(pynvml.NVMLError):
            pynvml.nvmlShutdown()
    return found


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
