import io
import json

from rich.console import Console
from rich.progress import Progress, TextColumn

from gateway.cli.progress import Bars, Lines, show_count, show_events
from gateway.run.events import PassStarted, RunFinished, RunStarted, TaskDone, TaskRetried

RUN = {"run_id": "abc"}
STARTED = RunStarted(
    **RUN,
    tool="stitch",
    passes=("pairs", "fuse"),
    tasks=6,
    tasks_done=2,
    voxels=100,
    bytes_read=1,
    bytes_written=1,
    workers=2,
    resumed=True,
)
PASS = PassStarted(**RUN, name="fuse", number=2, passes=2, tasks=4, tasks_done=1, voxels=4_000_000)
RETRIED = TaskRetried(
    **RUN, name="fuse", task=3, block="0:64,0:64,0:64", attempt=1, reason="killed"
)


def done(count):
    return TaskDone(
        **RUN,
        name="fuse",
        task=count,
        tasks=4,
        tasks_done=count,
        voxels=1_000_000,
        bytes_read=1,
        bytes_written=1,
        seconds=0.1,
    )


EVENTS = [
    STARTED,
    PASS,
    done(2),
    RETRIED,
    done(3),
    done(4),
    RunFinished(**RUN, wall_s=1.5, outputs={}),
]


def test_a_log_gets_plain_lines(capsys):
    lines = Lines()
    for event in EVENTS:
        lines(event)
    said = capsys.readouterr()
    assert said.out == ""
    assert "stitch: 6 tasks, 2 done before, 2 worker(s)" in said.err
    assert "pass 2/2 fuse: 4 tasks" in said.err
    assert "a worker died at fuse 0:64,0:64,0:64 (attempt 1): killed" in said.err
    assert "done in 1.5 s" in said.err


def test_a_terminal_gets_a_bar_per_pass_with_the_rate():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with Progress(TextColumn("{task.description} {task.completed}"), console=console) as progress:
        bars = Bars(progress)
        for event in EVENTS:
            bars(event)
        (bar,) = progress.tasks
    assert bar.completed == bar.total == 4
    assert bar.fields["rate"].endswith(" Mvoxel/s")
    assert "a worker died" in screen.getvalue()


def test_events_are_json_lines_where_that_is_asked(capsys):
    with show_events(as_json=True) as listener:
        for event in EVENTS:
            listener(event)
    read = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in read][:2] == ["RunStarted", "PassStarted"]
    assert len(read) == len(EVENTS)


def test_a_count_is_silent_where_there_is_no_terminal(capsys):
    with show_count("verify") as progress:
        progress(1, 2)
    assert capsys.readouterr().err == ""
