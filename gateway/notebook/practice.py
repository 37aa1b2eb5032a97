"""Data to learn with: the sample of the demo, led the whole way, and a place for one's own."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateway.client.connect import connect
from gateway.client.session import Session
from gateway.errors import GatewayError, NotFoundError
from gateway.notebook.current import choose, session
from gateway.service.demo import REGIONS, DemoOptions, run_demo
from gateway.service.results import DATASET

FOLDER = "brain-gateway-practice"
"""In the home folder of whoever learns."""


@dataclass(frozen=True, slots=True)
class Practice:
    """Where the lessons read and where they write."""

    data: str
    """The dataset with the sample: tiles, brain, nuclei, masks, regions."""
    mine: str
    """A dataset for what you make."""
    diameter_um: float
    """How large a nucleus of the sample is, about."""


def practice(folder: Path | None = None, sample: Path | None = None) -> Practice:
    """Choose a gateway that has the sample of the demo; one of your own is made where needed.

    Args:
        folder: Where your own is made; None takes `brain-gateway-practice` in your home folder.
        sample: A folder of tiles to learn with; None takes cells3d, or draws a brain.

    Raises:
        NotFoundError: You work with a gateway elsewhere, and it lacks the sample.
    """
    here = _chosen()
    if here is None:
        place = Path.home() / FOLDER if folder is None else folder
        _prepare(place, sample)
        here = connect(home=place / "home")
        choose(here)
    name = re.sub(r"[^a-z0-9]+", "-", here.me()["name"].lower()).strip("-")
    return Practice(DATASET, f"practice-{name}", _diameter_um(here))


def _chosen() -> Session | None:
    """Return the gateway of the environment if it is elsewhere, or is a home with the sample."""
    if not (os.environ.get("GATEWAY_URL") or os.environ.get("GATEWAY_HOME")):
        return None
    here = session()
    try:
        here.show(REGIONS)
    except GatewayError as error:
        if here.home is not None:
            return None
        raise NotFoundError(
            f"{here!r} has no {REGIONS} that you may see; the trainer puts the sample there with "
            "notebook 06, or leave GATEWAY_URL unset to practise on this machine"
        ) from error
    return here


def _prepare(place: Path, sample: Path | None) -> None:
    """Lead the sample the whole way, unless that was done."""
    if (place / "report.html").is_file():
        return
    print("The sample is prepared once; this takes a minute or two.")  # noqa: T201 - a notebook's
    run_demo(DemoOptions(out=place, sample=sample), say=print)


def _diameter_um(here: Session) -> float:
    """Return the median diameter of the nuclei of the sample, to a micrometre."""
    measured = here.points(REGIONS).read(columns=("diameter_um",))["diameter_um"]
    return float(max(1, round(float(np.median(measured)))))
