"""The samples of the demo: real cells where there is a network, else a brain made here."""

import csv
import json
import threading
import urllib.request
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import tifffile
from numpy.typing import NDArray

from gateway.algo.synthetic import expose, make_brain
from gateway.algo.tilegrid import Cutting, plan_tiles
from gateway.errors import FormatError, NotFoundError
from gateway.volumes.box import Shape, Vector

POSITIONS, DESCRIPTION, CENTRES = "positions.csv", "sample.json", "centres_um.csv"
_SEED = 7
_HOST = "https://gitlab.com"
"""Where scikit-image keeps its data."""
_PATIENCE_S = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A folder of tiles and what a person must know to work with it."""

    folder: Path
    title: str
    licence: str
    about: str
    """Where the voxels are from, for the report."""
    voxel_um: Vector
    diameter_um: float
    """Expected diameter of a nucleus."""
    margin_um: Vector = (0.0, 0.0, 0.0)
    """Origin of the tile grid in the frame of the true centres."""

    @property
    def positions(self) -> Path | None:
        """The table of tile positions, where there is one."""
        path = self.folder / POSITIONS
        return path if path.is_file() else None

    def true_positions(self) -> dict[str, tuple[float, ...]]:
        """File name to true position in voxels, zyx; empty where nobody knows."""
        if self.positions is None:
            return {}
        names = ("true_z", "true_y", "true_x")
        with self.positions.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        return {
            row["file"]: tuple(float(row[name]) for name in names)
            for row in rows
            if all(row.get(name) for name in names)
        }

    def true_centres_um(self) -> NDArray[np.float64] | None:
        """Centres of all nuclei, zyx, in the frame of the true tile positions; None if unknown."""
        path = self.folder / CENTRES
        if not path.is_file():
            return None
        centres = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
        return np.asarray(centres - np.asarray(self.margin_um), np.float64)


def open_sample(
    folder: Path, *, voxel_um: Vector | None = None, diameter_um: float | None = None
) -> Sample:
    """Describe a folder of tiles: from its `sample.json`, else from what the caller knows.

    Args:
        folder: Holds the tiles and, where there is one, `positions.csv`.
        voxel_um: Voxel size zyx; None takes the one of `sample.json`, else (5, 2, 2).
        diameter_um: Expected diameter of a nucleus; None takes that of `sample.json`, else 16.

    Raises:
        NotFoundError: There is no such folder, or no TIFF in it.
        FormatError: `sample.json` is broken.
    """
    if not folder.is_dir():
        raise NotFoundError(f"--sample {folder} is not a folder; name a folder of TIFF tiles")
    if not any(folder.glob("*.tif*")):
        raise NotFoundError(f"--sample {folder} holds no TIFF file; name a folder of TIFF tiles")
    sample = Sample(
        folder=folder,
        title=folder.name.replace("_", " "),
        licence="see the folder",
        about=f"the tiles in {folder.name}",
        voxel_um=(5.0, 2.0, 2.0),
        diameter_um=16.0,
    )
    description = folder / DESCRIPTION
    if description.is_file():
        sample = _described(sample, description)
    if voxel_um is not None:
        sample = replace(sample, voxel_um=voxel_um)
    if diameter_um is not None:
        sample = replace(sample, diameter_um=diameter_um)
    return sample


def fetch_sample(folder: Path) -> Sample | None:
    """Cut scikit-image's `cells3d` into tiles, fetching it where this machine lacks it.

    Returns:
        The sample, or None where it is neither here nor can be fetched within a few seconds.
    """
    if (folder / DESCRIPTION).is_file():
        return open_sample(folder)
    here = (Path(skimage.data.data_dir) / "cells3d.tif").is_file()
    if not here and not is_online():
        return None
    try:
        cells = skimage.data.cells3d()  # type: ignore[no-untyped-call]
    # pooch raises ValueError for a wrong checksum; requests' errors are OSErrors
    except (OSError, ValueError):
        return None
    sample = Sample(
        folder=folder,
        title="cells3d",
        licence="CC0-1.0",
        about="cells3d of scikit-image (Allen Institute for Cell Science), its nuclei",
        voxel_um=(0.29, 0.26, 0.26),
        diameter_um=9.0,
    )
    nuclei = np.asarray(cells[:, 1], np.float32)
    cutting = plan_tiles(nuclei.shape, rows=2, columns=2, overlap=0.25, error=(1, 4, 4), seed=_SEED)
    return _write_sample(sample, nuclei, cutting)


def synthesize_sample(folder: Path, shape: Shape = (52, 520, 760), count: int = 3600) -> Sample:
    """Make a brain with known truth and cut it into tiles, or return the one made before."""
    if (folder / DESCRIPTION).is_file():
        return open_sample(folder)
    voxel_um = (3.0, 1.5, 1.5)
    brain = make_brain(shape, voxel_um=voxel_um, count=count, diameter_um=12.0, seed=_SEED)
    cutting = plan_tiles(shape, rows=2, columns=3, overlap=0.12, error=(2, 6, 6), seed=_SEED)
    margin = [m * v for m, v in zip(cutting.margin, voxel_um, strict=True)]
    sample = Sample(
        folder=folder,
        title="Synthetic brain",
        licence="CC0-1.0",
        about="a brain that the gateway drew, with every position and nucleus known",
        voxel_um=voxel_um,
        diameter_um=12.0,
        margin_um=(margin[0], margin[1], margin[2]),
    )
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(
        folder / CENTRES, brain.centres_um, "%.3f", ",", header="z_um,y_um,x_um", comments=""
    )
    return _write_sample(sample, brain.photons, cutting)


def is_online(patience_s: float = _PATIENCE_S) -> bool:
    """Whether the server of the sample answers soon; name look-ups that hang count as no."""
    answers: list[bool] = []

    def ask() -> None:
        request = urllib.request.Request(_HOST, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=patience_s):  # noqa: S310 - a constant https URL
                answers.append(True)
        except urllib.error.HTTPError:
            answers.append(True)
        except OSError:
            answers.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience_s)
    return bool(answers and answers[0])


def _write_sample(sample: Sample, photons: NDArray[Any], cutting: Cutting) -> Sample:
    """Write tiles, positions and, last of all, the description that says they are whole."""
    sample.folder.mkdir(parents=True, exist_ok=True)
    gains = np.random.default_rng(_SEED).uniform(0.95, 1.05, len(cutting.tiles))
    places = [f"{kind}_{axis}" for kind in ("nominal", "true") for axis in "zyx"]
    rows: list[list[object]] = []
    for index, tile in enumerate(cutting.tiles):
        name = f"tile_r{tile.row:02d}_c{tile.column:02d}.tif"
        region = tuple(slice(a, a + size) for a, size in zip(tile.start, cutting.tile, strict=True))
        seen = expose(
            photons[region], gain=float(gains[index]), vignette=0.15, noise=6.0, seed=_SEED + index
        )
        tifffile.imwrite(
            sample.folder / name, seen, compression="zlib", predictor=True, photometric="minisblack"
        )
        rows.append([name, tile.row, tile.column, *tile.nominal, *tile.true])
    with (sample.folder / POSITIONS).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["file", "row", "column", *places], *rows])
    description = asdict(sample)
    del description["folder"]
    (sample.folder / DESCRIPTION).write_text(json.dumps(description, indent=2), encoding="utf-8")
    return sample


def _described(sample: Sample, description: Path) -> Sample:
    try:
        values = json.loads(description.read_text(encoding="utf-8"))
        values["voxel_um"] = tuple(values["voxel_um"])
        values["margin_um"] = tuple(values["margin_um"])
        return replace(sample, **values)
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{description} does not describe a sample: {error}") from error
