"""Viewer states, served annotations, the blank-viewer doctor."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["views"])
