"""A container engine of the tests' own: in a temporary folder, without touching the machine's.

`python tests/servers/container_engine.py FOLDER` starts one, says how to reach it, and stops it at
Ctrl-C. It is Debian's dockerd, which understands CDI names of devices and has two that are no GPUs
but look like some to whoever asks. It has no bridge: containers are alone, share the machine's
network (`--network host`), or meet on networks made with `--internal`.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

BASE_IMAGE = "gateway-test/debian:bookworm"
DEVICES = ("gateway.test/gpu=0", "gateway.test/gpu=1")
_SUITE = "trixie"
"""The Debian release whose engine is taken: the first that knows CDI."""
_LIBRARIES = "usr/lib/x86_64-linux-gnu"
_NEEDED = ("mmdebstrap", "patchelf", "containerd", "runc", "iptables-save")
_LEAN = ("man", "doc", "locale")
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_PR_SET_PDEATHSIG = 1


class NoEngineError(Exception):
    """No engine can be had here; says why in the words of whoever refused."""


@dataclass(frozen=True)
class ContainerEngine:
    """An engine that answers."""

    host: str
    """As `DOCKER_HOST` takes it."""
    client: str
    """The docker program that can build on it."""

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment in which the client finds this engine."""
        return {**os.environ, "DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "1"}

    def docker(self, *words: str | Path, check: bool = True, timeout: float = 900) -> str:
        """Run the client; returns what it printed.

        Raises:
            NoEngineError: The command failed; holds its last words.
        """
        command = [self.client, *map(str, words)]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode:
            raise NoEngineError(f"docker {words[0]}: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip()


def find_client() -> str:
    """Return the first docker program on the path that builds with BuildKit.

    Raises:
        NoEngineError: There is none.
    """
    folders = [*os.environ.get("PATH", "").split(os.pathsep), "/usr/bin"]
    found = list(dict.fromkeys(p for f in folders if os.access(p := f"{f}/docker", os.X_OK)))
    for program in found:
        words = [program, "build", "--help"]
        environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
        done = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
        if "--secret" in done.stdout:
            return program
    raise NoEngineError(f"no docker program that builds with BuildKit; found {found or 'none'}")


@contextmanager
def running_engine(folder: Path, cache: Path) -> Iterator[ContainerEngine]:
    """Start an engine that keeps everything under a folder; stop it in the end.

    Args:
        folder: Empty; emptied again in the end.
        cache: Keeps what took long to fetch.

    Raises:
        NoEngineError: It cannot be started here.
    """
    _refuse_where_hopeless()
    program = _fetch_engine(cache)
    configuration = folder / "daemon.json"
    configuration.write_text(json.dumps(_describe_devices(folder / "cdi")))
    firewall, forwarding = _firewall(), _FORWARDING.read_text()
    engine = ContainerEngine(f"unix://{folder}/docker.sock", find_client())
    words = [program, f"--config-file={configuration}", f"--host={engine.host}"]
    words += [f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
    words += [f"--pidfile={folder}/docker.pid", "--bridge=none", "--iptables=false"]
    words += ["--ip6tables=false", "--ip-forward=false", "--ip-masq=false"]
    words += ["--userland-proxy=false"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            list(map(str, words)),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - it calls into the kernel only
        )
        try:
            _await(engine, server, folder / "log")
            yield engine
        finally:
            _stop(engine, server, folder)
            _restore(firewall, forwarding)
            shutil.rmtree(folder, ignore_errors=True)


def load_base(engine: ContainerEngine, cache: Path) -> str:
    """See that the engine has the image all others start from; returns its name."""
    if engine.docker("images", "--quiet", BASE_IMAGE):
        return BASE_IMAGE
    archive = cache / "base-bookworm.tar"
    if not archive.is_file():
        lean = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEAN]
        _make(archive, ["--variant=minbase", "--include=ca-certificates", *lean, "bookworm"])
    engine.docker("import", archive, BASE_IMAGE)
    return BASE_IMAGE


def probe(engine: ContainerEngine, image: str) -> None:
    """Start a container: an engine that only answers proves nothing.

    Raises:
        NoEngineError: It did not run; holds the words of the engine.
    """
    said = engine.docker("run", "--rm", "--network=none", image, "echo", "alive")
    if said != "alive":
        raise NoEngineError(f"a container that should say 'alive' said {said!r}")


def _refuse_where_hopeless() -> None:
    if os.geteuid() != 0:
        raise NoEngineError("only root can start a container engine; name one by DOCKER_HOST")
    lacking = [name for name in _NEEDED if shutil.which(name) is None]
    if lacking:
        raise NoEngineError(
            f"{', '.join(lacking)} not installed: apt-get install docker.io "
            "iptables mmdebstrap patchelf"
        )


def _fetch_engine(cache: Path) -> Path:
    """Return a dockerd with the libraries of its own release beside it."""
    root = cache / _SUITE
    program = root / "usr/sbin/dockerd"
    if (root / ".ready").exists():
        return program
    shutil.rmtree(root, ignore_errors=True)
    _make(root, ["--variant=extract", "--components=main", "--include=docker.io,libc6", _SUITE])
    libraries = root / _LIBRARIES
    loader = libraries / "ld-linux-x86-64.so.2"
    words = ["patchelf", "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries]
    _call([*words, program])
    (root / ".ready").touch()
    return program


def _make(target: Path, words: list[str]) -> None:
    """Make a folder or an archive of Debian packages."""
    target.parent.mkdir(parents=True, exist_ok=True)
    *options, suite = words
    partial = target.with_name(f"partial-{os.getpid()}-{target.name}")
    _call(["mmdebstrap", "--quiet", "--mode=root", *options, suite, partial])
    partial.rename(target)


def _call(words: list[str | Path]) -> None:
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoEngineError(f"{words[0]} failed: {done.stderr.strip()[-2000:]}")


def _describe_devices(folder: Path) -> Mapping[str, object]:
    """Write down two devices that prove the way from request to container, not CUDA."""
    folder.mkdir()
    devices = []
    for name in DEVICES:
        number = name.rpartition("=")[2]
        node = {"path": f"/dev/fake-gpu{number}", "hostPath": "/dev/null"}
        edits = {"deviceNodes": [node], "env": [f"FAKE_GPU={number}"]}
        devices.append({"name": number, "containerEdits": edits})
    kind = DEVICES[0].partition("=")[0]
    document = {"cdiVersion": "0.5.0", "kind": kind, "devices": devices}
    (folder / "gateway-test.json").write_text(json.dumps(document))
    return {"features": {"cdi": True}, "cdi-spec-dirs": [str(folder)]}


def _end_with_parent() -> None:
    """Have the kernel stop the engine where the tests are killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _await(engine: ContainerEngine, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        if engine.docker("version", "--format={{.Server.Version}}", check=False):
            return
        time.sleep(0.2)
    raise NoEngineError(f"the engine did not start: {log.read_text(errors='replace')[-2000:]}")


def _stop(engine: ContainerEngine, server: "subprocess.Popen[bytes]", folder: Path) -> None:
    if server.poll() is None:
        left = engine.docker("ps", "--all", "--quiet", check=False).split()
        if left:
            engine.docker("rm", "--force", *left, check=False)
        server.terminate()
        try:
            server.wait(timeout=60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
    number = folder / "exec/containerd/containerd.pid"
    if number.is_file():  # it outlives an engine that was killed
        with suppress(ProcessLookupError):
            os.kill(int(number.read_text()), signal.SIGTERM)
    _unmount(folder)


def _unmount(folder: Path) -> None:
    table = Path("/proc/self/mounts").read_text().splitlines()
    places = [line.split()[1] for line in table if line.split()[1].startswith(f"{folder}/")]
    for place in sorted(places, reverse=True):
        subprocess.run(["umount", "--lazy", place], capture_output=True, check=False)


def _firewall() -> str:
    done = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def _rules(text: str) -> list[str]:
    """Return the rules without counters and dates."""
    lines = (line.partition("[")[0] for line in text.splitlines())
    return [line for line in lines if not line.startswith("#")]


def _restore(firewall: str, forwarding: str) -> None:
    """Put back what the engine changed, where it changed something."""
    if _FORWARDING.read_text() != forwarding:
        _FORWARDING.write_text(forwarding)
    if firewall and _rules(_firewall()) != _rules(firewall):
        subprocess.run(["iptables-restore"], input=firewall, text=True, check=False)


def default_cache() -> Path:
    """Return where the tests keep what took long to fetch."""
    given = os.environ.get("GATEWAY_TEST_CACHE")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(given) if given else home / "brain-gateway-tests"


def main() -> None:
    """Run an engine until Ctrl-C."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(dir="/tmp"))
    folder.mkdir(parents=True, exist_ok=True)
    with running_engine(folder.absolute(), default_cache()) as engine:
        load_base(engine, default_cache())
        print(f"export DOCKER_HOST={engine.host}  # {engine.client}; Ctrl-C stops it", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
