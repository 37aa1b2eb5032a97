"""The law of tools: however an example is cut, its outputs have one digest."""

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


@pytest.mark.parametrize(("tool", "number"), EXAMPLES)
def test_an_example_gives_the_same_however_it_is_cut(example_store, tool, number):
    spec = get_tool(tool)
    given = spec.examples[number]
    inputs = {port: f"examples/{fixture}" for port, fixture in given.inputs.items()}
    wanted = {port for port, what in spec.outputs.items() if not what.optional}
    promised = {port: digest for port, digest in given.expect.items() if digest}
    first = None
    for cut, block in enumerate(BLOCKS):
        outputs = {port: f"made/{tool}-{number}-{cut}-{port}" for port in {*wanted, *given.expect}}
        call = make_call(spec, inputs, outputs, given.params)
        plan = make_plan(spec, call, example_store, RunOptions(workers=1, block_voxels=block))
        made = execute(plan, example_store).outputs
        digests = {port: output.digest for port, output in made.items()}
        first = first or digests
        assert digests == first, f"blocks of {block} give something else than whole tasks"
    assert first == first | promised, "the promised digest is another: change the version too"


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
