"""`gateway doctor REF` says why a viewer shows nothing, and fails where it finds a reason."""

import numpy as np
import pytest

from gateway.volumes.points import write_points
from gateway.volumes.store import open_store


@pytest.fixture
def store(home):
    return open_store(home / "store")


def test_what_can_be_seen_is_said_to_be(shell, home, store, fill_dataset) -> None:
    fill_dataset(store, "brain")
    said = shell("doctor", "brain/image", "--home", home)
    assert said.code == 0, said.err
    assert "It can be seen" in said.out
    answer = shell("doctor", "brain/image", "--home", home, "--json").json
    assert {finding["severity"] for finding in answer["findings"]} == {"good"}


def test_a_reason_is_named_with_the_way_out_and_fails_the_command(shell, home, store) -> None:
    none = {name: np.zeros(0) for name in ("z_um", "y_um", "x_um")}
    write_points(store, "brain/none.points.parquet", none)
    said = shell("doctor", "brain/none", "--home", home)
    assert said.code == 1
    assert "no rows" in said.out
    assert "try: " in said.out


def test_names_that_are_none_are_told(shell, home) -> None:
    said = shell("doctor", "brain/none", "--home", home)
    assert said.code != 0
    assert "brain/none" in said.err
    assert "Traceback" not in said.err
    assert shell("doctor", "brain", "--home", home).code != 0


def test_without_a_ref_the_machine_is_checked(shell, home) -> None:
    assert "fit for work" in shell("doctor", "--home", home).out
