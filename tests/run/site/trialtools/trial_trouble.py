"""A block tool that fails as it is told."""

import os
import signal
import time
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from gateway.errors import FormatError
from gateway.toolkit.define import tool
from gateway.toolkit.ports import ImageBlock


@tool(version="1.0.0", image="trial")
def trial_trouble(
    image: ImageBlock,
    *,
    how: Literal["raise", "refuse", "kill", "exit", "memory", "dtype", "shape", "hang"] = "raise",
    times: Annotated[int, Field(ge=0, le=100)] = 100,
    notes: str = "",
) -> ImageBlock:
    """Fail at the block that holds the voxel in the middle.

    Args:
        image: Copied where nothing fails.
        how: The way to fail.
        times: How often, before it works.
        notes: A file with one byte per failure so far.
    """
    middle = tuple(n // 2 for n in image.volume_shape)
    spans = zip(image.core.start, middle, image.core.stop, strict=True)
    if not all(a <= m < b for a, m, b in spans):
        return image
    path = Path(notes)
    failed = path.stat().st_size if path.exists() else 0
    if failed >= times:
        return image
    with path.open("ab") as stream:
        stream.write(b".")
    return _fail(image, how)


def _fail(image, how):
    if how == "raise":
        raise ZeroDivisionError("nothing to divide by")
    if how == "refuse":
        raise FormatError("the third plane is upside down")
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exit":
        os._exit(7)
    if how == "memory":
        raise MemoryError
    if how == "hang":
        time.sleep(600)
    if how == "dtype":
        return image.with_data(image.data.astype("float64"))
    return image.with_data(image.data[:-1])
