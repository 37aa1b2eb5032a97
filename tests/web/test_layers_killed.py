"""Two robots edit one layer while the service is killed again and again: no edit is lost.

`GATEWAY_KILLS` says how often it is killed.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.service.access.actor import Role
from gateway.service.access.grants import grant
from gateway.service.access.people import ensure_person
from gateway.service.access.sessions import open_session
from gateway.service.gateway import Gateway, open_gateway

KILLS = int(os.environ.get("GATEWAY_KILLS", "12"))
LAYER = "/api/layers/brain/contested"
SHARED = 12
"""Objects that both robots change, so that they also conflict."""


FORKING = """
import os, signal, sys
import gateway.web.app
from gateway.web.__main__ import main
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
for line in iter(sys.stdin.readline, ""):
    if os.fork() == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        print(os.getpid(), flush=True)
        os._exit(main())
"""


class Robot(threading.Thread):
    """Edits as a page does: takes in what others did, sends differences, tries again when cut."""

    def __init__(self, address: Callable[[], str], token: str, seed: int) -> None:
        super().__init__(daemon=True)
        self.address = address
        # one client for all requests: making one costs more than a request
        self.client = httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=10)
        self.random = random.Random(seed)  # noqa: S311 - not a secret
        self.version = 0
        self.view: dict[int, dict[str, Any]] = {}
        self.acknowledged: list[tuple[int, dict[str, Any]]] = []
        """The version that each acknowledged edit made, and the edit."""
        self.conflicts = 0
        self.cuts = 0
        self.stop = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self.step()
            self.catch_up()
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.failure = error

    def step(self) -> None:
        edits = [self.invent() for _ in range(self.random.randint(1, 4))]
        body = {"base": self.version, "key": uuid.uuid4().hex, "edits": edits}
        answer = self.ask("POST", f"{LAYER}/edits", json=body)
        refused = {conflict["edit"] for conflict in answer["conflicts"]}
        self.conflicts += len(refused)
        created = iter(answer["created"])
        for place, edit in enumerate(edits):
            if place in refused:
                continue
            number = next(created) if edit["op"] == "create" else edit["id"]
            self.acknowledged.append((answer["version"], {**edit, "id": number}))
        if self.random.random() < 0.6:  # else it goes on from what it saw before, and may conflict
            self.catch_up()

    def invent(self) -> dict[str, Any]:
        r = self.random
        mine = [number for number in self.view if number > SHARED]
        kind = r.random()
        if kind < 0.4 or not mine:
            at = [r.uniform(0, 270), r.uniform(0, 110), r.uniform(0, 90)]
            return {"op": "create", "points": [at], "properties": {"nonce": r.getrandbits(50)}}
        number = r.choice(mine) if r.random() < 0.5 else r.randint(1, SHARED)
        if kind < 0.5 and number > SHARED:
            return {"op": "delete", "id": number}
        if kind < 0.75:
            return {"op": "set", "id": number, "comment": uuid.uuid4().hex}
        return {"op": "set", "id": number, "properties": {f"p{r.randint(0, 3)}": r.getrandbits(50)}}

    def catch_up(self) -> None:
        while True:
            told = self.ask("GET", f"{LAYER}/edits", params={"since": self.version})
            for batch in told["batches"]:
                assert batch["version"] == self.version + 1, "no version is skipped"
                self.version = batch["version"]
                for edit in batch["edits"]:
                    take_in(self.view, edit)
            if not told["more"]:
                return

    def ask(self, method: str, path: str, **how: Any) -> dict[str, Any]:
        """Ask until there is an answer: whoever was not answered does not know what became."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                url = f"{self.address()}{path}"
                answer = self.client.request(method, url, **how)
            except httpx.HTTPError:
                self.cuts += 1
                time.sleep(0.02)
                continue
            assert answer.status_code == 200, answer.text
            return answer.json()
        raise AssertionError("the service did not come back")


def take_in(view: dict[int, dict[str, Any]], edit: dict[str, Any]) -> None:
    """Do to a page's view what an edit of the log tells."""
    number, after = edit["id"], edit["after"]
    if after is None:
        view.pop(number, None)
        return
    item = view.setdefault(number, {"properties": {}})
    properties = {**item["properties"], **after.get("properties", {})}
    kept = {name: value for name, value in properties.items() if value is not None}
    item.update({n: v for n, v in after.items() if n != "born"}, properties=kept)


def check_nothing_lost(robots: list[Robot], log: list[dict[str, Any]]) -> int:
    """Hold every acknowledged edit against the log, in which it must be once; count them."""
    after = {(b["version"], e["id"]): e for b in log for e in b["edits"]}
    total = 0
    for robot in robots:
        for version, edit in robot.acknowledged:
            total += 1
            kept = after.get((version, edit["id"]))
            if edit["op"] == "delete":
                # the other robot may have deleted it as well
                gone = [e for (_, n), e in after.items() if n == edit["id"] and e["after"] is None]
                assert len(gone) == 1, edit
                continue
            assert kept is not None, (version, edit)
            if "comment" in edit:
                comments = [
                    e["after"]["comment"]
                    for b in log
                    for e in b["edits"]
                    if e["after"] and e["after"].get("comment") == edit["comment"]
                ]
                assert len(comments) == 1, edit
    return total


def wait_for_work(robots: list[Robot]) -> None:
    """Wait until each robot was answered once more: then a kill hits them at work."""
    before = [len(robot.acknowledged) for robot in robots]
    deadline = time.monotonic() + 120
    while any(len(r.acknowledged) == n for r, n in zip(robots, before, strict=True)):
        failed = [repr(robot.failure) for robot in robots if robot.failure]
        assert not failed, failed
        assert time.monotonic() < deadline, "the robots get no answers"
        time.sleep(0.01)


class Service:
    """The service that is killed and started again, each time on another port.

    Each is a process of its own that runs the program of `gateway serve`, forked from one that has
    loaded its modules: 200 times that would take longer than all the editing.
    """

    def __init__(self, home: Path) -> None:
        self.url = "http://127.0.0.1:9"
        self._process = 0
        self._log = (home / "service.log").open("w")
        where = {**os.environ, "GATEWAY_HOME": str(home), "GATEWAY_PORT": "0"}
        command = [sys.executable, "-c", FORKING]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._log}
        self._parent = subprocess.Popen(command, text=True, env=where, **pipes)

    def start(self) -> None:
        self._parent.stdin.write("\n")
        self._parent.stdin.flush()
        self._process = int(self._parent.stdout.readline())
        self.url = self._parent.stdout.readline().rsplit(" at ", 1)[-1].strip()
        assert self._parent.stdout.readline().startswith("Sign in")

    def kill(self) -> None:
        os.kill(self._process, signal.SIGKILL)

    def close(self) -> None:
        os.kill(self._process, signal.SIGTERM)
        self._parent.stdin.close()
        self._parent.wait(timeout=60)
        self._parent.stdout.close()
        self._log.close()


def kill_again_and_again(service: Service, robots: list[Robot]) -> None:
    chance = random.Random(KILLS)  # noqa: S311 - not a secret
    for kill in range(1, KILLS + 1):
        wait_for_work(robots)
        time.sleep(chance.uniform(0, 0.5))
        service.kill()
        service.start()
        if kill % 10 == 0:
            edits = sum(len(robot.acknowledged) for robot in robots)
            print(f"killed {kill} times, {edits} edits acknowledged", flush=True)  # noqa: T201 - for who waits


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_no_acknowledged_edit_is_lost_and_both_robots_agree(home, put_volume) -> None:
    service = Service(home)
    service.start()
    gateway: Gateway = open_gateway(home)
    put_volume(gateway.store, "brain/raw")
    tokens = {}
    for person, role in (("ana", Role.ANNOTATOR), ("ben", Role.ANNOTATOR), ("eve", Role.EDITOR)):
        ensure_person(gateway, person)
        grant(gateway, "brain", f"person:{person}", role)
        tokens[person] = open_session(gateway, person, kind="token")
    eve = {"Authorization": f"Bearer {tokens['eve']}"}
    body = {"name": "contested", "volume": "raw"}
    made = httpx.post(f"{service.url}/api/layers/brain", json=body, headers=eve, timeout=30)
    assert made.status_code == 201, made.text
    points = [{"op": "create", "points": [[n, n, n]]} for n in range(1, SHARED + 1)]
    first = httpx.post(
        f"{service.url}{LAYER}/edits", json={"base": 0, "edits": points}, headers=eve, timeout=30
    )
    assert first.status_code == 200, first.text
    robots = [Robot(lambda: service.url, tokens[name], n) for n, name in enumerate(("ana", "ben"))]
    for robot in robots:
        robot.start()
    kill_again_and_again(service, robots)
    time.sleep(1)
    for robot in robots:
        robot.stop.set()
    for robot in robots:
        robot.join(timeout=120)
        assert not robot.is_alive()
        assert robot.failure is None, repr(robot.failure)
    for robot in robots:
        robot.catch_up()
    log = robots[0].ask("GET", f"{LAYER}/edits", params={"since": 0, "limit": 1000})["batches"]
    while log[-1]["version"] < robots[0].version:
        params = {"since": log[-1]["version"], "limit": 1000}
        log += robots[0].ask("GET", f"{LAYER}/edits", params=params)["batches"]
    total = check_nothing_lost(robots, log)
    assert robots[0].version == robots[1].version
    assert robots[0].view == robots[1].view
    page = robots[0].ask("GET", f"{LAYER}/objects", params={"limit": 20_000})
    stored = {item.pop("id"): item for item in page["objects"]}
    for item in stored.values():
        del item["version"]
    assert stored == robots[0].view, "what the log tells is what the database holds"
    cuts, conflicts = (sum(getattr(r, what) for r in robots) for what in ("cuts", "conflicts"))
    print(f"{KILLS} kills, {total} acknowledged edits, 0 lost, {conflicts} conflicts, {cuts} cuts")  # noqa: T201 - the figure
    assert total > KILLS
    for robot in robots:
        robot.client.close()
    service.close()
    gateway.catalogue.close()
