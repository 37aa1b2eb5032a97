"""People, groups, links and the audit log."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)
