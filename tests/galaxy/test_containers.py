"""With the docker engine, jobs compute in their tools' containers, which see no secret."""

import json
import threading
from pathlib import Path

import pytest
from docker_fixtures import PREFIX

from gateway.galaxy.publish import workflow_files
from gateway.run.docker_client import LABEL

pytestmark = [pytest.mark.docker, pytest.mark.galaxy, pytest.mark.slow]
SECRET_FILES = (".secret", ".toml", ".sqlite", ".sqlite-wal", "galaxy.yml", "docker.sock")


@pytest.fixture
def engine(real_galaxy, container_engine, build_images):
    """Have jobs compute in containers, as the file of settings says it."""
    build_images("tools")
    file = real_galaxy.hub.home / "gateway.toml"
    before = file.read_text()
    settings = {
        "engine": "docker",
        "docker_host": container_engine.host,
        "image_name": f"{PREFIX}/{{image}}:{{version}}",
    }
    lines = [f"{name} = {json.dumps(value)}\n" for name, value in settings.items()]
    file.write_text(before + "".join(lines))
    yield container_engine
    file.write_text(before)


def test_the_workflow_gives_the_same_digests_in_containers_that_see_no_secret(
    real_galaxy, ana, measured, engine
):
    workflow = ana.client.publish_workflow(workflow_files()["tiles_to_nuclei"])
    inputs = {"tiles": f"dataset:{ana.datasets['four_tiles']}", "diameter": 30.0}
    with Watch(engine) as watch:
        invocation = ana.client.invoke(
            workflow, inputs | {"dataset": "ana-contained"}, ana.client.history("contained")
        )
        ana.client.follow(invocation)
    results = ana.client.results(invocation)
    expected = {label: volref.digest for label, volref in measured[1].items()}
    assert {label: volref.digest for label, volref in results.items()} == expected
    for volref in results.values():
        (record,) = real_galaxy.gateway.catalogue.runs(ref=volref.ref)
        assert record.engine == "docker"
        assert f"{PREFIX}/brain-gateway/tools:" in record.image
        assert "@sha256:" in record.image
    assert watch.seen, "no container was seen"
    root = Path(real_galaxy.gateway.store.url)
    secrets = [path.read_text() for path in real_galaxy.root.glob("*.secret")]
    secrets += [real_galaxy.key("ana"), *real_galaxy.hub.said.values()]
    for container in watch.seen.values():
        told = json.dumps([container["Config"], container["Args"]])
        assert not [secret for secret in secrets if str(secret) in told]
        for mount in container["Mounts"]:
            source = Path(mount["Source"])
            assert source.is_relative_to(root), source
            assert source != root, "a container sees the datasets of its call alone"
            assert mount["RW"] is (".staging" in source.parts)
            names = [path.name for path in source.rglob("*")]
            assert not [name for name in names if name.endswith(SECRET_FILES)]


class Watch:
    """Looks at every container of a run while the block lasts."""

    def __init__(self, engine):
        self._engine, self._over = engine, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.seen = {}

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _look(self):
        words = ["ps", "--quiet", "--no-trunc", "--filter", f"label={LABEL}.run"]
        while not self._over.wait(0.2):
            for number in self._engine.docker(*words, check=False).split():
                said = self._engine.docker("inspect", number, check=False)
                if said and number not in self.seen and (found := json.loads(said)):
                    self.seen[number] = found[0]
