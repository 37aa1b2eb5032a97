"""The stock Neuroglancer client, from a site that is not ours, opens a private volume by a link."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import neuroglancer
import numpy as np
import pytest

from gateway.algo.pyramid import reduce_mean
from gateway.service.access.actor import Actor
from gateway.service.access.links import make_link, revoke_link
from gateway.volumes.layout import shard_boxes
from gateway.volumes.model import VolumeInfo
from gateway.volumes.store import Store
from gateway.volumes.writer import create_volume, open_writer

OWNER = Actor(person="root", administrator=True)
pytestmark = pytest.mark.browser


@pytest.fixture
def client() -> Iterator[neuroglancer.Viewer]:
    """Run the client as its package does, from an origin of its own."""
    neuroglancer.set_server_bind_address("127.0.0.1")
    yield neuroglancer.Viewer()
    neuroglancer.server.stop()


def put_halves(store: Store) -> None:
    """Write a volume that is dark where x < 32 and bright elsewhere."""
    info = VolumeInfo(kind="image", dtype="uint16", shape=(64, 64, 64), voxel_um=(1, 1, 1))
    voxels = np.full((1, 64, 64, 64), 4000, np.uint16)
    voxels[..., :32] = 5
    planned = create_volume(store, "brain/raw.ome.zarr", info, reduce_mean).info
    writer = open_writer(store, "brain/raw.ome.zarr", reduce_mean)
    boxes = shard_boxes(planned.levels[0])
    cells = [writer.write(box, voxels[(slice(None), *box.slices())]) for box in boxes]
    writer.finish(cells, made_by="run-1")


def state(url: str) -> dict[str, Any]:
    contrast = "#uicontrol invlerp normalized(range=[0, 4000])"
    shader = f"{contrast}\nvoid main() {{ emitGrayscale(normalized()); }}"
    layer = {"type": "image", "name": "raw", "source": f"{url}|zarr3:", "shader": shader}
    um = [1e-6, "m"]
    return {
        "dimensions": {"x": um, "y": um, "z": um},
        "position": [32, 32, 32],
        "crossSectionScale": 0.1,
        "layers": [layer],
        "layout": "xy",
        "showAxisLines": False,
    }


def sides(page: Any, visitor: Any, name: str) -> tuple[float, float]:
    """Return how bright the picture is left and right of its middle."""
    pixels = visitor.shoot(name, page).mean(axis=2)
    middle = pixels[350:450]
    return float(middle[:, 480:560].mean()), float(middle[:, 700:780].mean())


def test_the_stock_client_shows_it_until_the_link_is_revoked(
    server: Any, visit: Callable[..., Any], client: neuroglancer.Viewer
) -> None:
    put_halves(server.gateway.store)
    link, token = make_link(server.gateway, OWNER, "brain")
    url = f"{server.url}/s/{token}/data/brain/raw.ome.zarr/"
    client.set_state(neuroglancer.ViewerState(state(url)))
    guest = visit(client.get_viewer_url())
    guest.go("")
    deadline = time.monotonic() + 60
    left = right = 0.0
    while right - left < 100 and time.monotonic() < deadline:
        guest.page.wait_for_timeout(500)
        left, right = sides(guest.page, guest, "shared")
    assert right - left >= 100, (left, right, guest.troubles)

    revoke_link(server.gateway, OWNER, link)
    late = visit(client.get_viewer_url())
    with late.page.expect_response(lambda answer: "/data/brain/" in answer.url) as told:
        late.go("")
    assert told.value.status == 403
    late.page.wait_for_timeout(2000)
    left, right = sides(late.page, late, "revoked")
    assert right - left < 20
