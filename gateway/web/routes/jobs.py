"""Runs: begin, follow, cancel, resume."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["jobs"])
