"""Tools and their forms, plans."""

from fastapi import APIRouter

router = APIRouter(prefix="/api", tags=["tools"])
