"""Leases under stress: many users on few fake GPUs, random starts, stops and kills.

    python benchmarks/bench_leases.py [--users 200] [--gpus 4] [--seconds 60] [--quick]
        [--image IMAGE]

Each user asks for a GPU, waits in line, starts a process that stands for the one that uses the
device, keeps the lease alive, then gives it back, or is killed with the process, or the process
alone is killed. With an image, every third user starts a container of it instead, on the engine
of DOCKER_HOST, which is removed or killed. A witness that knows nothing of the ledger watches the
processes themselves: two that name the same device at one time are a double assignment. Reported
are double assignments, leaks at the end, and the time from a death to the return of the device.
"""

import argparse
import collections
import os
import random
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import ConflictError
from gateway.service.gateway import Gateway, open_gateway
from gateway.service.home import init_home
from gateway.service.leases.containers import look_at_docker, reclaim_here
from gateway.service.leases.ledger import (
    ask,
    give_back,
    hand_over,
    list_leases,
    refresh,
    set_devices,
)
from gateway.service.leases.model import Device, Holder

POLL_S = 2.0
RECLAIM_EVERY_S = 5.0
RECLAIM_BAR_S = 60.0


@dataclass
class Record:
    """What was seen, by all threads."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    users: dict[str, str] = field(default_factory=dict)
    """Device to the process that uses it, as the users themselves tell."""
    doubles: list[str] = field(default_factory=list)
    deaths: dict[str, float] = field(default_factory=dict)
    reclaimed: list[float] = field(default_factory=list)
    counts: "collections.Counter[str]" = field(default_factory=collections.Counter)
    waits: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--gpus", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--image", help="what containers are made of, every third user's")
    parser.add_argument("--quick", action="store_true", help="40 users, 30 seconds")
    given = parser.parse_args()
    if given.quick:
        given.users, given.seconds = 40, 30
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        init_home(home)
        gateway = open_gateway(home)
        with gateway.catalogue:
            devices = [Device(name=f"gateway.test/gpu={n}", host="here") for n in range(given.gpus)]
            set_devices(gateway, devices)
            report(simulate(gateway, given), given)


def simulate(gateway: Gateway, given: argparse.Namespace) -> Record:
    record = Record()
    stop = time.monotonic() + given.seconds
    over = threading.Event()
    keeper = threading.Thread(target=keep, args=(gateway, record, over))
    keeper.start()
    with ThreadPoolExecutor(given.users) as pool:
        engine = look_at_docker(gateway) if given.image else None
        if given.image and engine is None:
            raise SystemExit("no container engine answers; set DOCKER_HOST, or leave --image out")
        images = [given.image if n % 3 == 0 else None for n in range(given.users)]
        users = [
            pool.submit(live, gateway, record, n, stop, image and (image, engine.engine))
            for n, image in enumerate(images)
        ]
        for user in users:
            user.result()
    deadline = time.monotonic() + RECLAIM_BAR_S
    while list_leases(gateway) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    over.set()
    keeper.join()
    record.counts["leaked"] = len(list_leases(gateway))
    return record


def keep(gateway: Gateway, record: Record, over: threading.Event) -> None:
    """Reclaim what the dead held, as the service does."""
    while not over.wait(RECLAIM_EVERY_S):
        ended = reclaim_here(gateway)
        now = time.monotonic()
        with record.lock:
            died = [record.deaths.pop(lease, now) for lease in ended]
            record.reclaimed += [now - moment for moment in died]


def live(
    gateway: Gateway,
    record: Record,
    number: int,
    stop: float,
    image: tuple[str, str] | None,
) -> None:
    chance = random.Random(number)  # noqa: S311 - which of them dies is no secret
    person = f"user{number % 50}"
    while time.monotonic() < stop:
        time.sleep(chance.uniform(0, 3))
        if image is not None:
            contained(gateway, record, chance, person, image, stop)
            continue
        process = subprocess.Popen(["sleep", "3600"])  # noqa: S607 - from PATH
        try:
            session(gateway, record, chance, person, process, stop)
        finally:
            process.kill()
            process.wait()


def session(  # noqa: PLR0917 - a script
    gateway: Gateway,
    record: Record,
    chance: random.Random,
    person: str,
    process: "subprocess.Popen[bytes]",
    stop: float,
) -> None:
    """Ask, wait in line, use, and end in one of the ways that happen."""
    began = time.monotonic()
    lease = ask(gateway, person, Holder.this_process(process.pid), purpose="notebook")
    while lease.status == "waiting":
        if time.monotonic() > stop or chance.random() < 0.01:
            give_back(gateway, lease.id, "gave up")
            record.counts["gave up"] += 1
            return
        time.sleep(POLL_S)
        lease = refresh(gateway, lease.id)
    record.waits.append(time.monotonic() - began)
    device = lease.devices[0]
    use(record, device, lease.id)
    time.sleep(chance.uniform(0.05, 2))
    ending = chance.random()
    leave(record, device, lease.id)
    if ending < 0.5:
        give_back(gateway, lease.id)
        record.counts["gave back"] += 1
        return
    with record.lock:
        record.deaths[lease.id] = time.monotonic()
        record.counts["killed"] += 1
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if ending < 0.75:  # the agent outlives its process and goes on saying that it lives
        try:
            refresh(gateway, lease.id)
        except ConflictError:
            return


def contained(  # noqa: PLR0917 - a script
    gateway: Gateway,
    record: Record,
    chance: random.Random,
    person: str,
    image: tuple[str, str],
    stop: float,
) -> None:
    """The same with a container, as a hub does: asked for by us, then held by the container."""
    holder = Holder.this_process(starting=True)
    lease = ask(gateway, person, holder, purpose="notebook")
    while lease.status == "waiting":
        if time.monotonic() > stop:
            give_back(gateway, lease.id, "gave up")
            record.counts["gave up"] += 1
            return
        time.sleep(POLL_S)
        lease = refresh(gateway, lease.id)
    label = f"gateway.lease={lease.id}"
    words = ["run", "--detach", "--network", "none", "--label", label]
    container = docker(*words, image[0], "sleep", "3600")
    hand_over(gateway, lease.id, Holder.container(container, image[1]))
    use(record, lease.devices[0], lease.id)
    time.sleep(chance.uniform(0.05, 2))
    leave(record, lease.devices[0], lease.id)
    if chance.random() < 0.5:
        docker("rm", "--force", container)
        give_back(gateway, lease.id)
        record.counts["containers gave back"] += 1
        return
    docker("kill", container)
    with record.lock:
        record.deaths[lease.id] = time.monotonic()
        record.counts["containers killed"] += 1
    docker("rm", "--force", container)


def docker(*words: str) -> str:
    # /usr/bin first: there may be clients of other engines on the path
    done = subprocess.run(["/usr/bin/docker", *words], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def use(record: Record, device: str, lease: str) -> None:
    with record.lock:
        other = record.users.get(device)
        if other is not None:
            record.doubles.append(f"{device}: {other} and {lease}")
        record.users[device] = lease


def leave(record: Record, device: str, lease: str) -> None:
    with record.lock:
        if record.users.get(device) == lease:
            del record.users[device]


def report(record: Record, given: argparse.Namespace) -> None:
    print(f"{given.users} users, {given.gpus} fake GPUs, {given.seconds:.0f} s, SQLite")
    print(", ".join(f"{count} {name}" for name, count in sorted(record.counts.items())))
    print(f"double assignments {len(record.doubles)} (bar 0)")
    print(f"leaks at the end   {record.counts['leaked']} (bar 0)")
    longest = max(record.reclaimed, default=0.0)
    print(f"longest reclaim    {longest:.1f} s (bar {RECLAIM_BAR_S:.0f})")
    print(f"wait in line       median {statistics.median(record.waits or [0]):.1f} s")
    if record.doubles or record.counts["leaked"] or longest > RECLAIM_BAR_S:
        raise SystemExit("a bar is missed")


if __name__ == "__main__":
    main()
