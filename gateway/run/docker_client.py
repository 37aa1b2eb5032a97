"""Asks a container engine through the docker client, and hands on its words where it refuses."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import NotFoundError, RunError

LABEL = "org.brain-gateway"
"""First part of the labels of our images and containers."""
_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image says of itself without being run."""

    name: str
    digest: str
    """`sha256:…`: that of the registry it came from, else its id on this engine."""
    id: str
    """What to start: the name may come to mean another image."""
    version: str
    """Of the gateway in it; '' where it holds none."""
    tools: Mapping[str, str] = field(default_factory=dict)
    """Id to version."""


@dataclass(frozen=True, slots=True)
class DockerClient:
    """The docker program, told which engine to speak to."""

    host: str = ""
    """As `DOCKER_HOST` takes it; '' leaves it to the environment."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which the client finds the engine."""
        return {**os.environ, **({"DOCKER_HOST": self.host} if self.host else {})}

    @property
    def program(self) -> str:
        """Return the program.

        Raises:
            RunError: It is not installed.
        """
        found = shutil.which("docker")
        if found is None:
            raise RunError(
                "engine 'docker': there is no docker client on this machine; install docker, or "
                "run with --engine local"
            )
        return found

    def call(self, *words: str) -> str:
        """Run the client; returns what it printed.

        Raises:
            RunError: The engine does not answer, or refuses; holds its words.
        """
        try:
            done = subprocess.run(  # noqa: S603 - the words are ours
                [self.program, *words],
                capture_output=True,
                text=True,
                env=self.environment,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RunError(
                f"engine 'docker': no answer to `docker {words[0]}` in {_TIMEOUT_S:.0f} s; look "
                "whether the engine is well, or run with --engine local"
            ) from error
        if done.returncode:
            said = " ".join(done.stderr.split())[-500:]
            where = self.host or os.environ.get("DOCKER_HOST") or "its usual socket"
            raise RunError(
                f"engine 'docker' at {where}: {said}; start it, name another by the setting "
                "docker_host, or run with --engine local"
            )
        return done.stdout.strip()

    def inspect_image(self, name: str) -> ImageFacts:
        """Return what an image says of itself.

        Raises:
            NotFoundError: The engine does not have it.
            RunError: The engine does not answer.
        """
        found = self.call("images", "--quiet", "--no-trunc", name).split()
        if not found:
            short = name.rpartition("/")[2].partition(":")[0]
            raise NotFoundError(
                f"image {name} is not on the container engine; build it with "
                f"`make images IMAGES={short}`, or pull it with `docker pull {name}`"
            )
        facts = json.loads(self.call("image", "inspect", found[0]))[0]
        labels = facts["Config"].get("Labels") or {}
        pulled = [text.partition("@")[2] for text in facts.get("RepoDigests") or ()]
        return ImageFacts(
            name=name,
            digest=(pulled or [facts["Id"]])[0],
            id=facts["Id"],
            version=labels.get(f"{LABEL}.version", ""),
            tools=_tools(labels.get(f"{LABEL}.tools", "[]")),
        )


def _tools(label: str) -> dict[str, str]:
    specs: list[dict[str, Any]] = json.loads(label)
    return {spec["id"]: spec["version"] for spec in specs}
