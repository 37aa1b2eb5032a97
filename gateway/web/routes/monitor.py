"""What the machine and its users do."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["monitor"])
