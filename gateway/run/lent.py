"""What a program is told of the devices that were lent to it: variables of its environment."""

from collections.abc import Mapping, Sequence

LEASE_VARIABLE = "GATEWAY_LEASE"
"""Id of the lease: what was started with it lives on its devices."""
LEASE_LABEL = "gateway.lease"
"""Label of a container that uses the devices of a lease: the id of the lease."""
NAMES_VARIABLE = "GATEWAY_LENT"
"""CDI names of the devices, with commas between."""


def lent_environment(lease: str, devices: Sequence[str]) -> dict[str, str]:
    """Return the variables that show a process its devices, and no others.

    Args:
        lease: Id of the lease.
        devices: CDI names, such as `nvidia.com/gpu=0`.
    """
    return {LEASE_VARIABLE: lease, NAMES_VARIABLE: ",".join(devices), **visible(devices)}


def visible(devices: Sequence[str]) -> dict[str, str]:
    """Return the variables by which CUDA is shown some devices of this machine."""
    numbers = ",".join(name.rpartition("=")[2] for name in devices)
    # without the order, CUDA counts the fastest first and the driver by place on the bus
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": numbers}


def given_by_slurm(environment: Mapping[str, str]) -> bool:
    """Whether Slurm gave this job its GPUs: then they are in no ledger of ours."""
    shown = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "CUDA_VISIBLE_DEVICES")
    return bool(environment.get("SLURM_JOB_ID")) and any(environment.get(name) for name in shown)
