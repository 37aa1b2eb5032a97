"""A gateway with one volume, and layers of it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from gateway.algo.pyramid import reduce_mean
from gateway.service.access.actor import Actor
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.review.layers import make_layer
from gateway.volumes.layout import shard_boxes
from gateway.volumes.model import VolumeInfo
from gateway.volumes.writer import create_volume, open_writer

ANA, BEN = Actor(person="ana"), Actor(person="ben")


def put_volume(gateway: Gateway) -> None:
    """Write an empty volume `brain/raw` of 100 x 100 x 100 micrometres."""
    info = VolumeInfo(kind="image", dtype="uint16", shape=(50, 50, 50), voxel_um=(2.0, 2.0, 2.0))
    key = "brain/raw.ome.zarr"
    planned = create_volume(gateway.store, key, info, reduce_mean).info
    writer = open_writer(gateway.store, key, reduce_mean)
    blank = np.zeros(info.array_shape, np.uint16)
    cells = [
        writer.write(box, blank[(slice(None), *box.slices())])
        for box in shard_boxes(planned.levels[0])
    ]
    for level in range(writer.derived + 1, len(planned.levels)):
        cells += [writer.write_level(level, box) for box in shard_boxes(planned.levels[level])]
    writer.finish(cells, made_by="run-1")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("review") / "home"
    init_home(path)
    return path


@pytest.fixture(scope="module")
def gateway(home: Path) -> Iterator[Gateway]:
    opened = open_gateway(home)
    put_volume(opened)
    yield opened
    opened.catalogue.close()


@pytest.fixture
def make(gateway: Gateway, request: pytest.FixtureRequest) -> Callable[..., str]:
    """Return what makes a fresh layer and returns its name."""
    made: list[str] = []

    def fresh(**values: object) -> str:
        name = f"{request.node.name.partition('[')[0][:60]}{len(made)}-{id(made)}"
        made.append(name)
        values = {"volume": "raw", "classes": ["neuron", "glia"], **values}
        make_layer(gateway, ANA, "brain", name, **values)
        return name

    return fresh
