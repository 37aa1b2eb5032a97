"""Datasets, entries and search."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["datasets"])
