"""What only a gateway over HTTP can meet: no rights, no server, a server of another kind."""

import http.server
import pickle
import threading

import numpy as np
import pytest

import gateway
from gateway.errors import ForbiddenError, SignInError, StoreError
from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.volumes.points import open_points


def test_who_may_only_look_is_refused_more(viewer, lab) -> None:
    np.testing.assert_array_equal(viewer.volume("mouse1/raw")[0, 0, 7], lab.voxels[7])
    with pytest.raises(ForbiddenError, match="needs owner"):
        viewer.share("mouse1")
    with pytest.raises(ForbiddenError):
        viewer.start("smooth_gaussian", {"image": "mouse1/raw"}, {"image": "mouse1/mine"})


def test_nobody_and_a_wrong_token_are_refused(lab) -> None:
    with gateway.connect(lab.server.url) as nobody:
        assert nobody.datasets() == []
        with pytest.raises(SignInError, match="sign in"):
            nobody.open("mouse1/raw")
    with gateway.connect(lab.server.url, "no-token") as wrong, pytest.raises(SignInError):
        wrong.me()


def test_rights_taken_away_hold_at_the_next_read(lab) -> None:
    client = lab.server.client("tom", mouse1=Role.VIEWER)
    token = client.headers["Authorization"].removeprefix("Bearer ")
    client.close()
    with gateway.connect(lab.server.url, token) as tom:
        points = tom.points("mouse1/nuclei")
        assert len(points.read(columns=("size",))["size"]) == 40_000
        grant(lab.server.gateway, "mouse1", "person:tom", Role.NONE)
        with pytest.raises(ForbiddenError):
            points.read(columns=("size",))


def test_rows_are_the_table_s_own_bit_by_bit(viewer, lab) -> None:
    table = open_points(lab.server.gateway.store, "mouse1/nuclei.points.parquet")
    expected, got = table.read(), viewer.points("mouse1/nuclei").read()
    for name, column in expected.items():
        np.testing.assert_array_equal(got[name], column)
        assert got[name].dtype.kind == column.dtype.kind


def test_a_volume_travels_to_a_worker(viewer, lab) -> None:
    copy = pickle.loads(pickle.dumps(viewer.volume("mouse1/raw")))  # noqa: S301 - our own
    np.testing.assert_array_equal(copy[0, 0, 2], lab.voxels[2])


def test_no_token_in_names_and_messages(lab) -> None:
    with gateway.connect(lab.server.url, "secret-token-value") as session:
        with pytest.raises(SignInError) as caught:
            session.show("mouse1/raw")
        assert "secret-token-value" not in f"{session!r} {caught.value}"


def test_a_gateway_that_is_not_there(unused_port) -> None:
    nowhere = gateway.connect(f"http://127.0.0.1:{unused_port}")
    with nowhere, pytest.raises(StoreError, match="cannot be reached"):
        nowhere.me()


def test_a_server_of_another_kind() -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        other = gateway.connect(f"http://127.0.0.1:{server.server_port}")
        with other, pytest.raises(StoreError, match="not as a gateway does"):
            other.me()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
