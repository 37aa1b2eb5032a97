"""Inboxes, recognition, uploads."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["ingest"])
