"""The gateway in a notebook: open volumes, look at them, run tools, fill in forms.

    import gateway.notebook as nb

    volume = nb.open("m1/raw")
    nb.view("m1/raw")
    found = nb.tools.detect_nuclei(image="m1/raw", diameter_um=12)
    nb.form("detect_nuclei", image="m1/raw")

The gateway is the one of `nb.use(...)`; without it, that of the variables `GATEWAY_URL` and
`GATEWAY_TOKEN`, which a hub sets, else the home that `GATEWAY_HOME` names.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from gateway.client.session import Session
    from gateway.notebook.orthogonal import Slices
    from gateway.notebook.practice import Practice
    from gateway.notebook.tool_form import ToolForm
    from gateway.notebook.viewer import View

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


def view(*things: Any, points: "Mapping[str, Any] | None" = None, **look: Any) -> "View":
    """Show volumes, labels and points in 3D: `nb.view("m1/raw", "m1/nuclei")`.

    Args:
        things: Refs, opened things or results of tools; a name without a slash is a dataset.
        points: Name to rows of your own with the columns z_um, y_um, x_um.
        look: `height`, `position_um`, `um_per_pixel`, `panels`, `layers`; each can be set later.

    Raises:
        NotFoundError: There is nothing of that name, or you may not see it.
    """
    from gateway.notebook.current import session  # noqa: PLC0415 - as above
    from gateway.notebook.viewer import View  # noqa: PLC0415 - as above

    return View(session(), things, points, **look)


def slices(image: Any, *, labels: Any = None, points: Any = None, pixels: int = 420) -> "Slices":
    """Show three planes through a place, with sliders: `nb.slices("m1/raw", labels="m1/masks")`.

    Args:
        image: The volume, as a ref or opened.
        labels: Labels to lay over it.
        points: A table, as a ref, opened or as rows, whose points are ringed.
        pixels: Longest side of a picture.

    Raises:
        NotFoundError: There is nothing of that name, or you may not see it.
    """
    from gateway.notebook.current import session  # noqa: PLC0415 - as above
    from gateway.notebook.orthogonal import Slices  # noqa: PLC0415 - as above

    return Slices(session(), image, labels=labels, points=points, pixels=pixels)


def view3d(image: Any, *, box: Any = None, points: Any = None, **how: Any) -> Any:
    """Show a box of a volume as a solid: `nb.view3d("m1/raw", box=((0, 0, 0), (90, 90, 90)))`.

    Args:
        image: The volume, as a ref or opened.
        box: Two corners in micrometres, zyx; None shows the whole volume.
        points: A table, as a ref, opened or as rows: those in the box are shown.
        how: `channel`, `height`, and `voxels`: the finest level with no more of them is taken.

    Raises:
        NotFoundError: There is nothing of that name, or you may not see it.
        BoxError: The box does not meet the volume, or is too large at every level.
    """
    from gateway.notebook.current import session  # noqa: PLC0415 - as above
    from gateway.notebook.solid import solid  # noqa: PLC0415 - as above

    return solid(session(), image, box=box, points=points, **how)


def lesson(folder: "Path | None" = None, sample: "Path | None" = None) -> "Practice":
    """Choose a gateway with data to learn with; one of your own is made where there is none.

    Args:
        folder: Where your own is made; None takes `brain-gateway-practice` in your home folder.
        sample: A folder of tiles to learn with; None takes cells3d, or draws a brain.

    Raises:
        NotFoundError: You work with a gateway elsewhere, and it lacks the sample.
    """
    from gateway.notebook.practice import practice  # noqa: PLC0415 - as above

    return practice(folder, sample)


def __getattr__(name: str) -> Any:
    """Offer `tools`, every tool as a function, and `plot`, pictures of results."""
    if name == "plot":
        return import_module("gateway.notebook.plot")
    if name != "tools":
        raise AttributeError(f"gateway.notebook has no {name!r}; it has {', '.join(__dir__())}")
    from gateway.notebook.current import session  # noqa: PLC0415 - as above
    from gateway.notebook.toolbox import Tools  # noqa: PLC0415 - as above

    return Tools(session())


def __dir__() -> list[str]:
    """List what people use, for completion."""
    return ["form", "lesson", "open", "plot", "slices", "tools", "use", "view", "view3d"]
