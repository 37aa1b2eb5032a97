"""Bytes over HTTP: `gateway serve`, its access check on, against nginx with the same files.

Both serve the same folder on loopback in one run, in turns, to the same load generator: `wrk` of
Debian (written in C, one thread per two connections' worth of work), 16 connections kept alive.
nginx has as many workers as there are cores, and so have we. Every answer must be 200 or 206 and
whole, or the run fails. nginx checks nobody's rights; we check a private dataset's, by a token.

Bars: at least 0.6 of nginx's requests per second, and a p99 at most 5 times nginx's.

    apt-get install nginx-light wrk
    python benchmarks/bench_serving.py [--quick] [--folder DIR]
"""

import argparse
import json
import os
import platform
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.access.people import ensure_person
from gateway.service.access.sessions import open_session
from gateway.service.gateway import open_gateway
from gateway.service.home import init_home

CHUNK = 128 * 1024
CHUNKS = 512
WHOLE = 64 * 2**20
CONNECTIONS = 16
CORES = os.cpu_count() or 1
NGINX, OURS = "nginx", "gateway"
FILES, RANGES = "128 KiB chunk files", "128 KiB ranges of a 64 MiB file"
LEAST_RATE, MOST_P99 = 0.6, 5.0

SCRIPT = """
local requests, turn = {}, 0
local function headers(extra)
  local made = {}
  if "%(token)s" ~= "" then made["Authorization"] = "Bearer %(token)s" end
  for name, value in pairs(extra) do made[name] = value end
  return made
end
function init(args)
  math.randomseed(7)
  for i = 1, 2048 do
    if "%(what)s" == "files" then
      local path = "/data/brain/chunks.ome.zarr/0/c/0/0/0/" .. math.random(0, %(chunks)d - 1)
      requests[i] = wrk.format("GET", path, headers({}))
    else
      local first = math.random(0, %(whole)d - %(chunk)d)
      local span = string.format("bytes=%%d-%%d", first, first + %(chunk)d - 1)
      local path = "/data/brain/shard.ome.zarr/0/c/0/0/0/0"
      requests[i] = wrk.format("GET", path, headers({["Range"] = span}))
    end
  end
end
function request()
  turn = turn %% #requests + 1
  return requests[turn]
end
function done(summary, latency, all)
  io.write(string.format(
    'RESULT {"requests": %%d, "us": %%d, "bytes": %%d, "bad": %%d, "p50": %%f, "p99": %%f}\\n',
    summary.requests, summary.duration, summary.bytes,
    summary.errors.status + summary.errors.read + summary.errors.connect + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""

CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes {cores};
{user}
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 75; keepalive_requests 10000000; default_type application/octet-stream;
  types {{ text/html html; text/css css; application/javascript js; application/wasm wasm; }}
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port}; location /data/ {{ alias {store}/; }} }}
}}
"""


@dataclass(frozen=True)
class Round:
    rate: float
    p50: float
    p99: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three rounds of two seconds")
    parser.add_argument("--folder", type=Path, help="where to write (default: temporary folder)")
    arguments = parser.parse_args()
    if not (shutil.which("nginx") and shutil.which("wrk")):
        print("nginx or wrk is not installed: apt-get install nginx-light wrk")
        return 0
    rounds, seconds = (3, 2) if arguments.quick else (7, 6)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        folder.chmod(0o755)
        token = make_home(folder / "home")
        with ExitStack() as stack:
            servers = {
                NGINX: stack.enter_context(nginx(folder, folder / "home" / "store")),
                OURS: stack.enter_context(gateway(folder / "home")),
            }
            check_private(servers[OURS])
            results = measure(folder, servers, token, rounds, seconds)
    return print_table(results)


def program(name: str) -> str:
    return shutil.which(name) or name


def make_home(home: Path) -> str:
    """Make a private dataset and return the token of somebody who may see it."""
    init_home(home)
    random = np.random.default_rng(3)
    for entry, count, size in (("chunks", CHUNKS, CHUNK), ("shard", 1, WHOLE)):
        folder = home / "store" / "brain" / f"{entry}.ome.zarr"
        (folder / "0/c/0/0/0").mkdir(parents=True)
        (folder / "zarr.json").write_text('{"zarr_format": 3, "node_type": "group"}')
        for number in range(count):
            (folder / f"0/c/0/0/0/{number}").write_bytes(random.bytes(size))
    opened = open_gateway(home)
    with opened.catalogue:
        ensure_person(opened, "ana")
        grant(opened, "brain", "person:ana", Role.VIEWER)
        return open_session(opened, "ana", kind="token")


@contextmanager
def nginx(folder: Path, store: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    user = "user root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, store=store, port=port, cores=CORES, user=user))
    process = subprocess.Popen(
        [program("nginx"), "-c", config, "-p", folder, "-e", folder / "error.log"]
    )
    try:
        yield wait_for(f"http://127.0.0.1:{port}", "/data/brain/shard.ome.zarr/zarr.json")
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def gateway(home: Path) -> Iterator[str]:
    ours = Path(sys.executable).with_name("gateway")
    process = subprocess.Popen(
        [ours, "serve", "--home", home, "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GATEWAY_WEB_WORKERS": str(CORES)},
    )
    try:
        line = process.stdout.readline()
        yield wait_for(line.rsplit(" at ", 1)[-1].strip(), "/health")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def wait_for(url: str, path: str) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url + path, timeout=5):  # noqa: S310 - our own loopback
                return url
        except urllib.error.HTTPError:
            return url
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def check_private(url: str) -> None:
    """See that the check is on: without a token there is nothing."""
    try:
        urllib.request.urlopen(f"{url}/data/brain/shard.ome.zarr/zarr.json", timeout=5)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == 401:
            return
    raise SystemExit("the dataset is open to everyone: the access check was not measured")


def measure(
    folder: Path, servers: dict[str, str], token: str, rounds: int, seconds: int
) -> dict[tuple[str, str], list[Round]]:
    results: dict[tuple[str, str], list[Round]] = defaultdict(list)
    for what, name in ((FILES, "files"), (RANGES, "ranges")):
        values = {"what": name, "chunks": CHUNKS, "whole": WHOLE, "chunk": CHUNK}
        for turn in range(-1, rounds):  # the first warms up and does not count
            order = list(servers) if turn % 2 else list(reversed(servers))
            for server in order:
                script = folder / f"{server}-{name}.lua"
                script.write_text(SCRIPT % {**values, "token": token if server == OURS else ""})
                one = load(servers[server], script, 1 if turn < 0 else seconds)
                if turn >= 0:
                    results[what, server].append(one)
    return results


def load(url: str, script: Path, seconds: int) -> Round:
    command = [
        program("wrk"),
        "-t",
        "2",
        "-c",
        str(CONNECTIONS),
        "-d",
        f"{seconds}s",
        "-s",
        script,
        url,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    # what is in flight at the end of the clock counts as bytes only
    if found["bad"] or found["bytes"] < found["requests"] * CHUNK:
        raise SystemExit(f"{url} did not answer well: {found}")
    return Round(found["requests"] / found["us"] * 1e6, found["p50"], found["p99"])


def print_table(results: dict[tuple[str, str], list[Round]]) -> int:
    version = subprocess.run(
        [program("nginx"), "-v"], capture_output=True, text=True, check=True
    ).stderr
    print(f"{platform.platform()}, {CORES} cores, Python {platform.python_version()}")
    print(f"{version.strip()} with {CORES} workers; gateway serve with {CORES} workers; load: wrk")
    print(f"{'':34} {'':8} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8}")
    good = True
    for what in (FILES, RANGES):
        for server in (NGINX, OURS):
            rows = results[what, server]
            middle = [statistics.median(values) for values in zip(*map(astuple, rows), strict=True)]
            print(f"{what:34} {server:8} {middle[0]:11,.0f} {middle[1]:8.2f} {middle[2]:8.2f}")
        pairs = list(zip(results[what, OURS], results[what, NGINX], strict=True))
        rate = statistics.median(ours.rate / theirs.rate for ours, theirs in pairs)
        p99 = statistics.median(ours.p99 / theirs.p99 for ours, theirs in pairs)
        met = rate >= LEAST_RATE and p99 <= MOST_P99
        good &= met
        print(
            f"{'':34} {'ratio':8} {rate:10.2f}x {'':8} {p99:7.1f}x  "
            f"bars >= {LEAST_RATE}x, <= {MOST_P99:g}x: {'met' if met else 'MISSED'}"
        )
    return 0 if good else 1


def astuple(one: Round) -> tuple[float, float, float]:
    return one.rate, one.p50, one.p99


if __name__ == "__main__":
    sys.exit(main())
