"""The cheapest block tool."""

from gateway.toolkit.define import tool
from gateway.toolkit.ports import ImageBlock


@tool(version="1.0.0", image="trial")
def trial_copy(image: ImageBlock) -> ImageBlock:
    """Copy an image.

    Args:
        image: What to copy.
    """
    return image
