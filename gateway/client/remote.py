"""A gateway over HTTP."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gateway.client.http import Http
from gateway.client.job import Job
from gateway.client.served import ServedStore
from gateway.client.session import Lent, Points, Session
from gateway.client.table import open_table
from gateway.errors import CallError
from gateway.volumes.dataset import entry_key
from gateway.volumes.local_store import LocalStore
from gateway.volumes.points import open_points
from gateway.volumes.ref import Ref, parse_dataset, parse_ref
from gateway.volumes.store import Store
from gateway.volumes.tiles import TileGrid
from gateway.volumes.volume import Volume, open_volume

_PAGE = 100


class RemoteSession(Session):
    """A gateway at a URL; `gateway.client.session.Session` says what each call does."""

    def __init__(self, url: str, token: str | None = None, data: Path | None = None) -> None:
        """Prepare a session; nothing is asked yet.

        Args:
            url: Address of the gateway, or a share link.
            token: A token of the person.
            data: Folder in which files of the store are shown, where there is one.
        """
        self._http = Http(url, token)
        self._store = ServedStore(self._http)
        self._beside = LocalStore(data) if data is not None and data.is_dir() else None

    def me(self) -> dict[str, Any]:
        """Say who asks."""
        return dict(self._http.get("/api/me"))

    def datasets(self, words: str = "", **facets: str | Sequence[str]) -> list[dict[str, Any]]:
        """Return the datasets in which all words occur."""
        found: list[dict[str, Any]] = []
        page, pages = 1, 1
        while page <= pages:
            query = {"q": words, **facets, "page": page, "size": _PAGE}
            said = self._http.get("/api/datasets", query)
            found += said["datasets"]
            page, pages = page + 1, said["pages"]
        return found

    def dataset(self, name: str) -> dict[str, Any]:
        """Return what a dataset holds."""
        return dict(self._http.get(f"/api/datasets/{parse_dataset(name)}"))

    def show(self, ref: str) -> dict[str, Any]:
        """Return all about one thing."""
        return dict(self._http.get(f"/api/entries/{_path(parse_ref(ref))}"))

    def open(self, ref: str) -> Volume | Points:
        """Open a volume or a table: the gateway says whether one may, also where files are shown.

        Voxels and rows that lie in the folder of shown files are read there, all else over HTTP.
        """
        parsed = parse_ref(ref)
        kind = self.show(ref)["entry"]["kind"]
        if kind == "points":
            key = entry_key(parsed, "points")
            beside = _shown(self._beside, key)
            return open_table(self._http, parsed) if beside is None else open_points(beside, key)
        if kind in ("image", "labels", "volume", "link"):
            key = entry_key(parsed, "image")
            return open_volume(_shown(self._beside, f"{key}/zarr.json") or self._store, key)
        raise CallError(f"{ref} is of kind {kind}; only volumes and tables are opened over HTTP")

    def tiles(self, ref: str) -> TileGrid:
        """Refuse: tiles are not served."""
        raise CallError(
            f"the tiles of {parse_ref(ref)} stay where the gateway is; work there with its home, "
            "or look at the page of its run, which shows them"
        )

    def tools(self) -> list[dict[str, Any]]:
        """Return the tools there are."""
        return list(self._http.get("/api/tools"))

    def tool(self, tool: str) -> dict[str, Any]:
        """Return all about a tool."""
        return dict(self._http.get(f"/api/tools/{tool}"))

    def plan(
        self, tool: str, inputs: Mapping[str, str], outputs: Mapping[str, str], **settings: Any
    ) -> dict[str, Any]:
        """Return what a run would do."""
        body = _call(tool, inputs, outputs, settings)
        return dict(self._http.post("/api/plans", body, {"pilot": "false"}))

    def start(
        self, tool: str, inputs: Mapping[str, str], outputs: Mapping[str, str], **settings: Any
    ) -> Job:
        """Start a tool and return at once."""
        body = _call(tool, inputs, outputs, settings)
        return Job(_RemoteJobs(self._http), self._http.post("/api/jobs", body))

    def jobs(self) -> list[Job]:
        """Return one's jobs."""
        jobs = _RemoteJobs(self._http)
        return [Job(jobs, state) for state in self._http.get("/api/jobs")]

    def job(self, job: str) -> Job:
        """Return one job."""
        jobs = _RemoteJobs(self._http)
        return Job(jobs, jobs.read(job))

    def links(self, dataset: str) -> list[dict[str, Any]]:
        """Return the share links of a dataset."""
        return list(self._http.get(f"/api/links/{parse_dataset(dataset)}"))

    def share(self, dataset: str, entry: str | None = None, **wanted: Any) -> dict[str, Any]:
        """Make a share link."""
        body = {"entry": entry, **wanted}
        return dict(self._http.post(f"/api/links/{parse_dataset(dataset)}", body))

    def revoke(self, dataset: str, link: str) -> None:
        """End a share link."""
        self._http.send("DELETE", f"/api/links/{parse_dataset(dataset)}/{link}")

    def lend(self, dataset: str) -> Lent:
        """Lend a browser what one may see of a dataset; a share link lends itself."""
        name = parse_dataset(dataset)
        if self._http.link is not None:
            return Lent(self._http.link, f"{self._http.url}/")
        made = self._http.post("/api/passes", {"dataset": name})
        return Lent(made["path"], made["url"])

    def layers(self, dataset: str) -> list[dict[str, Any]]:
        """Return the annotation layers of a dataset."""
        return list(self._http.get(f"/api/layers/{parse_dataset(dataset)}")["layers"])

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __repr__(self) -> str:
        """Describe the session, without its token."""
        return f"<gateway at {self._http.where}>"


class _RemoteJobs:
    """Jobs of a gateway over HTTP."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def read(self, job: str) -> dict[str, Any]:
        return dict(self._http.get(f"/api/jobs/{job}"))

    def log(self, job: str) -> str:
        return self._http.get_bytes(f"/api/jobs/{job}/log").decode()

    def cancel(self, job: str) -> dict[str, Any]:
        return dict(self._http.post(f"/api/jobs/{job}/cancel"))

    def resume(self, job: str) -> dict[str, Any]:
        return dict(self._http.post(f"/api/jobs/{job}/resume"))


def _shown(beside: LocalStore | None, key: str) -> Store | None:
    """Return the folder of shown files if a file lies in it that may be read."""
    path = None if beside is None else beside.local_path(key)
    return beside if path is not None and os.access(path, os.R_OK) else None


def _path(ref: Ref) -> str:
    return f"{ref.dataset}/{ref.name}"


def _call(
    tool: str, inputs: Mapping[str, str], outputs: Mapping[str, str], settings: Mapping[str, Any]
) -> dict[str, Any]:
    plain = {k: v.tolist() if isinstance(v, np.generic) else v for k, v in settings.items()}
    return {"tool": tool, "inputs": dict(inputs), "outputs": dict(outputs), "params": plain}
