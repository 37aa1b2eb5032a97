"""Runs in containers of the tool's image: the same digests, and nothing seen or left too much."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from container_engine import DEVICES, ContainerEngine
from docker_fixtures import PREFIX, BuildImages

from gateway.errors import GatewayError, PlanError, RunCancelledError, RunError
from gateway.run.container import Account, give, run_words
from gateway.run.docker_client import LABEL
from gateway.run.events import Event, TaskDone, TaskRetried
from gateway.run.plan import make_plan
from gateway.run.staging import Staging
from gateway.run.tasks import Workspace
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.ingest import IngestOptions, ingest
from gateway.service.runs import run_options, run_tool
from gateway.toolkit.call import make_call
from gateway.toolkit.registry import get_tool
from gateway.volumes.ref import parse_ref
from gateway.volumes.tensors import IoLimits

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def tools_image(build_images: BuildImages) -> str:
    (name,) = build_images("tools")
    return name


@pytest.fixture(scope="module")
def contained(
    container_engine: ContainerEngine,
    tools_image: str,  # noqa: ARG001 - it is built
    tmp_path_factory: pytest.TempPathFactory,
    fill_dataset: Callable[..., None],
) -> Iterator[Gateway]:
    """Yield a gateway whose runs are containers, with two datasets that are alike."""
    home = tmp_path_factory.mktemp("contained")
    init_home(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWAY_ENGINE", "docker")
        patch.setenv("GATEWAY_DOCKER_HOST", container_engine.host)
        patch.setenv("GATEWAY_IMAGE_NAME", f"{PREFIX}/{{image}}:{{version}}")
        opened = open_gateway(home)
    for dataset in ("ball", "secret"):
        fill_dataset(opened.store, dataset, points=50)
    yield opened
    opened.catalogue.close()


def smooth(out: str, sigma_um: float = 2.0):
    tool = get_tool("smooth_gaussian")
    return make_call(tool, {"image": "ball/image"}, {"image": out}, {"sigma_um": sigma_um})


def digests(result) -> dict[str, str]:
    return {port: output.digest for port, output in result.outputs.items()}


def containers(engine: ContainerEngine) -> list[str]:
    return engine.docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}.run").split()


@pytest.mark.data
@pytest.mark.slow
def test_real_tiles_are_stitched_and_searched_to_the_same_digests(
    contained: Gateway, container_engine: ContainerEngine, data_dir: Path
) -> None:
    said = IngestOptions(voxel_um=(5.0, 2.0, 2.0))
    found = {}
    for engine in ("local", "docker"):
        # a dataset for each, since a call that is done already would not be done again
        ingest(contained, data_dir / "tiles_pub_cellfinder3d", parse_ref(f"{engine}/raw"), said)
        stitch = make_call(
            get_tool("stitch"),
            {"tiles": f"{engine}/raw"},
            {"image": f"{engine}/brain", "positions": f"{engine}/positions"},
            {},
        )
        detect = make_call(
            get_tool("detect_nuclei"),
            {"image": f"{engine}/brain"},
            {"nuclei": f"{engine}/nuclei", "labels": f"{engine}/labels"},
            {"diameter_um": 12},
        )
        options = run_options(contained, engine=engine, workers=2)
        found[engine] = [digests(run_tool(contained, call, options)) for call in (stitch, detect)]
    assert found["docker"] == found["local"]
    assert containers(container_engine) == []
    (record,) = contained.catalogue.runs(ref="docker/nuclei")
    assert record.engine == "docker"
    assert record.image.startswith(f"{PREFIX}/brain-gateway/tools:")
    assert "@sha256:" in record.image


def test_a_container_sees_its_datasets_and_writes_its_staging_folder_alone(
    contained: Gateway, container_engine: ContainerEngine, tools_image: str
) -> None:
    space = begun(contained, smooth("ball/seen"))
    space.plan = replace(space.plan, options=replace(space.plan.options, devices=DEVICES[1:]))
    root = Path(contained.store.url)
    staging = root / "ball/.staging" / space.staging.run.name
    account = Account.of_store(root)
    give(staging, account)
    words = run_words(space, "images-test-sight", account)
    script = f"""
        id -u; grep CapEff /proc/self/status; ls {root}; ls /sys/class/net
        touch {staging}/mine && echo wrote
        touch {root}/ball/theirs; touch {root}/ball/image.ome.zarr/x
        cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2> /dev/null
        echo gpu $FAKE_GPU; ls /dev | grep fake-gpu; ls /var/run/docker.sock; true
    """
    words = ["run", "--rm", *words, tools_image, "sh", "-c", f"({script}) 2>&1"]
    said = container_engine.docker(*words).splitlines()
    assert said[0] == str(account.user) != "0"
    assert said[1].split()[1] == "0" * 16
    assert said[2:5] == ["ball", "lo", "wrote"]
    refused = [line for line in said if "Read-only file system" in line]
    assert len(refused) == 2
    assert str(int(contained.settings.memory)) in said or any(
        line.isdigit() and 0 <= int(contained.settings.memory) - int(line) < 4096 for line in said
    )
    assert "gpu 1" in said
    assert "fake-gpu1" in said
    assert "fake-gpu0" not in said
    assert (staging / "mine").exists()
    space.staging.delete()


def test_a_container_that_is_killed_is_replaced_and_its_block_named(
    contained: Gateway, container_engine: ContainerEngine
) -> None:
    events: list[Event] = []

    def kill() -> None:
        """Kill the container once it says that it is at its second block."""
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            for name in containers(container_engine):
                if container_engine.docker("logs", name, check=False).count('"block"') > 1:
                    container_engine.docker("kill", name)
                    return
            time.sleep(0.1)

    killer = threading.Thread(target=kill)
    killer.start()
    options = run_options(contained, tool="smooth_gaussian", workers=1, block_voxels=(32, 32, 32))
    tool = get_tool("detect_nuclei")
    settings = {"diameter_um": 12}
    call = make_call(tool, {"image": "ball/image"}, {"nuclei": "ball/killed"}, settings)
    killed = run_tool(contained, call, options, listeners=[events.append])
    killer.join()
    (retried,) = [event for event in events if isinstance(event, TaskRetried)]
    assert retried.reason == "the container was killed"
    assert retried.block, "the block it died at"
    same = make_call(tool, {"image": "ball/image"}, {"nuclei": "ball/calm"}, settings)
    local = run_tool(contained, same, run_options(contained, engine="local", workers=1))
    assert digests(killed) == digests(local)


def test_a_run_that_is_stopped_leaves_no_container_and_one_that_died_is_swept_up(
    contained: Gateway, container_engine: ContainerEngine, base_image: str
) -> None:
    gone = f"{LABEL}.owner={os.uname().nodename}:{2**22 + 1}:1"
    labels = ("--label", f"{LABEL}.run=0123", "--label", gone)
    container_engine.docker("run", "--detach", "--network=none", *labels, base_image, "sleep", "99")
    cancel = threading.Event()
    seen: list[int] = []

    def stop(event: Event) -> None:
        if isinstance(event, TaskDone):
            seen.append(len(containers(container_engine)))
            cancel.set()

    options = run_options(contained, engine="docker", workers=1, block_voxels=(32, 32, 32))
    call = smooth("ball/stopped")
    with pytest.raises(RunCancelledError, match="run the same command again"):
        run_tool(contained, call, options, listeners=[stop], cancel=cancel)
    assert seen[0] == 1, "what another process left was removed; this run's worker is there"
    assert containers(container_engine) == []
    assert digests(run_tool(contained, call, options))


def test_a_block_that_needs_more_memory_than_the_share_says_so(
    contained: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.run.container.worker_memory", lambda *_: 40 * 2**20)
    options = run_options(contained, engine="docker", workers=1)
    with pytest.raises(RunError, match=r"out of memory: its share is 41,943,040 bytes, 3 times"):
        run_tool(contained, smooth("ball/starved"), options)


def test_what_reaches_outside_the_store_is_refused_or_done_here(
    contained: Gateway, tmp_path: Path
) -> None:
    assert run_options(contained, tool="detect_nuclei").engine == "docker"
    assert run_options(contained, tool="export").engine == "local"
    call = make_call(
        get_tool("export"), {"image": "ball/image"}, {"file": str(tmp_path / "x.tif")}, {}
    )
    with pytest.raises(PlanError, match="export reads or writes files outside the store"):
        run_tool(contained, call, run_options(contained, engine="docker"))


def test_every_lack_of_engine_or_image_names_the_way_out(
    contained: Gateway, container_engine: ContainerEngine, tools_image: str, tmp_path: Path
) -> None:
    def refusal(**settings: str) -> str:
        changed = contained.settings.model_copy(update=settings)
        options = run_options(contained, engine="docker")
        with pytest.raises(GatewayError) as caught:
            run_tool(replace(contained, settings=changed), smooth("ball/never"), options)
        return str(caught.value)

    nowhere = refusal(docker_host=f"unix://{tmp_path}/none.sock")
    assert f"engine 'docker' at unix://{tmp_path}/none.sock: Cannot connect" in nowhere
    assert nowhere.endswith("or run with --engine local")
    missing = refusal(image_name="gateway-test/none/{image}:{version}")
    assert "image gateway-test/none/brain-gateway/tools:" in missing
    assert "make images IMAGES=tools" in missing
    for label, says in (
        ("version=0.0.1", "holds gateway 0.0.1, this is"),
        ("tools=[]", "holds no smooth_gaussian, the call is for smooth_gaussian"),
        ("tools=" + json.dumps([{"id": "smooth_gaussian", "version": "0.9"}]), "0.9, the call"),
    ):
        image = "gateway-test/altered/brain-gateway/tools:1"
        alter(container_engine, tools_image, image, f"{LABEL}.{label}")
        said = refusal(image_name="gateway-test/altered/{image}:1")
        assert says in said
        assert "make images" in said
        container_engine.docker("rmi", image)


def alter(engine: ContainerEngine, image: str, altered: str, label: str) -> None:
    """Give an image another name and label."""
    words = [engine.client, "build", "--tag", altered, "--label", label, "-"]
    given = f"FROM {image}\n"
    subprocess.run(
        words, input=given, text=True, env=engine.environment, check=True, capture_output=True
    )


def begun(gateway: Gateway, call) -> Workspace:
    """Return the workspace of a run that has its staging folder and computes nothing."""
    options = run_options(gateway, engine="docker", workers=1)
    plan = make_plan(get_tool(call.tool), call, gateway.store, options)
    staging = Staging(gateway.store, plan.run)
    staging.write_plan(plan.to_json())
    return Workspace.open(gateway.store, plan.run, IoLimits())
