"""A tool that needs a GPU: it paints with the number of the one it was shown."""

import os
import time
from typing import Annotated

import numpy as np
from pydantic import Field

from gateway.toolkit.define import tool
from gateway.toolkit.ports import ImageBlock
from gateway.toolkit.spec import Resources


@tool(version="1.0.0", image="trial", resources=Resources(gpu=True))
def trial_light(
    image: ImageBlock, *, delay_s: Annotated[float, Field(ge=0, le=600)] = 0.0
) -> ImageBlock:
    """Fill an image with the number of the GPU.

    Args:
        image: What to paint over.
        delay_s: Time to waste per block.
    """
    time.sleep(delay_s)
    number = int(os.environ.get("CUDA_VISIBLE_DEVICES", "0"))
    return image.with_data(np.full_like(image.data, number))
