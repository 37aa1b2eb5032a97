"""From sign-in to a kernel that computes in a fresh container: alone, many at once, and our share.

Two hubs run side by side on one engine: `gateway up`, and the same with DockerSpawner as it comes,
without hooks, binds, limits or isolation. One person after the other starts at the one and at the
other; the median of the differences is what our spawner and its hooks cost. The image must be on
the engine; the first start of each hub is not counted.

    python benchmarks/bench_spawn_docker.py [--image IMAGE] [--alone 8] [--together 10]
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

from bench_spawn import BAR_ALONE_S, BAR_TOGETHER_S, start, start_together, tell
from container_hub import ContainerHub, container_hub

from gateway.hub import docker as containers
from gateway.hub.profiles import LAB_IMAGE
from gateway.service.settings import Settings

BAR_HOOKS_S = 0.3
PLAIN = """
from gateway.service.container_engine import engine_place
c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
c.Spawner.pre_spawn_hook = c.Spawner.post_stop_hook = c.Spawner.apply_user_options = None
c.Spawner.options_form = ""
c.Spawner.cmd = ["jupyterhub-singleuser"]
c.DockerSpawner.client_kwargs = engine_place(None)
c.DockerSpawner.image = "IMAGE"
c.DockerSpawner.network_name = c.DockerSpawner.prefix = "NETWORK"
c.DockerSpawner.extra_create_kwargs = dict(entrypoint=[])
c.DockerSpawner.use_internal_ip = c.DockerSpawner.remove = True
c.DockerSpawner.pull_policy = "never"
"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--image", default=LAB_IMAGE)
    options.add_argument("--alone", type=int, default=8, help="how often one person starts")
    options.add_argument("--together", type=int, default=10, help="people at once")
    given = options.parse_args()
    lack = containers.lack(Settings(hub_images=(f"lab={given.image}",)))
    if lack is not None:
        print(f"no containers here: {lack}")
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        container_hub(Path(folder) / "ours", given.image) as ours,
        container_hub(
            Path(folder) / "plain", given.image, PLAIN.replace("IMAGE", given.image)
        ) as plain,
    ):
        for hub in (ours, plain):
            once(hub, "warm")
        pairs = [(once(ours, f"alone{i}"), once(plain, f"alone{i}")) for i in range(given.alone)]
        together = start_together(ours.url, ours.password, given.together)
    report(pairs, together)


def once(hub: ContainerHub, name: str) -> float:
    return start(hub.url, name, hub.password)


def report(pairs: list[tuple[float, float]], together: list[float]) -> None:
    print(f"containers, load of the machine {os.getloadavg()[1]:.1f}, {os.cpu_count()} cores")
    tell("alone", [ours for ours, _ in pairs], BAR_ALONE_S)
    tell("plain", [plain for _, plain in pairs], BAR_ALONE_S)
    tell(f"{len(together)} at once", together, BAR_TOGETHER_S)
    cost = statistics.median(ours - plain for ours, plain in pairs)
    verdict = "ok" if cost <= BAR_HOOKS_S else "MISSED"
    print(f"our hooks    median {cost:+.2f} s (bar {BAR_HOOKS_S} s: {verdict})")


if __name__ == "__main__":
    main()
