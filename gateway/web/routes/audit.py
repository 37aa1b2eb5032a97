"""The audit log."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["audit"])
