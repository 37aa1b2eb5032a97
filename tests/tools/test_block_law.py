"""The law of tools: however an example is cut, its outputs have the digests that it promises."""

from itertools import product

import pytest

from gateway.run.execute import execute
from gateway.run.plan import RunOptions, make_plan
from gateway.toolkit.call import make_call
from gateway.toolkit.fixtures import fixture_names, make_fixture, put_fixture
from gateway.toolkit.registry import get_tool, load_tools
from gateway.volumes.ref import Ref
from gateway.volumes.store import open_store

BLOCKS = [None, (23, 41, 57), (40, 30, 112), (16, 64, 64)]
EXAMPLES = [
    (spec.id, number)
    for spec in load_tools().values()
    for number in range(len(spec.examples))
    if all(port.kind != "file" for port in (*spec.inputs.values(), *spec.outputs.values()))
]


@pytest.fixture(scope="session")
def example_store(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("examples"), create=True)
    for name in fixture_names():
        put_fixture(store, name, Ref("examples", name))
    return store


@pytest.mark.parametrize(("block", "example"), list(product(BLOCKS, EXAMPLES)))
def test_an_example_gives_what_it_promises_however_it_is_cut(example_store, block, example):
    tool, number = example
    spec = get_tool(tool)
    given = spec.examples[number]
    name = f"{tool}-{number}-{BLOCKS.index(block)}"
    inputs = {port: f"examples/{fixture}" for port, fixture in given.inputs.items()}
    wanted = [port for port, what in spec.outputs.items() if not what.optional]
    outputs = {port: f"made/{name}-{port}" for port in {*wanted, *given.expect}}
    call = make_call(spec, inputs, outputs, given.params)
    plan = make_plan(spec, call, example_store, RunOptions(workers=1, block_voxels=block))
    result = execute(plan, example_store)
    assert {port: out.digest for port, out in result.outputs.items()} == dict(given.expect)


def test_example_data_is_the_same_on_every_machine():
    made = {name: make_fixture(name) for name in fixture_names()}
    assert {name: int(fixture.voxels.sum(dtype="int64")) for name, fixture in made.items()} == {
        "empty": 0,
        "four_tiles": 188002378,
        "three_points": 0,
        "two_blobs": 110782976,
        "two_blobs_labels": 52737,
        "two_channels": 530110976,
    }
