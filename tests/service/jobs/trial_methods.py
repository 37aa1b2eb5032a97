"""A tool with a setting of every kind a form can show, and a choice of methods."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.toolkit.define import tool
from gateway.toolkit.ports import ImageBlock
from gateway.toolkit.settings import Method


class Otsu(Method):
    """A threshold between two classes."""

    kind: Literal["otsu"] = "otsu"
    bins: Annotated[int, Field(ge=2, le=1000)] = 256
    """Bins of the histogram."""


class Manual(Method):
    """A threshold that you give."""

    kind: Literal["manual"] = "manual"
    level: Annotated[float, Field(ge=0, le=65535)]
    """Values above it are foreground."""


_OTSU = Otsu()


@tool(version="1.0.0", image="trial")
def trial_methods(
    image: ImageBlock,
    *,
    method: Annotated[Otsu | Manual, Field(discriminator="kind")] = _OTSU,
    around_um: Annotated[float, Field(gt=0, le=50)] = 5.0,
    factor: tuple[Annotated[int, Field(ge=1, le=8)], Annotated[int, Field(ge=1, le=8)]] = (2, 2),
    mode: Literal["fast", "exact"] = "fast",
    invert: bool = False,
    note: str | None = None,
) -> ImageBlock:
    """Cut.

    Args:
        image: The image.
        method: How.
        around_um: How far to look.
        factor: Two numbers.
        mode: How exactly.
        invert: The other way round.
        note: Anything.
    """
    del method, around_um, factor, mode, invert, note
    return image
