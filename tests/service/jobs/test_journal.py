"""The journal: whoever has read up to a place goes on there, and tasks are told together."""

from gateway.run.events import PassStarted, RunStarted, TaskDone
from gateway.service.jobs.journal import Journal, JournalListener, read_documents
from gateway.service.jobs.progress import fold


def started(tasks: int, done: int = 0) -> list:
    run = {"run_id": "r1", "at": 100.0}
    return [
        RunStarted(
            **run,
            tool="t",
            passes=("find", "mask"),
            tasks=tasks,
            tasks_done=done,
            voxels=1000,
            bytes_read=1,
            bytes_written=1,
            workers=2,
            resumed=done > 0,
        ),
        PassStarted(
            **run, name="find", number=1, passes=2, tasks=tasks, tasks_done=done, voxels=1000
        ),
    ]


def done(count: int, tasks: int, at: float) -> TaskDone:
    return TaskDone(
        run_id="r1",
        at=at,
        name="find",
        task=count - 1,
        tasks=tasks,
        tasks_done=count,
        voxels=10,
        bytes_read=2,
        bytes_written=3,
        seconds=0.5,
    )


def test_many_tasks_are_told_together_and_none_is_lost(gateway) -> None:
    journal = Journal(gateway, "j1")
    listener = JournalListener(journal)
    for event in started(1000):
        listener(event)
    for number in range(1, 1001):
        listener(done(number, 1000, 100 + number / 100))
    documents = list(read_documents(journal))
    assert len(documents) < 100
    tasks = [item for item in documents if item["event"] == "TaskDone"]
    assert sum(item["voxels"] for item in tasks) == 10_000
    assert tasks[-1]["tasks_done"] == 1000


def test_a_reader_goes_on_where_it_stopped_and_waits_for_whole_lines(gateway) -> None:
    journal = Journal(gateway, "j1")
    assert list(journal.lines()) == []
    for status in ("queued", "running", "done"):
        journal.say(status)
    lines = list(journal.lines())
    assert [line.text for line in journal.lines(lines[0].place)] == [x.text for x in lines[1:]]
    assert list(journal.lines(lines[-1].place)) == []
    with journal.events.open("ab") as file:
        file.write(b'{"event": "half')
    assert list(journal.lines(lines[-1].place)) == []
    assert [x.text for x in journal.lines(3)] == [x.text for x in lines], "inside a line: anew"
    assert len(list(journal.lines(10**9))) == 3


def test_progress_tells_rate_and_time_left_of_this_execution() -> None:
    events = [*started(10, done=4), done(5, 10, 102.0), done(7, 10, 106.0)]
    progress = fold(event.to_json() for event in events)
    find = progress.passes[0]
    assert (find.done, find.before, progress.resumed) == (7, 4, True)
    assert find.rate == 20 / 6
    assert find.left_s == 3 * 6 / 3, "three tasks left, at two seconds each"
    assert progress.names == ("find", "mask")


def test_the_log_is_shown_by_its_end(gateway) -> None:
    journal = Journal(gateway, "j1")
    journal.open()
    journal.log.write_text("\n".join(f"line {number}" for number in range(20_000)))
    tail = journal.log_tail()
    assert tail.endswith("line 19999")
    assert len(tail) <= 64_000
    assert tail.startswith("line ")
