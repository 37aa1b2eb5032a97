"""The images hold what they say, at the versions that were pinned, for an ordinary user."""

import json
import re
import subprocess
import time
from pathlib import Path

import pytest
from container_engine import ContainerEngine
from docker_fixtures import SECRET, BuildImages

import gateway
from gateway.toolkit.registry import load_tools
from gateway.toolkit.schema import tool_schema

pytestmark = [pytest.mark.docker, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
NAMES = ("tools", "lab")


@pytest.fixture(scope="module", params=NAMES)
def image(request: pytest.FixtureRequest, build_images: BuildImages) -> str:
    (name,) = build_images(request.param)
    return name


def inside(engine: ContainerEngine, image: str, *words: str, user: str = "") -> str:
    options = ["--user", user] if user else []
    return engine.docker("run", "--rm", "--network=none", *options, image, *words)


def test_its_label_holds_the_specs_of_its_tools_and_its_version(
    container_engine: ContainerEngine, image: str
) -> None:
    shown = container_engine.docker("inspect", "--format={{json .Config.Labels}}", image)
    labels = json.loads(shown)
    specs = [tool_schema(spec) for spec in load_tools().values()]
    assert labels["org.brain-gateway.tools"] == json.dumps(
        specs, sort_keys=True, separators=(",", ":")
    ), "made of this very source, it is the same to the byte"
    assert labels["org.brain-gateway.version"] == gateway.__version__
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?|", labels["org.opencontainers.image.revision"])


def test_every_package_has_the_version_that_is_pinned(
    container_engine: ContainerEngine, image: str
) -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    pinned = dict(line.split("==") for line in lines)
    code = (
        "import json; from importlib.metadata import distributions as d; "
        "print(json.dumps({p.name.lower().replace('_', '-').replace('.', '-'): p.version "
        "for p in d()}))"
    )
    found = json.loads(inside(container_engine, image, "python", "-c", code))
    assert found.pop("brain-gateway") == gateway.__version__
    others = {name: (v, pinned.get(name)) for name, v in found.items() if pinned.get(name) != v}
    assert others == {}


def test_an_ordinary_user_works_in_it_and_its_kernels_are_compiled(
    container_engine: ContainerEngine, image: str
) -> None:
    script = "id -u; cat /proc/1/comm; python -c 'import ipykernel'; test -w /opt/gateway/kernels"
    said = inside(container_engine, image, "sh", "-c", f"{script}; ls /opt/gateway/kernels")
    user, first, *kernels = said.splitlines()
    assert (user, first) == ("1000", "tini")
    assert kernels
    # whoever owns a store computes in it, though nobody of that number is known there
    assert "detect_nuclei" in inside(container_engine, image, "gateway", "tools", user="4321:4321")


def test_nothing_of_the_build_secrets_is_left(
    container_engine: ContainerEngine, build_images: BuildImages
) -> None:
    (image,) = build_images("lab")  # it has the layers of `tools` and `base` below it
    assert SECRET not in container_engine.docker("history", "--no-trunc", image)
    words = [container_engine.client, "save", image]
    search = ["grep", "--count", "--text", "--fixed-strings", SECRET]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=container_engine.environment) as save:
        done = subprocess.run(
            search, stdin=save.stdout, capture_output=True, text=True, check=False
        )
    assert save.returncode == 0
    assert done.stdout.strip() == "0"


def test_jupyterlab_starts_for_one_user_of_the_hub(
    container_engine: ContainerEngine, build_images: BuildImages
) -> None:
    (image,) = build_images("lab")
    versions = inside(
        container_engine,
        image,
        "sh",
        "-c",
        "jupyterhub-singleuser --version; jupyter lab --version",
    )
    pins = (ROOT / "constraints.txt").read_text()
    hub, lab = versions.splitlines()
    assert f"\njupyterhub=={hub}\n" in pins
    assert f"\njupyterlab=={lab}\n" in pins


def test_the_web_service_says_that_it_is_healthy(
    container_engine: ContainerEngine, build_images: BuildImages
) -> None:
    (image,) = build_images("web")
    name = container_engine.docker("run", "--detach", "--network=none", image)
    try:
        deadline, state = time.monotonic() + 240, ""
        while state != "healthy" and time.monotonic() < deadline:
            state = container_engine.docker("inspect", "--format={{.State.Health.Status}}", name)
            time.sleep(1)
        assert state == "healthy", container_engine.docker("logs", name)
    finally:
        container_engine.docker("rm", "--force", "--volumes", name)


def test_make_images_says_what_it_cannot_do() -> None:
    def refusal(*words: str) -> str:
        command = ["make", "--no-print-directory", "images", *words]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode != 0
        return done.stderr

    assert "no image 'tool'; there are base, tools, tools-gpu, lab" in refusal("IMAGES=tool")
    said = refusal("IMAGES=base", "BUILD=--docker /nowhere/docker")
    assert "no docker client at /nowhere/docker" in said
