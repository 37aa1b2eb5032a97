"""From sign-in to a kernel that computes, through `gateway up`: alone, then many people at once.

Each person signs in with a browser of their own, starts a server, starts a kernel over its
websocket, and gets the answer of `1 + 1`; then the server is stopped.

    python benchmarks/bench_spawn.py [--spawner local|docker] [--alone 5] [--together 10]
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
from concurrent.futures import ThreadPoolExecutor
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
        process, said = open_hub(home, given.spawner)
        url, password = said["address"].rstrip("/"), said["shared_password"]
        try:
            start(url, "warm", password)  # files come into memory once
            alone = [start(url, f"alone{i}", password) for i in range(given.alone)]
            names = [f"many{i}" for i in range(given.together)]
            with ThreadPoolExecutor(len(names)) as pool:
                together = list(pool.map(lambda name: start(url, name, password), names))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()
    load = os.getloadavg()[1]
    print(f"{given.spawner}, load of the machine {load:.1f}, {os.cpu_count()} cores")
    tell("alone", alone, BAR_ALONE_S)
    tell(f"{given.together} at once", together, BAR_TOGETHER_S)


def open_hub(home: Path, spawner: str) -> tuple["subprocess.Popen[str]", dict[str, str]]:
    program = Path(sys.executable).with_name("gateway")
    process = subprocess.Popen(
        [program, "up", "--home", str(home), "--port", "0", "--spawner", spawner, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GATEWAY_HUB_PEOPLE_TRUST_ONE_ANOTHER": "true"},
    )
    line = process.stdout.readline() if process.stdout is not None else ""
    return process, json.loads(line)


def start(url: str, name: str, password: str) -> float:
    """Return the seconds from the sign-in page to the answer of a kernel."""
    began = time.perf_counter()
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
        browser.post(f"/hub/api/users/{name}/server", headers=headers).raise_for_status()
        progress = f"/hub/api/users/{name}/server/progress"
        with browser.stream("GET", progress, headers=headers) as lines:
            events = [json.loads(line[6:]) for line in lines.iter_lines() if line[:6] == "data: "]
        if not events or not events[-1].get("ready"):
            raise SystemExit(f"{name}: {events[-1:]}")
        place = f"{url}/user/{name}/api/kernels"
        kernel = httpx.post(place, headers=token, timeout=PATIENCE_S).json()["id"]
        address = f"{place.replace('http', 'ws', 1)}/{kernel}/channels"
        computes(address, token)
        wall_s = time.perf_counter() - began
        browser.delete(f"/hub/api/users/{name}/server", headers=headers)
    return wall_s


def computes(address: str, token: dict[str, str]) -> None:
    connection = websocket.create_connection(address, header=token, timeout=PATIENCE_S)
    sent = uuid.uuid4().hex
    header = {"msg_id": sent, "msg_type": "execute_request", "version": "5.3", "date": ""}
    header |= {"username": "", "session": uuid.uuid4().hex}
    content = {"code": "1 + 1", "silent": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    connection.send(json.dumps({**message, "channel": "shell"}))
    while True:
        got = json.loads(connection.recv())
        if got["msg_type"] == "execute_result" and got["parent_header"]["msg_id"] == sent:
            connection.close()
            if got["content"]["data"]["text/plain"] != "2":
                raise SystemExit(f"1 + 1 is {got['content']}")
            return


def tell(what: str, seconds: list[float], bar_s: float) -> None:
    ordered = sorted(seconds)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    shown = ", ".join(f"{s:.1f}" for s in ordered)
    verdict = "ok" if p95 <= bar_s else "MISSED"
    print(f"{what:12} p95 {p95:5.1f} s (bar {bar_s:.0f} s: {verdict}); {shown}")


if __name__ == "__main__":
    main()
