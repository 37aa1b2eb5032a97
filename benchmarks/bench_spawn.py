"""From sign-in to a kernel that computes, through `gateway up`: alone, then many people at once.

Each person signs in with a browser of their own, starts a server, starts a kernel over its
websocket, and gets the answer of `1 + 1`; then the server is stopped.

    python benchmarks/bench_spawn.py [--spawner local|slurm] [--alone 5] [--together 10]

For containers see bench_spawn_docker.py, which also says what our hooks cost.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import websocket

from gateway.service.home import init_home

BAR_ALONE_S, BAR_TOGETHER_S = 6.0, 45.0
PATIENCE_S = 300.0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--spawner", default="local")
    options.add_argument("--alone", type=int, default=5, help="how often one person starts")
    options.add_argument("--together", type=int, default=10, help="people at once")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        init_home(home)
        with open_hub(home, given.spawner) as said:
            url, password = said["address"].rstrip("/"), said["shared_password"]
            start(url, "warm", password)  # files come into memory once
            alone = [start(url, f"alone{i}", password) for i in range(given.alone)]
            together = start_together(url, password, given.together)
    load = os.getloadavg()[1]
    print(f"{given.spawner}, load of the machine {load:.1f}, {os.cpu_count()} cores")
    tell("alone", alone, BAR_ALONE_S)
    tell(f"{given.together} at once", together, BAR_TOGETHER_S)


def start_together(url: str, password: str, people: int) -> list[float]:
    names = [f"many{i}" for i in range(people)]
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(lambda name: start(url, name, password), names))


@contextmanager
def open_hub(home: Path, spawner: str, **environment: str) -> Iterator[dict[str, str]]:
    """Keep a hub up until the block ends; gives what it said of itself."""
    program = Path(sys.executable).with_name("gateway")
    process = subprocess.Popen(
        [program, "up", "--home", str(home), "--port", "0", "--spawner", spawner, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GATEWAY_HUB_PEOPLE_TRUST_ONE_ANOTHER": "true", **environment},
    )
    try:
        yield json.loads(process.stdout.readline() if process.stdout is not None else "")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def start(url: str, name: str, password: str) -> float:
    """Return the seconds from the sign-in page to the answer of a kernel."""
    began = time.perf_counter()
    with notebook(url, name, password) as compute:
        if compute("print(1 + 1)") != "2":
            raise SystemExit(f"{name}: 1 + 1 is not 2")
        return time.perf_counter() - began


@contextmanager
def notebook(url: str, name: str, password: str) -> Iterator[Callable[[str], str]]:
    """Sign somebody in and start their server and a kernel; gives what runs code there."""
    with httpx.Client(base_url=url, timeout=PATIENCE_S, follow_redirects=True) as browser:
        browser.get("/hub/login")
        form = {"username": name, "password": password}
        form["_xsrf"] = browser.cookies.get("_xsrf", path="/hub/") or ""
        page = browser.post("/hub/login", data=form)
        page.raise_for_status()
        found = re.search(r'xsrf_token: "([^"]+)"', page.text)
        headers = {"X-XSRFToken": found[1] if found else ""}
        made = browser.post(f"/hub/api/users/{name}/tokens", headers=headers, json={})
        token = {"Authorization": f"token {made.json()['token']}"}
        server = f"/hub/api/users/{name}/server"
        browser.post(server, headers=headers).raise_for_status()
        try:
            with browser.stream("GET", f"{server}/progress", headers=headers) as lines:
                told = [json.loads(line[6:]) for line in lines.iter_lines() if line[:6] == "data: "]
            if not told or not told[-1].get("ready"):
                raise SystemExit(f"{name}: {told[-1:]}")
            place = f"{url}/user/{name}/api/kernels"
            kernel = httpx.post(place, headers=token, timeout=PATIENCE_S).json()["id"]
            address = f"{place.replace('http', 'ws', 1)}/{kernel}/channels"
            yield lambda code: compute(address, token, code)
        finally:
            browser.delete(server, headers=headers)


def compute(address: str, token: dict[str, str], code: str) -> str:
    """Run code in a kernel; return what it printed."""
    connection = websocket.create_connection(address, header=token, timeout=PATIENCE_S)
    sent = uuid.uuid4().hex
    header = {"msg_id": sent, "msg_type": "execute_request", "version": "5.3", "date": ""}
    header |= {"username": "", "session": uuid.uuid4().hex}
    content = {"code": code, "silent": False, "stop_on_error": True}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    connection.send(json.dumps({**message, "channel": "shell"}))
    printed = ""
    while True:
        got = json.loads(connection.recv())
        if got["parent_header"].get("msg_id") != sent:
            continue
        kind, content = got["msg_type"], got["content"]
        if kind == "stream":
            printed += str(content["text"])
        if kind == "error":
            raise SystemExit(f"{content['ename']}: {content['evalue']}")
        if kind == "status" and content["execution_state"] == "idle":
            connection.close()
            return printed.strip()


def tell(what: str, seconds: list[float], bar_s: float) -> None:
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    shown = ", ".join(f"{s:.1f}" for s in ordered)
    verdict = "ok" if p95 <= bar_s else "MISSED"
    print(f"{what:12} p95 {p95:5.1f} s (bar {bar_s:.0f} s: {verdict}); {shown}")


if __name__ == "__main__":
    main()
