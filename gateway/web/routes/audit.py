"""The audit log."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.service.access.audit import LONGEST_PAGE, AuditFilter, AuditLine, read_audit
from gateway.web.rules import Administrator, GatewayHere, Owner

router = APIRouter(prefix="/api", tags=["audit"])
_LARGEST_ID = 2**31 - 1


class Wanted(BaseModel):
    """Which lines are wanted."""

    model_config = ConfigDict(extra="ignore")

    who: Annotated[str | None, Field(max_length=120, pattern=r"^[^\x00]*$")] = None
    action: Annotated[str | None, Field(max_length=60, pattern=r"^[^\x00]*$")] = None
    since: AwareDatetime | None = None
    before: Annotated[
        int | None, Field(ge=1, le=_LARGEST_ID, description="`next` of the page before.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=LONGEST_PAGE)] = 50

    def filter(self, dataset: str | None) -> AuditFilter:
        """Return the filter of the service."""
        return AuditFilter(
            dataset=dataset,
            who=self.who,
            action=self.action,
            since=self.since,
            before=self.before,
            limit=self.limit,
        )


@router.get("/audit")
def audit(
    gateway: GatewayHere, actor: Administrator, wanted: Annotated[Wanted, Query()]
) -> dict[str, Any]:
    """Return who did what, the latest first."""
    return _page(read_audit(gateway, actor, wanted.filter(None)), wanted.limit)


@router.get("/audit/{dataset}")
def audit_of_dataset(
    gateway: GatewayHere, actor: Owner, dataset: str, wanted: Annotated[Wanted, Query()]
) -> dict[str, Any]:
    """Return who did what with a dataset, the latest first."""
    return _page(read_audit(gateway, actor, wanted.filter(dataset)), wanted.limit)


def _page(lines: list[AuditLine], limit: int) -> dict[str, Any]:
    more = lines[-1].id if len(lines) == limit else None
    return {"lines": [line.to_json() for line in lines], "next": more}
