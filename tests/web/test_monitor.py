"""The monitor: what the machine and its people do, for administrators only."""

from contextlib import closing

import numpy as np

from gateway.errors import RunError
from gateway.service.ingest import IngestOptions, ingest
from gateway.volumes.ref import parse_ref


def test_the_monitor_tells_figures_that_are_true(server) -> None:
    source = server.gateway.home.parent / "raw.npy"
    np.save(source, np.zeros((10, 20, 30), np.uint16))
    options = IngestOptions(voxel_um=(1.0, 1.0, 1.0))
    ingest(server.gateway, source, parse_ref("brain/raw"), options)
    with closing(server.browser()) as boss:
        seen = boss.get("/api/monitor").raise_for_status().json()
        machine = seen["machine"]
        assert len(machine["processors"]) >= 1
        assert 0 < machine["memory_used"] <= machine["memory_total"]
        assert machine["disks"][0]["free"] <= machine["disks"][0]["total"]
        assert machine["devices"] or machine["devices_note"]
        assert seen["datasets"] == [{"dataset": "brain", "bytes": 12000, "entries": 1}]
        assert [(row["runs"], row["failed"]) for row in seen["people"]] == [(1, 0)]
        assert seen["jobs"] == []
        text = boss.get("/monitor").text
        assert "Nothing runs or waits" in text
        assert "12 kB" in text


def test_a_failure_is_told_with_its_first_line(server) -> None:
    source = server.gateway.home.parent / "raw.npy"
    values = np.full((10, 20, 30), 1.5, np.float32)
    values[5, 5, 5] = np.nan
    np.save(source, values)
    options = IngestOptions(voxel_um=(1.0, 1.0, 1.0), as_dtype="uint16")
    try:
        ingest(server.gateway, source, parse_ref("brain/raw"), options)
    except RunError as error:
        reason = str(error).splitlines()[0]
    with closing(server.browser()) as boss:
        failures = boss.get("/api/monitor").json()["failures"]
        assert [item["error"] for item in failures] == [reason]
        assert "fractions where uint16 integers belong" in failures[0]["error"]


def test_only_administrators_may_watch(server) -> None:
    with server.client("ana") as ana:
        assert ana.get("/api/monitor").status_code == 403
        assert ana.get("/monitor").status_code == 403
        assert "Monitor</a>" not in ana.get("/runs").text
    with server.client() as nobody:
        assert nobody.get("/api/monitor").status_code == 401
