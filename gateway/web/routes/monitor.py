"""The monitor: what the machine and its people do."""

from typing import Any

from fastapi import APIRouter

from gateway.service.jobs.monitor import watch
from gateway.web.rules import Administrator, GatewayHere

router = APIRouter(prefix="/api", tags=["monitor"])


@router.get("/monitor")
def get_monitor(gateway: GatewayHere, actor: Administrator) -> dict[str, Any]:
    """Tell processors, memory, disks, devices, jobs, people, largest datasets and failures."""
    return watch(gateway, actor)
