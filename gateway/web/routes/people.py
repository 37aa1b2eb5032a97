"""People, groups and roles."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["people"])
