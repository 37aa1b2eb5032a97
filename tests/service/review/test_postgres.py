"""The whole life of a layer on PostgreSQL, where people of one lab work at once."""

import shutil
import threading

import numpy as np
import pytest

from gateway.service.access.actor import Actor
from gateway.service.gateway import open_gateway
from gateway.service.review.edits import apply_edits, edits_since
from gateway.service.review.exchange import exported, import_objects
from gateway.service.review.keeping import store_layers
from gateway.service.review.layers import make_layer, remove_layer, show_layer
from gateway.service.review.queues import decide, make_queue, next_object
from gateway.service.review.recovery import recover_layers
from gateway.service.review.undoing import redo, undo
from gateway.service.review.versions import counts_in_box, objects_in_box, restore
from gateway.volumes.points import write_points

pytestmark = pytest.mark.postgres
ANA, BEN = Actor(person="ana"), Actor(person="ben")


@pytest.fixture
def lab(gateway, tmp_path, monkeypatch, postgres_url):
    """Return a gateway on PostgreSQL over a copy of the store."""
    shutil.copytree(gateway.home, tmp_path / "home")
    monkeypatch.setenv("GATEWAY_CATALOGUE", postgres_url)
    opened = open_gateway(tmp_path / "home")
    random = np.random.default_rng(3)
    cells = {name: random.random(2000) * 90 for name in ("z_um", "y_um", "x_um")}
    write_points(opened.store, "brain/cells.points.parquet", {**cells, "n": np.arange(2000)})
    yield opened
    opened.catalogue.close()


def everything(gateway, **how):
    found = objects_in_box(gateway, "brain", "l", None, limit=20_000, **how)["objects"]
    found = [{k: v for k, v in item.items() if k != "version"} for item in found]
    return sorted(found, key=lambda item: item["id"])


def test_a_layer_from_the_first_cell_to_the_last_edit(lab) -> None:
    make_layer(lab, ANA, "brain", "l", volume="raw", classes=["cell"], points="cells", label="cell")
    first = everything(lab)
    assert len(first) == 2000
    assert sum(cell[3] for cell in counts_in_box(lab, "brain", "l", None)["cells"]) == 2000
    line = {"op": "create", "shape": "line", "points": [[1, 1, 1], [90, 90, 90]]}
    edits = [line, {"op": "delete", "id": 1}, {"op": "set", "id": 2, "class": None}]
    assert apply_edits(lab, ANA, "brain", "l", base=1, edits=edits)["created"] == [2001]
    late = apply_edits(
        lab, BEN, "brain", "l", base=1, edits=[{"op": "set", "id": 1, "comment": "x"}]
    )
    assert late["conflicts"][0]["by"] == "ana"
    assert everything(lab, version=1) == first
    assert undo(lab, ANA, "brain", "l")["version"] == 3
    assert everything(lab) == first
    assert redo(lab, ANA, "brain", "l")["version"] == 4
    assert restore(lab, BEN, "brain", "l", version=1, base=4)["version"] == 5
    assert everything(lab) == first
    queue = make_queue(lab, ANA, "brain", "l", column="n", descending=True)["id"]
    told = next_object(lab, BEN, "brain", "l", queue)
    assert told["object"]["properties"]["n"] == 1999
    edits = [{"op": "set", "id": told["object"]["id"], "status": "rejected"}]
    done = decide(
        lab, BEN, "brain", "l", queue, object_id=told["object"]["id"], base=5, edits=edits
    )
    assert done["next"]["object"]["properties"]["n"] == 1998
    with exported(lab, "brain", "l", "parquet") as path:
        make_layer(lab, ANA, "brain", "copy", volume="raw")
        import_objects(lab, ANA, "brain", "copy", path=path, form="parquet")
    assert show_layer(lab, "brain", "copy").count == 2000
    last = everything(lab)
    assert "brain/l" in store_layers(lab)
    folder = lab.store.local_path("brain/l.layer")
    shutil.copytree(folder, folder.with_name("aside"))
    remove_layer(lab, ANA, "brain", "l")
    folder.with_name("aside").rename(folder)
    assert recover_layers(lab).restored == ["brain/l"]
    assert everything(lab) == last
    assert everything(lab, version=1) == first


def test_versions_are_whole_numbers_whoever_edits_at_once(lab) -> None:
    make_layer(lab, ANA, "brain", "l", volume="raw")

    def work(actor: Actor) -> None:
        for _ in range(20):
            edits = [{"op": "create", "points": [[1, 2, 3]]}]
            apply_edits(lab, actor, "brain", "l", base=0, edits=edits)

    threads = [threading.Thread(target=work, args=(Actor(person=f"p{n}"),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    batches = edits_since(lab, "brain", "l", 0)["batches"]
    assert [batch["version"] for batch in batches] == list(range(1, 81))
    assert [item["id"] for item in everything(lab)] == list(range(1, 81))
