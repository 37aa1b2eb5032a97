"""The queue: many who look at it start each job once, within the limit, on both databases."""

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import psutil
import pytest

from gateway.errors import ForbiddenError
from gateway.records.database import writing
from gateway.service.access.actor import Actor, Role
from gateway.service.access.grants import grant, grants_of
from gateway.service.access.named import actor_named
from gateway.service.access.people import ensure_person
from gateway.service.calls import call_from_words
from gateway.service.ingest import IngestOptions, ingest
from gateway.service.jobs.dispatch import is_dead, start_waiting
from gateway.service.jobs.job import JobFilter, add_job, change_job, list_jobs, new_job, read_job
from gateway.service.jobs.journal import Journal
from gateway.service.jobs.requests import ask, cancel, see
from gateway.service.jobs.rights import check_call, is_new
from gateway.volumes.ref import parse_ref


@pytest.fixture
def brain(shared):
    source = shared.home / "raw.npy"
    np.save(source, np.random.default_rng(2).integers(0, 999, (16, 24, 24)).astype(np.uint16))
    ingest(shared, source, parse_ref("brain/raw"), IngestOptions(voxel_um=(1.0, 1.0, 1.0)))
    for person in ("ana", "ben"):
        ensure_person(shared, person)
        grant(shared, "brain", f"person:{person}", Role.EDITOR)
    return shared


def smooth(out: str):
    words = ({"image": "brain/raw"}, {"image": out}, {"sigma_um": 1.0})
    return call_from_words("smooth_gaussian", *words)


def wait_for_all(gateway, seconds: float = 120) -> list[str]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        start_waiting(gateway)
        found = list_jobs(gateway, JobFilter(limit=100))
        if not any(job.live for job in found):
            return [job.status for job in found]
        time.sleep(0.1)
    raise AssertionError([job.status for job in list_jobs(gateway, JobFilter())])


def test_many_who_look_at_once_start_each_job_once(brain) -> None:
    with writing(brain.database) as connection:
        for person in ("ana", "ben"):
            for number in range(2):
                add_job(connection, new_job(person, smooth(f"brain/{person}{number}"), {}))
    with ThreadPoolExecutor(8) as pool:
        started = [job for jobs in pool.map(start_waiting, [brain] * 8) for job in jobs]
    assert len(started) == len(set(started)) == 2, "one of each person"
    assert {read_job(brain, job).person for job in started} == {"ana", "ben"}
    # a runner that ends starts the next
    assert wait_for_all(brain) == ["done"] * 4
    for job in list_jobs(brain, JobFilter()):
        said = [line.text for line in Journal(brain, job.id).lines()]
        assert sum('"RunStarted"' in text for text in said) == 1


def test_a_running_job_is_dead_without_its_process(brain) -> None:
    now = datetime.now(UTC)
    job = new_job("ana", smooth("brain/soft"), {})
    own = {"pid": os.getpid(), "pid_started": psutil.Process().create_time()}
    here = {"status": "running", "host": platform.node(), "started": now, "beat": now, **own}
    with writing(brain.database) as connection:
        add_job(connection, job)
        change_job(connection, job.id, **here)
    assert not is_dead(read_job(brain, job.id), now)
    later = now + timedelta(minutes=2)

    def changed(**values):
        with writing(brain.database) as connection:
            change_job(connection, job.id, **values)
        return read_job(brain, job.id)

    assert is_dead(changed(pid_started=own["pid_started"] - 500), now), "another of that number"
    assert not is_dead(changed(pid=None), now), "it may be loading"
    assert is_dead(changed(pid=None), later), "it never came"
    assert not is_dead(changed(host="elsewhere", pid=1), now)
    assert is_dead(changed(host="elsewhere", pid=1), later), "silent for too long"
    changed(host=platform.node(), pid=own["pid"], pid_started=1.0)
    assert start_waiting(brain) == []
    found = see(brain, Actor(person="ana"), job.id)
    assert found.status == "interrupted"
    assert "resume it" in (found.error or "")


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(brain) -> None:
    ana = actor_named(brain, "ana")
    first = ask(brain, ana, smooth("brain/a"))
    second = ask(brain, ana, smooth("brain/b"))
    assert (first.status, second.status) == ("running", "queued")
    assert cancel(brain, ana, second.id).status == "cancelled"
    assert sorted(wait_for_all(brain)) == ["cancelled", "done"]
    assert not brain.store.exists("brain/b.ome.zarr/zarr.json")


def test_of_two_who_want_a_new_dataset_one_has_it(brain) -> None:
    ana, ben = actor_named(brain, "ana"), actor_named(brain, "ben")

    def claim(actor: Actor) -> bool:
        try:
            check_call(brain, actor, smooth("fresh/soft"), claim=True)
        except ForbiddenError:
            return False
        return True

    assert is_new(brain, "fresh")
    with ThreadPoolExecutor(2) as pool:
        got = list(pool.map(claim, [ana, ben]))
    assert sorted(got) == [False, True]
    owner = "ana" if got[0] else "ben"
    assert grants_of(brain, "fresh") == {f"person:{owner}": Role.OWNER}
    assert not is_new(brain, "fresh")


def test_who_left_may_not_have_their_jobs_run(brain) -> None:
    with pytest.raises(ForbiddenError, match="zoe may no longer sign in"):
        actor_named(brain, "zoe")
