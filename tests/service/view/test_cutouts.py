"""Pipes: what is written is read, errors come through, and who goes away ends the writer."""

import threading

import pytest

from gateway.errors import CallError, StoreError
from gateway.service.view.cutouts import Request, parse_box, parse_box_um, plan_cutout
from gateway.service.view.pipe import Pipe
from gateway.volumes.box import Box
from gateway.volumes.ref import Ref


def everything(pipe):
    pieces = []
    while piece := pipe.read():
        pieces.append(piece)
    return b"".join(pieces)


def test_what_is_written_is_read_in_order() -> None:
    content = bytes(range(256)) * 40_000

    def write(out):
        out.write(content[:10])
        out.write(memoryview(content)[10:])

    pipe = Pipe(write, "test")
    assert everything(pipe) == content
    assert pipe.read() == b""
    assert pipe.join(5)


def test_an_error_of_the_writer_comes_to_the_reader() -> None:
    def write(out):
        out.write(b"x" * 1_000_000)
        raise StoreError("the disk is gone")

    with pytest.raises(StoreError, match="disk is gone"):
        everything(Pipe(write, "test"))


def test_a_slow_reader_holds_the_writer_up_and_one_that_leaves_ends_it() -> None:
    written = 0
    ended = threading.Event()

    def write(out):
        nonlocal written
        try:
            for _ in range(10_000):
                out.write(b"x" * 1_000_000)
                written += 1
        finally:
            ended.set()

    pipe = Pipe(write, "test")
    pipe.read()
    assert not pipe.join(0.5)
    assert written < 20
    pipe.close()
    assert pipe.join(10)
    assert ended.is_set()


@pytest.mark.parametrize("form", ["npy", "nii.gz", "nrrd", "zip", "tif"])
def test_every_writer_ends_when_its_reader_leaves(brain, form) -> None:
    cutout = plan_cutout(brain, Ref("brain", "image"), Request(form=form))
    pipe = Pipe(cutout.write, "test")
    assert pipe.read()
    pipe.close()
    assert pipe.join(20)


def test_boxes_are_read_as_text() -> None:
    assert parse_box("1:2, 3:4, 5:6") == Box((1, 3, 5), (2, 4, 6))
    assert parse_box_um("-1:.5,3.:4e1,5:6") == ((-1, 3, 5), (0.5, 40, 6))
    for text in ("", "1:2", "1:2,3:4,5:x", "1:2,3:4,5:6,7:8", "-1:2,3:4,5:6", "٣:4,1:2,3:4"):
        with pytest.raises(CallError, match="malformed"):
            parse_box(text)
    for text in ("", "nan:1,0:1,0:1", "inf:1,0:1,0:1", "1e999:2,0:1,0:1"):
        with pytest.raises(CallError, match="malformed"):
            parse_box_um(text)
