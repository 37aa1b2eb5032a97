"""Work that only the processor limits."""

from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

from gateway.toolkit.define import tool
from gateway.toolkit.passes import Items, Pass, Passes
from gateway.toolkit.ports import Image, Points


@tool(version="1.0.0", image="trial")
def trial_spin(
    image: Image,
    *,
    count: Annotated[int, Field(ge=0)] = 10,
    tasks: Annotated[int, Field(ge=1)] = 200,
) -> Passes[Points]:
    """Add numbers in pure Python.

    Args:
        image: Not looked at.
        count: Thousands of additions per task.
        tasks: How many tasks.
    """
    del image
    work = partial(_spin, count=count)
    step = Pass(name="spin", work=work, over=Items(count=tasks, bytes_each=1000))
    return Passes(passes=(step,), tables={"points": _rows})


def _spin(work, *, count):
    total = 0.0
    for number in range(count * 1000):
        total += number * 0.5
    return {"total": np.asarray([total]), "item": np.asarray([work.item])}


def _rows(work):
    items = work.state["spin"]["item"].astype(float)
    return {"z_um": items, "y_um": items, "x_um": items, "total": work.state["spin"]["total"]}
