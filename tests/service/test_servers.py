"""A gateway whose store is a bucket and whose catalogue is PostgreSQL does all the same."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gateway.records.crate import crate_key, read_crate
from gateway.run.plan import RunOptions
from gateway.service.descriptions import describe_dataset
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.listing import show_entry
from gateway.service.rebuild import rebuild_catalogue
from gateway.service.replay import replay
from gateway.service.runs import run_tool
from gateway.service.verification import verify
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.dataset import DatasetInfo, list_datasets

pytestmark = [pytest.mark.s3, pytest.mark.postgres]
ONE = RunOptions(workers=1)


@pytest.fixture
def far(
    tmp_path: Path, s3_url: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gateway]:
    """Return a gateway in which `m1/raw` was ingested and peaks were found."""
    monkeypatch.setenv("GATEWAY_STORE", s3_url)
    monkeypatch.setenv("GATEWAY_CATALOGUE", postgres_url)
    init_home(tmp_path / "home")
    gateway = open_gateway(tmp_path / "home")
    voxels = np.random.default_rng(5).integers(0, 4000, (40, 50, 60)).astype(np.uint16)
    np.save(tmp_path / "source.npy", voxels)
    for tool, inputs, outputs, settings in (
        (
            "ingest_volume",
            {"source": str(tmp_path / "source.npy")},
            {"image": "m1/raw"},
            {"voxel_um": "[2, 1, 1]"},
        ),
        ("trial_find", {"image": "m1/raw"}, {"peaks": "m1/peaks", "labels": "m1/bright"}, {}),
    ):
        run_tool(gateway, make_call(get_tool(tool), inputs, outputs, settings), ONE)
    yield gateway
    gateway.catalogue.close()


def test_runs_are_recorded_verified_replayed_and_rebuilt(far: Gateway) -> None:
    describe_dataset(far, "m1", DatasetInfo(title="A mouse"))
    runs = sorted(far.catalogue.runs(with_sources=True), key=lambda run: run.started)
    assert read_crate(far.store, "m1").runs == tuple(runs)
    assert show_entry(far, "m1/peaks").made_by == runs[1]
    assert verify(far, "m1").faults == verify(far, "m1").unrecorded == ()
    assert replay(far, "m1/peaks", ONE).same
    assert list_datasets(far.store) == ("m1",)
    before = (far.catalogue.datasets(), far.catalogue.entries(), runs)
    far.catalogue.replace_all([], [], [])
    rebuild_catalogue(far)
    runs = sorted(far.catalogue.runs(with_sources=True), key=lambda run: run.started)
    assert (far.catalogue.datasets(), far.catalogue.entries(), runs) == before


def test_a_flipped_byte_of_any_object_is_found(far: Gateway) -> None:
    for key in (
        "m1/raw.ome.zarr/0/c/0/0/0/0",
        "m1/raw.ome.zarr/0/cells.npy",
        "m1/peaks.points.parquet",
        crate_key("m1"),
    ):
        good = far.store.get(key)
        bad = bytearray(good)
        bad[len(bad) // 2] ^= 1
        far.store.put(key, bytes(bad))
        assert key in [fault.file for fault in verify(far, "m1").faults]
        far.store.put(key, good)
    assert verify(far, "m1").ok
