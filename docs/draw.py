"""Draws the picture of the README from what `gateway demo` left: `python docs/draw.py [OUT]`."""

import sys
from pathlib import Path

from gateway.service.gateway import open_gateway
from gateway.service.illustrations import draw_half_ringed
from gateway.service.results import open_results

IMAGES = Path(__file__).parent / "images"
_WIDTH, _DIAMETER_UM = 790, 12.0


def draw(home: Path) -> None:
    """Write the picture."""
    IMAGES.mkdir(exist_ok=True)
    gateway = open_gateway(home)
    with gateway.catalogue:
        picture = draw_half_ringed(open_results(gateway), _DIAMETER_UM, _WIDTH)
    (IMAGES / "nuclei.png").write_bytes(picture)


if __name__ == "__main__":
    draw(Path(sys.argv[1] if len(sys.argv) > 1 else "demo-output") / "home")
