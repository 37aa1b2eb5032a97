"""What the container of a worker sees and is held to: decided without an engine."""

import os
import socket
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
import zarr

from gateway.run.container import (
    Account,
    Bind,
    find_binds,
    is_orphan,
    owner_label,
    run_words,
    worker_memory,
)
from gateway.run.plan import RunOptions, make_plan
from gateway.run.staging import Staging
from gateway.run.tasks import Workspace
from gateway.run.tiling import PROCESS_BYTES
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.formats.format import OpenOptions
from gateway.volumes.link import register
from gateway.volumes.ref import parse_ref
from gateway.volumes.store import open_store
from gateway.volumes.tensors import IoLimits


def begin(store, image, out, **options):
    """Return the workspace of a run that has its staging folder and computes nothing."""
    tool = get_tool("smooth_gaussian")
    call = make_call(tool, {"image": image}, {"image": out}, {"sigma_um": 2.0})
    plan = make_plan(tool, call, store, RunOptions(engine="docker", image="i", **options))
    staging = Staging(store, plan.run)
    staging.write_plan(plan.to_json())
    return Workspace.open(store, plan.run, IoLimits())


def test_a_worker_sees_the_datasets_of_its_call_and_writes_its_staging_folder(store, make_image):
    make_image(store, "secret/raw.ome.zarr", shape=(8, 8, 8))
    space = begin(store, "m1/raw", "m2/soft")
    root = Path(store.url)
    # the output decides where the run is staged; m2 itself may hold nothing else yet
    assert find_binds(space) == [
        Bind(root / "m1"),
        Bind(root / "m2"),
        Bind(root / "m2/.staging" / space.staging.run.name, writable=True),
    ]


def test_data_registered_in_place_are_seen_where_they_lie(store, tmp_path):
    folder = tmp_path / "far, away" / "raw.zarr"
    array = zarr.create_array(folder, shape=(40, 50, 60), chunks=(20, 25, 30), dtype="uint16")
    array[:] = np.arange(array.size, dtype=np.uint16).reshape(array.shape)
    options = OpenOptions(voxel_um=(1, 1, 1), axes="zyx")
    register(store, parse_ref("m1/linked"), str(folder), options)
    space = begin(store, "m1/linked", "m1/soft")
    seen = {bind.path: bind for bind in find_binds(space)}
    assert seen[folder] == Bind(folder)
    flag, value = seen[folder].words()
    assert flag == "--mount"
    assert value == f'type=bind,"source={folder}","target={folder}",readonly'


def test_the_words_hold_it_to_its_share_and_keep_it_from_the_network(store):
    space = begin(store, "m1/raw", "m1/soft", workers=1, memory_bytes=2 * 10**9)
    words = run_words(space, "name", Account(1234, 56))
    pairs = dict(pairwise(words))
    assert pairs["--user"] == "1234:56"
    assert pairs["--network"] == "none"
    assert pairs["--memory"] == pairs["--memory-swap"] == str(2 * 10**9)
    assert pairs["--cap-drop"] == "ALL"
    assert "--gpus" not in words
    assert "--privileged" not in words


def test_memory_is_shared_among_workers_after_the_parent_has_its_own():
    assert worker_memory(2 * 10**9, 1) == 2 * 10**9
    assert worker_memory(2 * 10**9, 2) == (2 * 10**9 - PROCESS_BYTES) // 2
    assert worker_memory(10**6, 4) == PROCESS_BYTES, "less would not start"


@pytest.mark.s3
def test_a_store_in_a_bucket_is_reached_by_network_and_its_keys_are_named_not_told(
    s3_url, make_image
):
    store = open_store(s3_url)
    make_image(store, shape=(8, 16, 16))
    space = begin(store, "m1/raw", "m1/soft", docker_network="host")
    assert find_binds(space) == []
    words = run_words(space, "name", Account(1000, 1000))
    assert words[words.index("--network") + 1] == "host"
    assert "AWS_SECRET_ACCESS_KEY" in words
    assert "test" not in words


def test_what_a_dead_process_left_is_told_from_what_is_in_use():
    mine = owner_label()
    assert not is_orphan(mine)
    host, began = socket.gethostname(), int(psutil.Process().create_time())
    assert is_orphan(f"owner={host}:{os.getpid()}:{began - 500}"), "the number was used again"
    assert is_orphan(f"owner={host}:{2**22 + 1}:1")
    assert not is_orphan("owner=another-machine:1:1"), "it cannot be told from here"


def test_the_account_is_the_owner_of_the_store_and_never_root(tmp_path):
    owner = Account.of_store(tmp_path)
    assert 0 not in (owner.user, owner.group)
    assert Account.of_store(None).user != 0
    if os.geteuid() == 0:
        os.chown(tmp_path, 1234, 56)
        assert Account.of_store(tmp_path) == Account(1234, 56)
    else:
        assert owner == Account(os.geteuid(), os.getegid())
