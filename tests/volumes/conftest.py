"""A web server on loopback, and volumes as a run writes them."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, product
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest
from numpy.typing import NDArray

from gateway.algo.pyramid import reduce_mean, reduce_mode
from gateway.volumes.layout import shard_boxes
from gateway.volumes.local_store import LocalStore
from gateway.volumes.model import VolumeInfo
from gateway.volumes.store import Store
from gateway.volumes.volume import Volume, open_volume
from gateway.volumes.writer import create_volume, open_writer


class FolderServer:
    """A web server over one folder that answers GET, HEAD and ranges, and logs the paths asked."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, str]] = []
        self.missing_status = 404
        handler = partial(_Handler, owner=self, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def web_folder(tmp_path: Path) -> Iterator[tuple[Path, FolderServer]]:
    """Serve an empty folder on loopback."""
    folder = tmp_path / "web"
    folder.mkdir()
    server = FolderServer(folder)
    yield folder, server
    server.stop()


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *args: Any, owner: FolderServer, **kwargs: Any) -> None:
        self._owner = owner
        super().__init__(*args, **kwargs)

    def log_message(self, *_args: Any) -> None:
        pass

    def send_error(self, code: int, *args: Any, **kwargs: Any) -> None:
        super().send_error(self._owner.missing_status if code == 404 else code, *args, **kwargs)

    def list_directory(self, path: Any) -> None:  # noqa: ARG002
        self.send_error(404)

    def do_HEAD(self) -> None:
        self._owner.asked.append(("HEAD", self.path))
        super().do_HEAD()

    def do_GET(self) -> None:
        self._owner.asked.append(("GET", self.path))
        asked = self.headers.get("Range")
        path = Path(self.translate_path(self.path))
        if not asked or not path.is_file():
            super().do_GET()
            return
        content = path.read_bytes()
        first, _, last = asked.removeprefix("bytes=").partition("-")
        start = int(first) if first else max(0, len(content) - int(last))
        stop = min(len(content), int(last) + 1) if first and last else len(content)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        self.wfile.write(content[start:stop])


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """Return an empty store in a folder."""
    return LocalStore(tmp_path)


@pytest.fixture
def write_volume() -> Callable[..., Volume]:
    """Return a function that writes a whole array as a volume, as a run would."""
    return _write_volume


def _write_volume(
    store: Store, key: str, info: VolumeInfo, voxels: NDArray[Any], *, shuffle: int | None = None
) -> Volume:
    """Write `tczyx` or `czyx` voxels shard by shard, from several writers, in any order."""
    reduce = reduce_mode if info.kind == "labels" else reduce_mean
    planned = create_volume(store, key, info, reduce).info
    writers = cycle([open_writer(store, key, reduce) for _ in range(2)])
    series = voxels if info.times > 1 else voxels[None]
    derived = next(writers).derived
    tasks = list(product(range(info.times), shard_boxes(planned.levels[0])))
    if shuffle is not None:
        Random(shuffle).shuffle(tasks)  # noqa: S311 - not for secrets
    cells = [
        next(writers).write(box, series[(moment, slice(None), *box.slices())], time=moment)
        for moment, box in tasks
    ]
    cells += [
        next(writers).write_level(level, box, time=moment)
        for level in range(derived + 1, len(planned.levels))
        for moment, box in product(range(info.times), shard_boxes(planned.levels[level]))
    ]
    next(writers).finish(cells, made_by="run-1")
    return open_volume(store, key)
