"""The tools: a list, and a form per tool with the plan of what it would do."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from gateway.errors import GatewayError, NotFoundError
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway
from gateway.service.jobs.fields import label_of
from gateway.service.jobs.forms import (
    Form,
    blank_form,
    find_choices,
    form_of_call,
    place_error,
    read_form,
)
from gateway.service.jobs.planning import plan_call
from gateway.service.jobs.records import call_again
from gateway.service.jobs.requests import ask
from gateway.service.toolbox import list_tools
from gateway.toolkit.spec import ToolSpec
from gateway.web.pages.rendering import page
from gateway.web.rules import Anyone, GatewayHere, Person

router = APIRouter(include_in_schema=False)
_KINDS = ("image", "labels", "points", "tiles")


async def sent_form(request: Request) -> dict[str, str]:
    """Return the texts of a form."""
    return {name: str(value) for name, value in (await request.form()).items()}


Sent = Annotated[dict[str, str], Depends(sent_form)]


@router.get("/tools")
def tools(
    request: Request, actor: Anyone, q: Annotated[str, Query(max_length=200)] = ""
) -> HTMLResponse:
    """List the tools that run in the browser; `?image=REF` those that take it, ready filled in."""
    words = q.lower().split()
    found = [
        spec
        for spec in _runnable()
        if all(word in f"{spec.id} {spec.title} {spec.summary}".lower() for word in words)
    ]
    asked = ((kind, request.query_params[kind]) for kind in _KINDS if kind in request.query_params)
    kind, ref = next(asked, ("", ""))
    filled = {spec.id: _filled(spec, kind, ref) for spec in found} if ref else {}
    if ref:
        found = [spec for spec in found if filled[spec.id]]
    values: dict[str, Any] = {"query": q, "kind": kind, "ref": ref, "filled": filled}
    return page(request, "tools.html", actor, tools=found, **values)


def _filled(spec: ToolSpec, kind: str, ref: str) -> str:
    """Return the query that fills a thing in at the first input of its kind; empty without one."""
    port = next((name for name, what in spec.inputs.items() if what.kind == kind), None)
    return f"?{urlencode({f'in.{port}': ref})}" if port else ""


@router.get("/tools/{tool}")
def tool(
    request: Request,
    gateway: GatewayHere,
    actor: Person,
    tool: str,
    again: Annotated[str, Query(max_length=120)] = "",
) -> HTMLResponse:
    """Show the form of a tool, empty or filled in with an earlier call."""
    spec = _find(tool)
    given = {key: text for key, text in request.query_params.items() if "." in key}
    if again:
        call, options = call_again(gateway, actor, again)
        form = form_of_call(spec, call, options)
    else:
        form = blank_form(spec, given)
    return _show(request, gateway, actor, form)


@router.post("/tools/{tool}")
def use_tool(
    request: Request, gateway: GatewayHere, actor: Person, tool: str, sent: Sent
) -> Response:
    """Plan what the form says, or run it."""
    form = read_form(gateway, actor, _find(tool), sent)
    plan: Mapping[str, Any] | None = None
    if form.call is not None:
        try:
            if sent.get("do") == "run":
                job = ask(gateway, actor, form.call, form.options)
                root = request.scope.get("root_path", "")
                return RedirectResponse(f"{root}/runs/{job.id}", status_code=303)
            plan = plan_call(gateway, actor, form.call, form.options)
        except GatewayError as error:
            place_error(form, error)
    return _show(request, gateway, actor, form, plan)


def _show(
    request: Request,
    gateway: Gateway,
    actor: Actor,
    form: Form,
    plan: Mapping[str, Any] | None = None,
) -> HTMLResponse:
    kinds = {port: what.kind for port, what in form.spec.inputs.items()}
    choices = {port: find_choices(gateway, actor, kind) for port, kind in kinds.items()}
    labels = {port: label_of(port)[0] for port in (*form.spec.inputs, *form.spec.outputs)}
    status = 422 if form.errors else 200
    values = {"form": form, "spec": form.spec, "plan": plan, "choices": choices, "labels": labels}
    limit = gateway.settings.runs_per_person
    return page(request, "tool.html", actor, status=status, limit=limit, **values)


def _runnable() -> list[ToolSpec]:
    """Return the tools whose outputs all lie in the store: no files are written on the server."""
    return [
        spec
        for spec in list_tools()
        if not any(port.kind == "file" for port in (*spec.inputs.values(), *spec.outputs.values()))
    ]


def _find(tool: str) -> ToolSpec:
    for spec in _runnable():
        if spec.id == tool:
            return spec
    names = ", ".join(spec.id for spec in _runnable())
    raise NotFoundError(f"there is no tool {tool!r} to run in the browser; there are {names}")
