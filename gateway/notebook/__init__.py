"""The gateway in a notebook: open volumes, run tools, fill in forms.

    import gateway.notebook as nb

    volume = nb.open("m1/raw")
    found = nb.tools.detect_nuclei(image="m1/raw", diameter_um=12)
    nb.form("detect_nuclei", image="m1/raw")

The gateway is the one of `nb.use(...)`; without it, that of the variables `GATEWAY_URL` and
`GATEWAY_TOKEN`, which a hub sets, else the home that `GATEWAY_HOME` names.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gateway.client.session import Session
    from gateway.notebook.tool_form import ToolForm
    from gateway.notebook.toolbox import Tools

# What these functions need is loaded when one is called: `import gateway.notebook` is instant.


def use(session: "Session | None") -> None:
    """Choose the gateway for this notebook: `nb.use(gateway.connect(URL, TOKEN))`."""
    from gateway.notebook.current import choose  # noqa: PLC0415 - as above

    choose(session)


def open(ref: str) -> Any:  # noqa: A001 - the word people look for
    """Open a volume as a lazy array, or a table: `nb.open("m1/raw")[0, 0, 10:20]`.

    Raises:
        NotFoundError: There is nothing of that name, or you may not see it.
    """
    from gateway.notebook.current import session  # noqa: PLC0415 - as above
    from gateway.notebook.things import show_thing  # noqa: PLC0415 - as above

    return show_thing(session(), ref)


def form(tool: str, **filled: Any) -> "ToolForm":
    """Show the form of a tool; `filled` says what stands in it at first.

    Raises:
        ToolNotFoundError: There is no such tool.
    """
    from gateway.notebook.current import session  # noqa: PLC0415 - as above
    from gateway.notebook.tool_form import ToolForm  # noqa: PLC0415 - as above

    return ToolForm(session(), tool, filled)


def __getattr__(name: str) -> "Tools":
    """Offer `tools`: every tool as a function, with help and completion."""
    if name != "tools":
        raise AttributeError(f"gateway.notebook has no {name!r}; it has open, tools, form, use")
    from gateway.notebook.current import session  # noqa: PLC0415 - as above
    from gateway.notebook.toolbox import Tools  # noqa: PLC0415 - as above

    return Tools(session())
