"""Share links."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["links"])
