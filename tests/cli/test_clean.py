"""`gateway clean`: lists, asks, removes, and leaves alone what is under way."""

import json

import pytest

from gateway.run.lock import RunLock
from gateway.run.staging import Staging
from gateway.volumes.ref import Ref
from gateway.volumes.store import open_store


@pytest.fixture
def stopped(home):
    staging = Staging(open_store(home / "store"), Ref("m1", "0123456789abcdef"))
    call = {"tool": "stitch", "outputs": {"image": "m1/brain"}}
    staging.write_plan({"run_id": "0123456789abcdef-1", "call": call})
    return staging


def test_nothing_is_removed_where_nobody_can_be_asked(shell, home, stopped):
    said = shell("clean", "--home", home)
    assert said.code == 0
    assert "stitch  m1/brain  stopped" in said.err
    assert "Nothing was removed; `gateway clean --yes` removes what 1 runs left." in said.out
    assert stopped.read_plan()


@pytest.mark.usefixtures("stopped")
def test_with_yes_it_is_removed_and_the_folder_with_it(shell, home):
    said = shell("clean", "--home", home, "--yes", "--json")
    assert said.json["removed"] == ["m1/0123456789abcdef"]
    assert said.json["bytes"] > 0
    assert said.json["found"][0]["outputs"] == ["m1/brain"]
    assert not (home / "store" / "m1" / ".staging").exists()
    assert "No stopped run left anything." in shell("clean", "--home", home).out


def test_what_is_young_or_under_way_is_left_alone(shell, home, stopped):
    assert shell("clean", "--home", home, "--yes", "--older-than", 1, "--json").json["found"] == []
    with RunLock(stopped):
        said = shell("clean", "--home", home, "--yes")
    assert "under way: process" in said.err
    assert stopped.read_plan()


def test_a_negative_age_is_refused(shell, home):
    said = shell("clean", "--home", home, "--older-than", -1, "--json")
    assert said.code == 2
    assert "--older-than" in json.loads(said.out)["error"]["message"]
