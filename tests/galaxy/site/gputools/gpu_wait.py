"""A tool that waits on a GPU, and says which it was lent."""

import os
import time
from pathlib import Path
from typing import Annotated

from pydantic import Field

from gateway.toolkit.define import tool
from gateway.toolkit.ports import ImageBlock
from gateway.toolkit.spec import Resources


@tool(version="1.0.0", image="trial", halo_voxels=0, resources=Resources(gpu=True))
def gpu_wait(
    image: ImageBlock,
    *,
    wait_s: Annotated[float, Field(ge=0, le=600)] = 0.0,
    until: Annotated[str, Field(max_length=500)] = "",
) -> ImageBlock:
    """Wait on a GPU.

    Args:
        image: Given back as it is.
        wait_s: Time to wait per block.
        until: A file; once it is there, nothing waits any longer.
    """
    if "GPU_WAIT_SAYS" in os.environ:
        Path(os.environ["GPU_WAIT_SAYS"]).write_text(os.environ.get("GATEWAY_LENT", "none"))
    end = time.monotonic() + wait_s
    while time.monotonic() < end and not (until and Path(until).exists()):
        time.sleep(0.1)
    return image
