"""The docker engine: workers in containers of the tool's image, which see what their run needs."""

import secrets
from contextlib import suppress

from gateway.errors import RunError
from gateway.run.container import Account, give, is_orphan, run_words
from gateway.run.docker_client import LABEL, DockerClient
from gateway.run.engine import Job
from gateway.run.local import ONE_THREAD, LocalEngine, Worker
from gateway.run.tasks import Workspace

_KILLED = 137


class DockerEngine(LocalEngine):
    """Worker processes like those of this machine, each the only one in a container."""

    def __init__(self, client: DockerClient) -> None:
        """Make an engine without workers; they start with the first job."""
        super().__init__()
        self._client = client
        self._swept = False

    def run(self, job: Job) -> None:
        """Compute the tasks of a job in `job.workers` containers."""
        if not self._swept:
            self._sweep(job.space)
        staging = job.space.staging
        root, folder = staging.store.local_path(""), staging.store.local_path(staging.key())
        if root is None or folder is None:
            super().run(job)
            return
        owner = root.stat()
        give(folder, Account.of_store(root))
        try:
            super().run(job)
        finally:
            give(folder, Account(owner.st_uid, owner.st_gid))

    def _sweep(self, space: Workspace) -> None:
        """Remove containers that an earlier process left behind, of this run or of any."""
        shown = '{{.ID}}\t{{.Label "%s.run"}}\t{{.Label "%s.owner"}}' % (LABEL, LABEL)  # noqa: UP031
        words = ("ps", "--all", "--filter", f"label={LABEL}.run", "--format", shown)
        rows = [line.split("\t") for line in self._client.call(*words).splitlines()]
        # we hold the lock of this run: whoever else works at it is left over
        left = [key for key, run, by in rows if run == space.staging.run.name or is_orphan(by)]
        if left:
            self._client.call("rm", "--force", *left)
        self._swept = True

    def _start(self, space: Workspace) -> Worker:
        name = f"gateway-run-{space.staging.run.name}-{secrets.token_hex(4)}"
        store, options = space.staging.store, space.plan.options
        account = Account.of_store(store.local_path(""))
        words = [self._client.program, "run", *run_words(space, name, account)]
        for variable in ONE_THREAD:
            words += ["--env", f"{variable}=1"]
        words += ["--env", "HOME=/tmp", options.image]
        words += ["python", "-m", "gateway.run.worker", "--store", store.url]
        words += ["--run", str(space.staging.run), "--serve"]
        return self._launch(words, self._client.environment, name)

    def _end(self, worker: Worker) -> None:
        with suppress(RunError):  # the engine itself may be what died; the sweep comes back to it
            self._client.call("rm", "--force", worker.name)
        super()._end(worker)

    def _death(self, worker: Worker, trace: str) -> str:
        code = worker.process.wait()
        try:
            shown = "{{.State.ExitCode}} {{.State.OOMKilled}} {{.HostConfig.Memory}}"
            said = self._client.call("container", "inspect", "--format", shown, worker.name)
            status, starved, memory = said.split()
        except RunError:
            words = trace.strip().splitlines()[-1:]
            return ": ".join([f"the container is gone, docker ended with status {code}", *words])
        if starved == "true":
            return f"the container ran out of memory: its share is {int(memory):,} bytes"
        if int(status) == _KILLED:
            return "the container was killed"
        words = trace.strip().splitlines()[-1:]
        return ": ".join([f"the container ended with status {status}", *words])
