"""Boxes of voxels and points as files."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["cutouts"])
