"""Renders what the Galaxy Tool Shed wants to know of the tools as a suite."""

from collections.abc import Mapping
from typing import Any

import yaml

SHED_FILE = ".shed.yml"
OWNER = "brain-gateway"
_CATEGORIES = ("Imaging",)
_ABOUT = (
    "Tools for chunked volumes of brains that stay where they are: a history holds their names. "
    "They are written from the tools of Brain Gateway, which must be installed where jobs run; "
    "the datatypes volref_image, volref_labels, volref_points, volref_tiles and volref_transform "
    "come with it."
)


def render_shed(tools: Mapping[str, str]) -> str:
    """Return `.shed.yml`: one repository per tool, and a suite of them all.

    Args:
        tools: Id of each tool, whose folder has that name too, to what it does.
    """
    document: dict[str, Any] = {
        "name": "brain_gateway",
        "owner": OWNER,
        "type": "unrestricted",
        "categories": list(_CATEGORIES),
        "description": "Brain imaging by reference: stitch, detect, measure",
        "long_description": _ABOUT,
        "repositories": {
            f"gateway_{tool}": {
                "description": summary.rstrip("."),
                "include": [f"{tool}/{tool}.xml"],
            }
            for tool, summary in tools.items()
        },
        "suite": {
            "name": "suite_brain_gateway",
            "description": "All tools of Brain Gateway",
            "long_description": _ABOUT,
        },
    }
    head = "# written from the tools: `make docs`\n"
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return head + text
