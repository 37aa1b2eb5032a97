"""Tools: what there are, what each takes, and what a call would do."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from gateway.errors import NotFoundError
from gateway.service.calls import call_from_words
from gateway.service.jobs.forms import find_choices
from gateway.service.jobs.planning import plan_call
from gateway.service.toolbox import describe_tool, list_tools, summarize_tool
from gateway.web.routes.jobs import CallBody
from gateway.web.rules import Anyone, GatewayHere, Person

router = APIRouter(prefix="/api", tags=["tools"])
Words = Annotated[str, Query(max_length=200)]


@router.get("/tools")
def get_tools(actor: Anyone, q: Words = "") -> list[dict[str, Any]]:
    """List the tools in whose name or summary every word occurs."""
    del actor  # what tools there are is nobody's secret
    found = []
    for spec in list_tools():
        text = f"{spec.id} {spec.title} {spec.summary}".lower()
        if all(word in text for word in q.lower().split()):
            found.append(summarize_tool(spec))
    return found


@router.get("/tools/{tool}")
def get_tool(actor: Anyone, tool: str) -> dict[str, Any]:
    """Tell all about a tool: its ports, and its settings as JSON Schema."""
    del actor
    return describe_tool(tool)


@router.get("/tools/{tool}/choices/{port}")
def get_choices(
    gateway: GatewayHere, actor: Person, tool: str, port: str, q: Words = ""
) -> list[str]:
    """List what a person may see that suits a port of a tool."""
    ports = {**describe_tool(tool)["inputs"]}
    if port not in ports:
        raise NotFoundError(f"{tool} has no input {port!r}; it has {', '.join(ports) or 'none'}")
    return find_choices(gateway, actor, ports[port]["kind"], q, limit=100)


@router.post("/plans")
def make_plan(
    gateway: GatewayHere, actor: Person, body: CallBody, *, pilot: bool = True
) -> dict[str, Any]:
    """Tell what a call would do: blocks, memory, bytes, time. Nothing is written.

    With `pilot`, one block of each pass is computed and thrown away, to tell the time.
    """
    call = call_from_words(body.tool, body.inputs, body.outputs, body.params)
    return plan_call(gateway, actor, call, body.options, pilot=pilot)
