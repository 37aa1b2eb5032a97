"""Builds the images: `make images`, or `python images/build.py tools lab --base debian:12-slim`.

Needs Python and a docker client that builds with BuildKit, nothing else. Each image is a target of
`images/Dockerfile`; when it stands, it is asked which tools it has, and their specs become a label
of it, so that whoever needs to know what an image can do reads that from `docker inspect`.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = {
    "base": "Python and the gateway; start your own tool images from it",
    "tools": "every tool that needs no GPU, and a Jupyter kernel with them",
    "tools-gpu": "the same with CuPy and the CUDA libraries",
    "lab": "JupyterLab for the hub, with the tools and the notebook widgets",
    "web": "the web service",
    "hub": "JupyterHub and its proxy, with the web service behind it",
}
USUAL = ("base", "tools", "lab", "web", "hub")
"""What is built where nothing is named: all that is not several gigabytes."""
PROXY_VERSION = "5.3.0"
LABEL = "org.brain-gateway"
_SPECS = (
    "import json; from gateway.toolkit.registry import load_tools; "
    "from gateway.toolkit.schema import tool_schema; "
    "print(json.dumps([tool_schema(spec) for spec in load_tools().values()], "
    "sort_keys=True, separators=(',', ':')))"
)
_LONGEST_LABEL = 120_000
"""What one argument of a command may hold, nearly."""


class BuildError(Exception):
    """An image could not be built; the message says why and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what is named; returns the exit status."""
    given = _parse(arguments)
    try:
        client = find_client(given.docker)
        for name in given.images:
            build(name, given, client)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    listed = "\n".join(f"  {name:10} {what}" for name, what in IMAGES.items())
    parser = argparse.ArgumentParser(
        prog="images/build.py",
        description=f"Build images of Brain Gateway:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("images", nargs="*", metavar="IMAGE", help=f"which; {' '.join(USUAL)} where none is named")
    add("--base", default="debian:bookworm-slim", help="image to start from")
    add("--prefix", default="brain-gateway", help="first part of the names: PREFIX/tools")
    add("--tag", default=read_version(), help="tag of the images; the version of the gateway")
    add("--network", help="network of the build, such as host")
    add("--ca", type=Path, help="certificates of a proxy on the way; not kept in the image")
    add("--pip-config", type=Path, help="a pip.conf for the build; not kept in the image")
    add("--npm-config", type=Path, help="an npmrc for the build; not kept in the image")
    add("--docker", help="docker client; the first on the path that builds with BuildKit")
    add("--verbose", action="store_true", help="show what the engine says")
    given = parser.parse_args(arguments)
    unknown = [name for name in given.images if name not in IMAGES]
    if unknown:
        parser.error(f"no image {unknown[0]!r}; there are {', '.join(IMAGES)}")
    given.images = given.images or list(USUAL)
    return given


def build(name: str, given: argparse.Namespace, client: str) -> None:
    """Build one image and label it.

    Raises:
        BuildError: The engine refused; holds its last words.
    """
    started = time.monotonic()
    image = f"{given.prefix}/{name}:{given.tag}"
    print(f"==> {image}: {IMAGES[name]}", flush=True)
    words = [client, "build", "--target", name, "--tag", image, "--file", "images/Dockerfile"]
    words += ["--build-arg", f"BASE={given.base}", "--build-arg", f"PROXY_VERSION={PROXY_VERSION}"]
    network = ["--network", given.network] if given.network else []
    for secret, file in (("ca", given.ca), ("pip", given.pip_config), ("npm", given.npm_config)):
        if file is not None:
            if not file.is_file():
                raise BuildError(f"{file} is no file; it was given as the secret {secret!r}")
            words += ["--secret", f"id={secret},src={file}"]
    _call([*words, *network, "."], verbose=given.verbose)
    specs = _ask_specs(client, image)
    label(client, image, {f"{LABEL}.tools": specs, **facts(name, image)})
    count = len(json.loads(specs))
    print(f"    {count} tools, {time.monotonic() - started:.0f} s", flush=True)


def label(client: str, image: str, labels: dict[str, str]) -> None:
    """Give an image labels; its name moves to the labelled one.

    Raises:
        BuildError: A label is too long, or the engine refused.
    """
    words = [client, "build", "--tag", image]
    for key, value in labels.items():
        if len(value) > _LONGEST_LABEL:
            raise BuildError(
                f"label {key} of {image} has {len(value)} characters, more than the "
                f"{_LONGEST_LABEL} that fit; spread the tools over two images"
            )
        words += ["--label", f"{key}={value}"]
    _call([*words, "-"], given=f"FROM {image}\n")


def facts(name: str, image: str) -> dict[str, str]:
    """Return what an image says of itself: name, version, and the commit it was built from."""
    known = "org.opencontainers.image"
    return {
        f"{LABEL}.image": name,
        f"{LABEL}.version": read_version(),
        f"{known}.title": image.rpartition(":")[0],
        f"{known}.description": IMAGES[name],
        f"{known}.version": read_version(),
        f"{known}.revision": read_commit(),
        f"{known}.licenses": "BSD-3-Clause",
    }


def read_version() -> str:
    """Return the version of the gateway in this folder."""
    text = (ROOT / "gateway/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"', text, re.MULTILINE)
    if found is None:
        raise BuildError(f"{ROOT}/gateway/__init__.py says no version")
    return found.group(1)


def read_commit() -> str:
    """Return the commit of this folder, marked where files differ from it; '' without git."""
    words = [
        "git",
        "-C",
        str(ROOT),
        "describe",
        "--always",
        "--dirty",
        "--abbrev=40",
        "--exclude=*",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def find_client(named: str | None = None) -> str:
    """Return the docker program that is named, else the first one that builds with BuildKit.

    Raises:
        BuildError: There is none.
    """
    if named is not None:
        if not os.access(named, os.X_OK):
            raise BuildError(f"no docker client at {named}; leave --docker out to have one found")
        return named
    folders = os.environ.get("PATH", "").split(os.pathsep)
    found = [p for f in dict.fromkeys([*folders, "/usr/bin"]) if os.access(p := f"{f}/docker", 1)]
    for program in found:
        done = subprocess.run(
            [program, "build", "--help"],
            capture_output=True,
            text=True,
            env=_environment(),
            check=False,
        )
        if "--secret" in done.stdout:
            return program
    raise BuildError(
        f"no docker client that builds with BuildKit (found {', '.join(found) or 'none'}); install "
        "docker with its buildx plugin, or name one by --docker"
    )


def _ask_specs(client: str, image: str) -> str:
    words = [client, "run", "--rm", "--network=none", image, "python", "-c", _SPECS]
    return _call(words).strip()


def _call(words: list[str], *, given: str | None = None, verbose: bool = False) -> str:
    kept = None if verbose else subprocess.PIPE
    done = subprocess.run(
        words,
        input=given,
        stdout=kept,
        stderr=kept,
        text=True,
        env=_environment(),
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or "").strip().splitlines()[-15:]
        raise BuildError("\n".join([f"docker {words[1]} failed:", *said]))
    return done.stdout or ""


def _environment() -> dict[str, str]:
    return {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}


if __name__ == "__main__":
    sys.exit(main())
