"""Annotation layers, edits, queues."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["layers"])
